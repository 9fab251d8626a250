"""Finding faces: one protocol, and the detectors that follow it.

`HaarDetector` needs no file besides OpenCV. `YuNetDetector` is faster and finds more, and needs a
file that `mien models download` fetches. `MtcnnDetector` and `BlazeFaceDetector` (MediaPipe's) are
there for whoever is used to them. `make_detector` chooses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from cv2.data import haarcascades
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.core.types import Box, Face
from mien.faces.blazeface import BlazeFaceDetector
from mien.faces.models import YUNET_VARIABLE, find_yunet, read_yunet
from mien.faces.mtcnn import MtcnnNetworks

DETECTORS = ("auto", "yunet", "haar", "mediapipe", "mtcnn")
"""The names that `make_detector` takes."""

DETECTION_SIDE = 640
"""Pictures are reduced until their longer side is this many pixels, before faces are sought."""

YUNET_SCORE = 0.7
"""YuNet's boxes below this score are no faces; OpenCV's own default is 0.9."""

HAAR_NEIGHBOURS = 5
"""So many overlapping windows must agree before Haar's cascade calls them a face."""

HAAR_SMALLEST = 32
"""Side of the smallest face that the cascade seeks, in pixels of the reduced picture."""

# Where a side is 32 pixels or less, OpenCV 4.14 returns boxes made of uninitialised memory.
_YUNET_SMALLEST = 64


class Detector(Protocol):
    """Finds the faces in a picture. One thread at a time may use it."""

    @property
    def name(self) -> str:
        """Its name in `DETECTORS` and in an artifact's `crop`."""
        ...

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces, the largest first.

        Args:
            image_bgr: (H, W, 3) uint8, BGR, of any size.
        """
        ...


class HaarDetector:
    """OpenCV's frontal-face cascade (Viola and Jones 2001; Lienhart and Maydt 2002).

    It gives no landmarks. Its score is `n / (n + HAAR_NEIGHBOURS)`, where `n` overlapping windows
    agreed on the face: 0.5 for a face that only just counts, and never 1.

    Args:
        longest_side: Reduce pictures until their longer side is this many pixels.
    """

    name = "haar"

    def __init__(self, longest_side: int = DETECTION_SIDE) -> None:
        self._longest_side = longest_side
        self._cascade = cv2.CascadeClassifier(
            str(Path(haarcascades) / "haarcascade_frontalface_default.xml")
        )
        if self._cascade.empty():
            raise ModelError(
                f"OpenCV {cv2.__version__} has no face cascade in {haarcascades}: run  "
                "pip install --force-reinstall 'opencv-python>=4.14,<5'"
            )

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces, the largest first; see `Detector`."""
        reduced, scale = _reduce(image_bgr, self._longest_side)
        grey = cv2.equalizeHist(cv2.cvtColor(reduced, cv2.COLOR_BGR2GRAY))
        boxes, counts = self._cascade.detectMultiScale2(
            grey,
            scaleFactor=1.1,
            minNeighbors=HAAR_NEIGHBOURS,
            minSize=(HAAR_SMALLEST, HAAR_SMALLEST),
        )
        faces = [
            Face(Box(*(float(value) / scale for value in box)), score=n / (n + HAAR_NEIGHBOURS))
            for box, n in zip(boxes, map(float, np.ravel(counts)), strict=True)
        ]
        return _largest_first(faces)


