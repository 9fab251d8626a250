"""A real server, a real Chromium, and a camera that plays a real video."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.core.artifact import load_artifact
from mien.core.errors import ModelError

WEB = Path(__file__).parents[2] / "web"
DEMO = Path(__file__).parents[2] / "src/mien/assets/demo.mp4"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CAMERA_FRAMES = 200  # 10 s, over and over


TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="session")
def server(serve):
    """The address of a server that lets everyone in."""
    return serve()


@pytest.fixture(scope="session")
def guarded_server(serve, tmp_path_factory):
    """The address of a server that wants a token, and the token."""
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(TOKEN)
    return serve("--token-file", str(file)), TOKEN


@pytest.fixture(scope="session")
def yunet(yunet_path):
    """Let this process and the servers that it starts use YuNet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_YUNET", str(yunet_path))
        yield


@pytest.fixture(scope="session")
def serve(tmp_path_factory, yunet):
    """Return what starts servers."""
    page = pytest.importorskip("mien.serve.routes.page", reason="needs mien[serve]")
    if not page.is_built():
        pytest.skip("the page is not built: run  make web")
    try:
        load_artifact()
    except ModelError as error:
        pytest.skip(f"no network is shipped yet: {error}")
    servers = Servers(tmp_path_factory)
    yield servers
    servers.stop_all()


class Servers:
    """Starts `mien serve` as processes of their own; call it for the address of a new one."""

    def __init__(self, tmp_path_factory):
        self._folders = tmp_path_factory
        self._processes = {}

    def __call__(self, *options, **environment):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        if "--port" in options:
            port = int(options[options.index("--port") + 1])
        state = self._folders.mktemp("serve") / "state.db"
        words = ["serve", "--port", str(port), "--offline", "--state", str(state), *options]
        words += ["--allowed-host", "mien.example"]
        process = subprocess.Popen(
            [sys.executable, "-m", "mien", *words],
            stderr=subprocess.DEVNULL,
            env=os.environ | environment,
        )
        address = f"http://127.0.0.1:{port}"
        self._processes[address] = process
        return wait_until_ready(process, port)

    def stop(self, address):
        process = self._processes.pop(address)
        process.terminate()
        process.wait(60)

    def stop_all(self):
        for address in list(self._processes):
            self.stop(address)


def wait_until_ready(process, port):
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        assert process.poll() is None, "mien serve ended by itself"
        try:
            with urllib.request.urlopen(f"{address}/readyz"):
                return address
        except OSError:
            time.sleep(0.1)
    pytest.fail("mien serve did not become ready")


@pytest.fixture(scope="session")
def camera_file(tmp_path_factory):
    """Write the bundled video as Chromium's fake camera reads it (YUV4MPEG2)."""
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    capture = cv2.VideoCapture(str(DEMO))
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H360 F20:1 Ip A1:1 C420jpeg\n")
        frames = [cv2.resize(capture.read()[1], (640, 360)) for _ in range(CAMERA_FRAMES // 2)]
        # There and back, so that nobody jumps where it begins again.
        for image_bgr in (*frames, *reversed(frames)):
            file.write(b"FRAME\n" + cv2.cvtColor(image_bgr, cv2.COLOR_BGR2YUV_I420).tobytes())
    return path


@pytest.fixture(scope="session")
def launch_browser():
    """Return the context manager that starts a Chromium with an empty page."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    executable = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if executable is None:
        pytest.skip(f"no browser: install one of {', '.join(CHROMIUM_NAMES)}")

    @contextmanager
    def start(arguments=(), **context_options):
        if os.geteuid() == 0:
            arguments = [*arguments, "--no-sandbox"]
        with playwright.sync_playwright() as running:
            browser = running.chromium.launch(executable_path=executable, args=[*arguments])
            context = browser.new_context(accept_downloads=True, **context_options)
            page = context.new_page()
            page.set_default_timeout(60_000)
            yield page
            browser.close()

    return start


@pytest.fixture(scope="session")
def launch(server, camera_file, launch_browser):
    """Return the context manager that opens the page in a Chromium with or without a camera."""
    fake_camera = [
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_file}",
    ]

    @contextmanager
    def start(
        *, camera=True, allowed=True, address=server, arguments=(), script=None, **context_options
    ):
        arguments = [*arguments, *(fake_camera if camera else [])]
        if allowed:
            arguments.append("--use-fake-ui-for-media-stream")
        with launch_browser(arguments, **context_options) as page:
            if script:
                page.add_init_script(script)
            page.goto(address)
            yield page

    return start


@pytest.fixture(scope="session")
def web_folder():
    """The front end's sources."""
    return WEB


@pytest.fixture(scope="session")
def crowd_bgr(astronaut_bgr):
    """Three astronauts of different sizes and brightness before a grey wall."""
    picture = np.full((720, 1280, 3), 140, np.uint8)
    for left, top, side, share in ((20, 160, 512, 1.0), (600, 40, 380, 0.9), (1010, 300, 250, 0.6)):
        person = cv2.resize(astronaut_bgr, (side, side), interpolation=cv2.INTER_AREA)
        picture[top : top + side, left : left + side] = cv2.convertScaleAbs(person, alpha=share)
    return picture


@pytest.fixture(scope="session")
def astronaut_bgr():
    data = pytest.importorskip("skimage.data")
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core, which checks for accessibility."""
    source = WEB / "node_modules/axe-core/axe.min.js"
    if not source.is_file():
        pytest.skip("axe-core is not installed: run  make web")
    return source.read_text(encoding="utf-8")
