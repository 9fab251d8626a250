"""Making faces unrecognisable, for videos that others will see."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box

_MARGIN = 0.25  # of the box, on each side: hair, ears and chin tell people apart too
_TILES = 7  # a face becomes so many colours across: nothing sharpens it again


def blur_faces(image_bgr: NDArray[np.uint8], boxes: Iterable[Box]) -> None:
    """Replace the faces in a picture by a few blurred tiles, in place.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        boxes: Where the faces are, in pixels of that picture.
    """
    height, width = image_bgr.shape[:2]
    for box in boxes:
        left = max(round(box.x - _MARGIN * box.width), 0)
        top = max(round(box.y - _MARGIN * box.height), 0)
        right = min(round(box.right + _MARGIN * box.width), width)
        bottom = min(round(box.bottom + _MARGIN * box.height), height)
        if right <= left or bottom <= top:
            continue
        face = image_bgr[top:bottom, left:right]
        tiles = cv2.resize(face, (_TILES, _TILES), interpolation=cv2.INTER_AREA)
        face[:] = cv2.resize(tiles, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
