"""Sources that are closed while they are read, or read once more."""

import subprocess
import sys

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
