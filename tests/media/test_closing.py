"""Sources that are closed while they are read, or read once more."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from mien.core.errors import SourceError
from mien.engine.reconnect import make_lasting
from mien.media.frames import open_frames

CLOSES_IN_A_STALL = """
import http.server, queue, threading
import cv2, numpy as np
from mien.media.frames import open_frames

goes_on = threading.Event()
jpeg = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))[1]
part = b"--frame\\r\\nContent-Type: image/jpeg\\r\\n\\r\\n" + jpeg.tobytes() + b"\\r\\n"

class Camera(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        self.wfile.write(40 * part)
        goes_on.wait()
        self.wfile.write(40 * part)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
source = open_frames(f"http://127.0.0.1:{server.server_port}/video.mjpg")
read = queue.Queue()

def read_all():
    with source:
        for frame in source:
            read.put(frame)

reader = threading.Thread(target=read_all, daemon=True)
reader.start()
frames = 0
try:
    while True:
        read.get(timeout=1)
        frames += 1
except queue.Empty:
    pass
source.close()
goes_on.set()
reader.join()
print(frames >= 30, read.qsize())
"""


def test_a_stream_that_is_closed_while_it_stalls_and_then_goes_on_is_let_go_in_peace():
    done = subprocess.run(
        [sys.executable, "-c", CLOSES_IN_A_STALL],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "True 0"), done.stderr


@pytest.mark.parametrize("first", [2, 10], ids=["in part", "whole"])
def test_a_file_that_has_been_read_is_not_called_damaged(tmp_path, write_video, first):
    grey = np.full((48, 64, 3), 90, np.uint8)
    path = write_video(tmp_path / "clip.mp4", [grey] * 10)
    with open_frames(path) as frames:
        for frame in frames:
            if frame.index == first:
                break
        with pytest.raises(SourceError, match=r"clip\.mp4 has been read already.*Open it again"):
            list(frames)
    with pytest.raises(SourceError, match=r"clip\.mp4 is closed: open it again"):
        list(frames)


def test_a_stream_that_is_closed_is_called_neither_lost_nor_without_frames(serve_http):
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), np.uint8)
    jpegs = b"".join(cv2.imencode(".jpg", picture)[1].tobytes() for picture in noise)
    address = serve_http(jpegs, "video/x-motion-jpeg", "camera.mjpeg")
    told = []
    stream = open_frames(address)
    with make_lasting(stream, address, told.append) as lasting:
        assert lasting.is_live
        frames = iter(lasting)
        next(frames)
        lasting.close()
        assert not list(frames)
    for closed in (lasting, stream):
        with pytest.raises(SourceError, match=r"camera\.mjpeg is closed: open it again"):
            list(closed)
    assert not told


@pytest.mark.parametrize("kind", ["folder", "picture", "array", "animation", "pairs", "generator"])
def test_what_is_no_video_cannot_be_read_once_it_is_closed_either(tmp_path, kind):
    grey = np.full((48, 64, 3), 90, np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), grey)
    Image.fromarray(grey).save(
        tmp_path / "moves.gif", save_all=True, append_images=[Image.fromarray(grey // 2)]
    )
    source = {
        "folder": tmp_path,
        "picture": tmp_path / "a.png",
        "array": grey,
        "animation": tmp_path / "moves.gif",
        "pairs": [(0, grey), (40, grey)],
        "generator": ((40 * n, grey) for n in range(2)),
    }[kind]
    frames = open_frames(source)
    assert list(frames)
    if kind in ("pairs", "generator"):
        with pytest.raises(SourceError, match="These frames have been read"):
            list(frames)
    frames.close()
    with pytest.raises(SourceError, match="is closed: open it again"):
        list(frames)
