"""Finding faces: one protocol, and the detectors that follow it.

`HaarDetector` needs no file besides OpenCV. `YuNetDetector` (in `mien.faces.yunet`) is faster and
finds more, and needs a file that `mien models download` fetches. `MtcnnDetector` and
`BlazeFaceDetector` (MediaPipe's) are there for whoever is used to them. `make_detector` chooses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import cv2
import numpy as np
from cv2.data import haarcascades
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.core.types import Box, Face
from mien.faces.blazeface import BlazeFaceDetector
from mien.faces.models import find_yunet
from mien.faces.mtcnn import MtcnnNetworks
from mien.faces.reduce import DETECTION_SIDE, Resizable, enlarged, largest_first, reduce_picture
from mien.faces.yunet import YuNetDetector

DETECTORS = ("auto", "yunet", "haar", "mediapipe", "mtcnn")
"""The names that `make_detector` takes."""

HAAR_NEIGHBOURS = 5
"""So many overlapping windows must agree before Haar's cascade calls them a face."""

HAAR_SMALLEST = 32
"""Side of the smallest face that the cascade seeks, in pixels of the reduced picture."""


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


@runtime_checkable
class ResizableDetector(Detector, Protocol):
    """A detector that can look at a picture in another size, in which other faces are found.

    Attributes:
        longest_side: It reduces pictures until their longer side is this many pixels.
    """

    longest_side: int

    def resized(self, longest_side: int) -> Self:
        """Return the same detector for another longest side; the two may share a network."""
        ...


class HaarDetector(Resizable):
    """OpenCV's frontal-face cascade (Viola and Jones 2001; Lienhart and Maydt 2002).

    It gives no landmarks. Its score is `n / (n + HAAR_NEIGHBOURS)`, where `n` overlapping windows
    agreed on the face: 0.5 for a face that only just counts, and never 1.

    Args:
        longest_side: Reduce pictures until their longer side is this many pixels.
    """

    name = "haar"

    def __init__(self, longest_side: int = DETECTION_SIDE) -> None:
        self.longest_side = longest_side
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
        reduced, scale = reduce_picture(image_bgr, self.longest_side)
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
        return largest_first(faces)


class MtcnnDetector(Resizable):
    """MTCNN (Zhang et al. 2016), run by OpenCV. It gives five landmarks.

    Args:
        longest_side: Reduce pictures until their longer side is this many pixels.

    Raises:
        MissingExtraError: if `mien[mtcnn]`, which brings its weights, is not installed.
    """

    name = "mtcnn"

    def __init__(self, longest_side: int = DETECTION_SIDE) -> None:
        self.longest_side = longest_side
        self._networks = MtcnnNetworks()

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces, the largest first; see `Detector`."""
        reduced, scale = reduce_picture(image_bgr, self.longest_side)
        return largest_first([enlarged(face, scale) for face in self._networks.detect(reduced)])


def make_detector(
    name: str = "auto", longest_side: int = DETECTION_SIDE, *, threads: int | None = 1
) -> Detector:
    """Return the detector of that name.

    Args:
        name: One of `DETECTORS`; `auto` is YuNet where its file is present, else Haar.
        longest_side: Reduce pictures until their longer side is this many pixels.
        threads: How many threads YuNet may use, None for as many as there are cores; the others
            use OpenCV's.

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
    return YuNetDetector(longest_side=longest_side, threads=threads)
