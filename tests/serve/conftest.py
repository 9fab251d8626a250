"""A server in this process with the shipped network, and files to send it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from uuid import uuid4

import cv2
import pytest

pytest.importorskip("fastapi", reason="needs mien[serve]")

from fastapi.testclient import TestClient

from mien.core.artifact import load_artifact
from mien.core.errors import ModelError
from mien.serve import Limits, Settings, create_app

BASE_URL = "http://localhost:8000"


@pytest.fixture(scope="session", autouse=True)
def shipped_network():
    try:
        load_artifact()
    except ModelError as error:
        pytest.skip(f"no network is shipped yet: {error}")


@pytest.fixture
def settings_of(tmp_path):
    """Return the function that makes settings for a test's own server."""

    def make(limits=None, **values):
        values = {"threads": 2, "detector": "haar", "state_file": tmp_path / "state.db"} | values
        return Settings(limits=Limits(**(limits or {})), **values)

    return make


@pytest.fixture
def client_of(settings_of):
    """Return the function that starts a server; all of them stop after the test."""
    clients = []

    def start(limits=None, **values):
        client = TestClient(
            create_app(settings_of(limits, **values)),
            base_url=BASE_URL,
            raise_server_exceptions=False,
        )
        clients.append(client.__enter__())
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(client_of):
    return client_of()


@pytest.fixture
def stream_of():
    """Return the function that opens a stream; the test client has another host of its own."""
    return lambda client, query="", **options: client.websocket_connect(
        "ws://localhost:8000/v1/stream" + query, **options
    )


@pytest.fixture(scope="session")
def astronaut_bgr():
    data = pytest.importorskip("skimage.data")
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture(scope="session")
def encode():
    """Return the function that writes a picture as the content of a file."""

    def encode(image_bgr, suffix=".png", options=()):
        return cv2.imencode(suffix, image_bgr, list(options))[1].tobytes()

    return encode


@pytest.fixture(scope="session")
def astronaut_png(astronaut_bgr, encode):
    return encode(astronaut_bgr)


@pytest.fixture(scope="session")
def astronaut_jpeg(astronaut_bgr, encode):
    return encode(astronaut_bgr, ".jpg")


@pytest.fixture(scope="session")
def video_of(tmp_path_factory, astronaut_bgr):
    """Return the function that makes an MP4 of the astronaut, 10 frames a second."""

    def make(frames):
        path = tmp_path_factory.mktemp("video") / "astronaut.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (320, 320))
        picture = cv2.resize(astronaut_bgr, (320, 320))
        for index in range(frames):
            writer.write(cv2.convertScaleAbs(picture, alpha=1 - index / frames / 4))
        writer.release()
        return path.read_bytes()

    return make


class Server:
    """A server in a process of its own, which keeps its state in `folder`."""

    def __init__(self, folder, *options):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.folder = folder
        words = ["serve", "--port", str(self.port), "--offline", "--detector", "haar"]
        words += ["--threads", "1", "--state", str(folder / "state.db"), *options]
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mien", *words],
                env=os.environ | {"TMPDIR": str(temporary)},
                stderr=log,
                stdout=log,
                start_new_session=True,
            )
        self._wait_until_ready()

    def ask(self, path, method="GET", body=None, headers=None):
        """Return status, headers and body of an answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body, headers or {}, method=method
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def upload(self, video, name="a.mp4"):
        boundary = uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"'
        body = head.encode() + b"\r\n\r\n" + video + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        status, _, answer = self.ask("/v1/videos", "POST", body, kind)
        assert status == 202, answer
        return json.loads(answer)["id"]

    def job(self, job):
        return json.loads(self.ask(f"/v1/videos/{job}")[2])

    def wait_for(self, job, *states):
        for _ in range(1200):
            status = self.job(job)
            if status["state"] in states:
                return status
            time.sleep(0.05)
        pytest.fail(f"the job is still {status}")

    def stop(self):
        """Tell it to stop; return its exit code and what it logged."""
        self.process.terminate()
        return self.process.wait(60), self.log.read_text()

    def kill(self):
        """Kill it and its workers as the machine would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def _wait_until_ready(self):
        for _ in range(1200):
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.ask("/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        pytest.fail("the server did not become ready")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server in a process of its own, for the tests of a module that it outlives."""
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture
def start(tmp_path):
    servers = []

    def start(*options):
        servers.append(Server(tmp_path, *options))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.kill()
