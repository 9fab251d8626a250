"""BlazeFace (Bazarevsky et al. 2019), the face detector of MediaPipe, run by OpenCV.

It is the fastest, and sees faces only that are large in the picture: it reads 128 × 128 pixels.
Its file belongs to MediaPipe's package up to 0.10.21, which would change OpenCV and NumPy if it
were installed beside mien; `docs/engine.md` says how to take the file alone.
"""

from __future__ import annotations

import threading

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.core.types import Box, Face
from mien.faces.models import read_blazeface
from mien.faces.reduce import largest_first

BLAZEFACE_SCORE = 0.5
"""Boxes below this score are no faces; MediaPipe's own default."""

_SIDE = 128
_OVERLAP = 0.3  # intersection over union from which two boxes are of one face


def _anchor_centres() -> NDArray[np.float32]:
    """(896, 2): where each of the network's answers is about, in parts of the picture."""
    centres = []
    for cells, answers in ((16, 2), (8, 6)):
        y, x = np.divmod(np.arange(cells * cells), cells)
        grid = (np.stack([x, y], axis=1) + 0.5) / cells
        centres.append(grid.repeat(answers, axis=0))
    return np.concatenate(centres).astype(np.float32)


_CENTRES = _anchor_centres()


class BlazeFaceDetector:
    """MediaPipe's face detector for faces within two metres of the camera.

    It gives both eyes, the nose and the middle of the mouth, which stands for both its corners.

    Raises:
        ModelError: if there is no such file, or it is another one.
    """

    name = "mediapipe"

    def __init__(self) -> None:
        content = np.frombuffer(read_blazeface(), np.uint8)
        self._lock = threading.Lock()  # OpenCV's network keeps its input
        try:
            self._network = cv2.dnn.readNetFromTFLite(content)
        except cv2.error as error:
            raise ModelError(f"OpenCV {cv2.__version__} cannot read BlazeFace: {error}") from None

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces, the largest first; see `mien.faces.detect.Detector`."""
        side = max(image_bgr.shape[:2])
        pixels = cv2.dnn.blobFromImage(
            _square(image_bgr), 1 / 127.5, (_SIDE, _SIDE), (127.5,) * 3, swapRB=True
        )
        with self._lock:
            self._network.setInput(pixels)
            answers, odds = self._network.forward(("regressors", "classificators"))
        scores = 1 / (1 + np.exp(-np.clip(odds[0, :, 0], -80, 80)))
        good = scores >= BLAZEFACE_SCORE
        scores = scores[good]
        # An answer: the box's centre and size, then six points; x and y, in pixels of 128.
        pairs = answers[0, good].reshape(-1, 8, 2) / _SIDE
        pairs[:, 0] += _CENTRES[good]
        pairs[:, 2:] += _CENTRES[good][:, None]
        pairs *= side
        corners = pairs[:, 0] - pairs[:, 1] / 2
        boxes = np.hstack([corners, pairs[:, 1]]).tolist()
        kept = cv2.dnn.NMSBoxes(boxes, scores.tolist(), BLAZEFACE_SCORE, _OVERLAP)
        faces = [
            Face(
                Box(*boxes[i]),
                score=float(scores[i]),
                landmarks=pairs[i, [2, 3, 4, 5, 5]].astype(np.float32),
            )
            for i in np.ravel(kept).astype(int)
        ]
        return largest_first(faces)


def _square(image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture shrunk to fit the network, black to the right of it and below."""
    height, width = image_bgr.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    square = np.zeros((_SIDE, _SIDE, 3), np.uint8)
    square[: size[1], : size[0]] = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA)
    return square
