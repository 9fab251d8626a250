"""Cutting faces out of a picture, framed as the network's training faces are."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.artifact import Framing
from mien.core.preprocess import FACE_SIZE
from mien.core.types import Face

FRAMINGS = MappingProxyType(
    {
        "haar": Framing(scale=1.05, offset_x=0.0, offset_y=0.0),
        "yunet": Framing(scale=0.97, offset_x=0.0, offset_y=-0.01),
    }
)
"""How FER2013 frames a face, relative to the box of each detector.

The medians over FER2013's training faces, as `benchmarks/measure_framing.py` prints them.
"""


def crop_face(image_bgr: NDArray[np.uint8], face: Face, framing: Framing) -> NDArray[np.uint8]:
    """Cut one face out as the grey square that the network reads.

    Where the square reaches beyond the picture, the picture's border is repeated.

    Args:
        image_bgr: (H, W, 3) uint8, BGR.
        face: A face in that picture, in its pixels.
        framing: From the face's box to the square; see `FRAMINGS`.

    Returns:
        (48, 48) uint8, 0 is black.
    """
    box = face.box
    side = max(round(framing.scale * max(box.width, box.height)), 1)
    left = round(box.x + box.width * (0.5 + framing.offset_x) - side / 2)
    top = round(box.y + box.height * (0.5 + framing.offset_y) - side / 2)
    square = _cut(image_bgr, left, top, side)
    grey = cv2.cvtColor(square, cv2.COLOR_BGR2GRAY)
    shrinks = side > FACE_SIZE
    resized = cv2.resize(
        grey,
        (FACE_SIZE, FACE_SIZE),
        # INTER_LINEAR skips pixels when it shrinks by more than two, and so makes up edges.
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return np.asarray(resized, dtype=np.uint8)


def crop_faces(
    image_bgr: NDArray[np.uint8], faces: Sequence[Face], framing: Framing
) -> NDArray[np.uint8]:
    """Cut several faces out of one picture; see `crop_face`.

    Returns:
        (N, 48, 48) uint8, in the order of `faces`; N may be 0.
    """
    crops = np.empty((len(faces), FACE_SIZE, FACE_SIZE), dtype=np.uint8)
    for crop, face in zip(crops, faces, strict=True):
        crop[:] = crop_face(image_bgr, face, framing)
    return crops


def _cut(image_bgr: NDArray[np.uint8], left: int, top: int, side: int) -> NDArray[np.uint8]:
    """Return the square of `side` pixels at (`left`, `top`), the border repeated outside."""
    height, width = image_bgr.shape[:2]
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return image_bgr[top : top + side, left : left + side]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    return image_bgr[np.ix_(rows, columns)]
