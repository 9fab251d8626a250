"""Sources that are made of pictures, for what no file can be made to do."""

import threading

import numpy as np
import pytest

from mien.core.errors import SourceError
from mien.core.types import Box, Face
from mien.media.frames import Frame
from mien.recognizer import Recognizer

FACE = Box(60.0, 40.0, 80.0, 80.0)


class ListedSource:
    """A source of given pictures, at 25 frames a second; breaks off at the end if it is live."""

    name = "listed"
    fps = 25.0

    def __init__(self, pictures, *, is_live=False, error=None):
        self.is_live = is_live
        self.frame_count = None if is_live else len(pictures)
        self.closed = False
        self.reader = None
        self._pictures = pictures
        self._error = error or (SourceError("listed broke off.") if is_live else None)

    def __iter__(self):
        self.reader = threading.current_thread()
        for index, picture in enumerate(self._pictures):
            yield Frame(index, index * 1000 / self.fps, picture)
        if self._error:
            raise self._error

    def close(self):
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class SquareDetector:
    """Finds the bright square of `picture`, as a detector without landmarks would."""

    name = "haar"

    def __init__(self):
        self.calls = 0

    def detect(self, image_bgr):
        self.calls += 1
        rows, columns = np.nonzero(image_bgr[..., 0] > 100)
        if len(rows) < 100:
            return []
        width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
        return [
            Face(Box(float(columns.min()), float(rows.min()), float(width), float(height)), 0.9)
        ]


def picture(x=60, grey=200):
    """A dark picture with a bright, textured square, (180, 320, 3) uint8."""
    image = np.full((180, 320, 3), 20, np.uint8)
    noise = np.random.default_rng(0).integers(-40, 40, (16, 16)).repeat(5, 0).repeat(5, 1)
    image[40:120, x : x + 80] = np.clip(grey + noise, 101, 255)[..., None]
    return image


@pytest.fixture
def listed_source():
    return ListedSource


@pytest.fixture
def picture_of():
    return picture


@pytest.fixture
def square_detector():
    return SquareDetector()


@pytest.fixture
def recognizer(brightness_network, square_detector, tmp_path):
    """Finds bright squares and tells brightnesses apart, with a real ONNX session."""
    artifact = brightness_network(tmp_path / "emotion.onnx")
    return Recognizer(artifact, detector=square_detector, threads=1)
