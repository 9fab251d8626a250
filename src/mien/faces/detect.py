"""Finding faces: one protocol, the detectors that follow it, and what is known of each.

`HaarDetector` needs no file besides OpenCV. `YuNetDetector` (in `mien.faces.yunet`) is faster and
finds more, and needs a file that `mien models download` fetches. `MtcnnDetector` and
`BlazeFaceDetector` (MediaPipe's) are there for whoever is used to them. A further one is an entry
of `DETECTORS`; `make_detector` chooses.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, Self, runtime_checkable

import cv2
import numpy as np
from cv2.data import haarcascades
from numpy.typing import NDArray

from mien.core.artifact import Framing
from mien.core.errors import ModelError, SettingError
from mien.core.types import Box, Face
from mien.faces.blazeface import BlazeFaceDetector
from mien.faces.models import find_yunet
from mien.faces.mtcnn import MtcnnNetworks
from mien.faces.photograph import PhotographDetector
from mien.faces.reduce import (
    Resizable,
    enlarged,
    largest_first,
    parse_detect_size,
    reduce_picture,
)
from mien.faces.yunet import YuNetDetector

HAAR_NEIGHBOURS = 5
"""So many overlapping windows must agree before Haar's cascade calls them a face."""

HAAR_SMALLEST = 32
"""Side of the smallest face that the cascade seeks, in pixels of the reduced picture."""


@runtime_checkable
class Detector(Protocol):
    """Finds the faces in a picture. Those of this package may be used by several threads."""

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


@runtime_checkable
class ScoredDetector(ResizableDetector, Protocol):
    """A resizable detector whose boxes below a score, which can be another one, are left out.

    Attributes:
        score_threshold: 0 to 1.
    """

    score_threshold: float


class HaarDetector(Resizable):
    """OpenCV's frontal-face cascade (Viola and Jones 2001; Lienhart and Maydt 2002).

    It gives no landmarks. Its score is `n / (n + HAAR_NEIGHBOURS)`, where `n` overlapping windows
    agreed on the face: 0.5 for a face that only just counts, and never 1.
    """

    name = "haar"

    def __init__(self) -> None:
        self._lock = threading.Lock()  # OpenCV's cascade keeps the picture that it is at
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
        with self._lock:
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

    Raises:
        MissingExtraError: if `mien[mtcnn]`, which brings its weights, is not installed.
    """

    name = "mtcnn"

    def __init__(self) -> None:
        self._lock = threading.Lock()  # OpenCV's networks keep their input
        self._networks = MtcnnNetworks()

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces, the largest first; see `Detector`."""
        reduced, scale = reduce_picture(image_bgr, self.longest_side)
        with self._lock:
            faces = self._networks.detect(reduced)
        return largest_first([enlarged(face, scale) for face in faces])


@dataclass(frozen=True, slots=True)
class DetectorKind:
    """What is known of a detector.

    Attributes:
        open: Opens it for a number of threads, None for one a core.
        framing: How FER2013 frames a face, relative to the detector's box: the medians over
            FER2013's training faces, as `benchmarks/measure_framing.py` prints them.
        confirming_score: A box from this score on, in a picture that was reduced further, confirms
            a face that is followed already, though it is too doubtful to begin a new one; None
            where doubtful boxes are good for nothing.
    """

    open: Callable[[int | None], Detector]
    framing: Framing
    confirming_score: float | None = None


DETECTORS: Mapping[str, DetectorKind] = MappingProxyType(
    {
        "yunet": DetectorKind(
            lambda threads: YuNetDetector(threads=threads),
            Framing(scale=0.97, offset_x=0.0, offset_y=-0.01),
            confirming_score=0.55,
        ),
        "haar": DetectorKind(
            lambda _threads: HaarDetector(),
            Framing(scale=1.05, offset_x=0.0, offset_y=0.0),
        ),
        "mediapipe": DetectorKind(
            lambda _threads: BlazeFaceDetector(),
            Framing(scale=1.17, offset_x=0.0, offset_y=-0.11),
        ),
        "mtcnn": DetectorKind(
            lambda _threads: MtcnnDetector(),
            Framing(scale=0.94, offset_x=0.01, offset_y=0.0),
        ),
    }
)
"""The detectors by name; besides them, `make_detector` takes `auto`."""

FRAMINGS: Mapping[str, Framing] = MappingProxyType(
    {name: kind.framing for name, kind in DETECTORS.items()}
)
"""How FER2013 frames a face, relative to the box of each detector."""


def make_detector(name: str = "auto", *, threads: int | None = 1) -> Detector:
    """Return the detector of that name.

    Args:
        name: One of `DETECTORS`; or `auto`, which is YuNet where `mien.faces.models.find_yunet`
            finds its file, else Haar.
        threads: How many threads YuNet may use, None for as many as there are cores; the others
            use OpenCV's.

    Raises:
        SettingError: if there is no such detector.
        ModelError: if its file is missing or another one.
        MissingExtraError: if the package with its weights is missing.
    """
    if name == "auto":
        name = "haar" if find_yunet() is None else "yunet"
    if name not in DETECTORS:
        raise SettingError(f"There is no detector {name!r}: expected auto, {', '.join(DETECTORS)}.")
    return DETECTORS[name].open(threads)


def as_resizable(detector: Detector) -> ResizableDetector | None:
    """Return the detector itself if it can look at a picture in another size, else None."""
    return detector if isinstance(detector, ResizableDetector) else None


def coarse_detector(detector: ResizableDetector, longest_side: int) -> ResizableDetector:
    """Return the same detector for a smaller picture, in which known faces are confirmed.

    It gives doubtful boxes as well, where those confirm a face; `new_face_score` tells from which
    score on they begin a new one.
    """
    coarse = detector.resized(min(longest_side, detector.longest_side))
    kind = DETECTORS.get(detector.name)
    if isinstance(coarse, ScoredDetector) and kind is not None and kind.confirming_score:
        coarse.score_threshold = min(kind.confirming_score, coarse.score_threshold)
    return coarse


def new_face_score(detector: Detector) -> float:
    """Return the score from which on a box of this detector begins a new face."""
    return detector.score_threshold if isinstance(detector, ScoredDetector) else 0.0


def make_detectors(
    detector: str | Detector = "auto",
    detect_size: int | str | None = None,
    *,
    threads: int | None = 1,
) -> tuple[Detector, Detector]:
    """Return what finds faces in the frames of a video, and what finds them in photographs.

    Args:
        detector: See `mien.Recognizer`.
        detect_size: See `mien.Recognizer`.
        threads: See `make_detector`.

    Raises:
        ModelError: as `make_detector`.
        SettingError: if there is no such detector or detection size, or the detector has one size
            alone.
        MissingExtraError: if the package with its weights is missing.
    """
    if isinstance(detector, str):
        frames = make_detector(detector, threads=threads)
    elif isinstance(detector, Detector):
        frames = detector
    else:
        raise SettingError(
            f"Found the detector {detector!r}; expected one of {', '.join(('auto', *DETECTORS))}, "
            "or an object with a name and a method detect (mien.Detector)."
        )
    longest_side = sys.maxsize
    if detect_size is not None:
        longest_side = parse_detect_size(detect_size)
        if not isinstance(frames, ResizableDetector):
            raise SettingError(
                f"The detector {frames.name} knows one size alone: leave out the detection size, "
                "or use yunet, haar or mtcnn."
            )
        frames = frames.resized(longest_side)
    if isinstance(frames, YuNetDetector) and (isinstance(detector, str) or detect_size is not None):
        return frames, PhotographDetector(frames, longest_side)
    return frames, frames