class YuNetDetector:
    """YuNet (Wu, Peng and Yu 2023), run by OpenCV. It gives five landmarks.

    Args:
        path: YuNet's file; None for the one that `mien.faces.models.find_yunet` finds.
        longest_side: Reduce pictures until their longer side is this many pixels.
        score_threshold: Leave out boxes below this score, 0 to 1.

    Raises:
        ModelError: if there is no such file, or it is another one.
    """

    name = "yunet"

    def __init__(
        self,
        path: Path | None = None,
        longest_side: int = DETECTION_SIDE,
        score_threshold: float = YUNET_SCORE,
    ) -> None:
        file = path or find_yunet()
        if file is None:
            raise ModelError(
                "The detector YuNet is not installed: run  mien models download  or name its file "
                f"in the environment variable {YUNET_VARIABLE}, or use the detector haar."
            )
        self._longest_side = longest_side
        self._network = cv2.FaceDetectorYN.create(
            "onnx",
            np.frombuffer(read_yunet(file), dtype=np.uint8),
            np.empty(0, dtype=np.uint8),
            (longest_side, longest_side),
            score_threshold,
        )

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces, the largest first; see `Detector`."""
        reduced, scale = _reduce(image_bgr, self._longest_side)
        height, width = reduced.shape[:2]
        if min(height, width) < _YUNET_SMALLEST:
            below, right = (max(_YUNET_SMALLEST - side, 0) for side in (height, width))
            reduced = np.pad(reduced, ((0, below), (0, right), (0, 0)))
        self._network.setInputSize((reduced.shape[1], reduced.shape[0]))
        _, rows = self._network.detect(reduced)
        if rows is None:
            return []
        # A row: x, y, width, height, five landmarks of x and y, score.
        return _largest_first(
            [
                Face(
                    Box(*(float(value) for value in row[:4] / scale)),
                    score=min(max(float(row[14]), 0.0), 1.0),
                    landmarks=(row[4:14] / scale).reshape(5, 2).astype(np.float32),
                )
                for row in rows
            ]
        )


class MtcnnDetector:
    """MTCNN (Zhang et al. 2016), run by OpenCV. It gives five landmarks.

    Args:
        longest_side: Reduce pictures until their longer side is this many pixels.

    Raises:
        MissingExtraError: if `mien[mtcnn]`, which brings its weights, is not installed.
    """

    name = "mtcnn"

    def __init__(self, longest_side: int = DETECTION_SIDE) -> None:
        self._longest_side = longest_side
        self._networks = MtcnnNetworks()

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces, the largest first; see `Detector`."""
        reduced, scale = _reduce(image_bgr, self._longest_side)
        return _largest_first([_enlarged(face, scale) for face in self._networks.detect(reduced)])


def make_detector(name: str = "auto", longest_side: int = DETECTION_SIDE) -> Detector:
    """Return the detector of that name.

    Args:
        name: One of `DETECTORS`; `auto` is YuNet where its file is present, else Haar.
        longest_side: Reduce pictures until their longer side is this many pixels.

    Raises:
        ModelError: if there is no such detector, or its file is missing or another one.
        MissingExtraError: if the package with its weights is missing.
    """
    if name not in DETECTORS:
        raise ModelError(f"There is no detector {name!r}: expected {', '.join(DETECTORS)}.")
    if name == "mediapipe":
        return BlazeFaceDetector()
    if name == "mtcnn":
        return MtcnnDetector(longest_side)
    if name == "haar" or (name == "auto" and find_yunet() is None):
        return HaarDetector(longest_side)
    return YuNetDetector(longest_side=longest_side)


def _reduce(image_bgr: NDArray[np.uint8], longest_side: int) -> tuple[NDArray[np.uint8], float]:
    """Return the picture, made smaller if need be, and its scale (at most 1)."""
    height, width = image_bgr.shape[:2]
    scale = longest_side / max(height, width)
    if scale >= 1:
        return image_bgr, 1.0
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    reduced = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, dtype=np.uint8), scale


def _enlarged(face: Face, scale: float) -> Face:
    """The face in the pixels of the picture that was reduced by `scale`."""
    box, landmarks = face.box, face.landmarks
    if landmarks is not None:
        landmarks = landmarks / np.float32(scale)
    sides = (value / scale for value in (box.x, box.y, box.width, box.height))
    return Face(Box(*sides), face.score, landmarks)


def _largest_first(faces: list[Face]) -> list[Face]:
    return sorted(faces, key=lambda face: face.box.area, reverse=True)
