"""A server in this process with the shipped network, and files to send it."""

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
