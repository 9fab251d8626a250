"""Ask a running `mien serve` what its clients ask; needs nothing but mien[serve].

`.ci/container` runs it against a server that was installed from the wheel:

    python tests/ask_service.py PORT TOKEN
"""

import json
import re
import sys
import time
import urllib.error
import urllib.request
from importlib import resources

import cv2
from websockets.sync.client import connect

HOST = "127.0.0.1"


def ask(path, *, body=None, headers=None):
    """Return an answer's status and content."""
    request = urllib.request.Request(f"http://{HOST}:{port}{path}", body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def wait_until_ready():
    for _ in range(600):
        try:
            if ask("/readyz")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("the server did not become ready")


def first_frame(video):
    """Return a video's first frame as JPEG."""
    _, image_bgr = cv2.VideoCapture(str(video)).read()
    return cv2.imencode(".jpg", image_bgr)[1].tobytes()


def upload(path, name, content):
    """Send a file as a form; return the answer's status and document."""
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'.encode()
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    status, answer = ask(path, body=head + content + b"\r\n--x--\r\n", headers=bearer | kind)
    return status, json.loads(answer)


def check_page():
    status, page = ask("/")
    assert (status, b"<title>mien" in page) == (200, True), page[:500]
    script = "/" + re.search(rb'src="(?:\./|/)?(assets/[^"]+\.js)"', page)[1].decode()
    status, content = ask(script)
    assert status == 200
    assert b"v1/model" in content


def check_token():
    for path in ("/v1/model", "/metrics"):
        assert ask(path)[0] == 401
        assert ask(path, headers=bearer)[0] == 200


def check_picture(jpeg):
    status, answer = upload("/v1/images", "files", jpeg)
    assert status == 200, answer
    return [face["emotion"] for face in answer["images"][0]["faces"]]


def check_video(content):
    status, job = upload("/v1/videos", "file", content)
    assert status == 202, job
    for _ in range(600):
        job = json.loads(ask(f"/v1/videos/{job['id']}", headers=bearer)[1])
        if job["finished_s"] is not None:
            break
        time.sleep(0.5)
    assert job["state"] == "done", job
    assert job["frames_done"] > 0


def check_stream(jpeg):
    url = f"ws://{HOST}:{port}/v1/stream"
    with connect(url, additional_headers=bearer, compression=None) as stream:
        assert json.loads(stream.recv())["type"] == "ready"
        stream.send(jpeg)
        return [face["emotion"] for face in json.loads(stream.recv())["faces"]]


port, token = sys.argv[1:]
bearer = {"Authorization": f"Bearer {token}"}
wait_until_ready()
check_page()
check_token()
with resources.as_file(resources.files("mien") / "assets/demo.mp4") as demo:
    picture = first_frame(demo)
    check_video(demo.read_bytes())
found = check_picture(picture), check_stream(picture)
assert found[0] == found[1] == ["happy"], found
print("page, token, video, picture and stream are well")
