"""FER2013's faces as pictures: a detector expects more around a face than FER2013 leaves."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def surround(face_u8: NDArray[np.uint8], enlargement: int) -> NDArray[np.uint8]:
    """Return a grey face, (48, 48), enlarged, in a border of its mean of half a face's width."""
    large = cv2.resize(face_u8, None, fx=enlargement, fy=enlargement, interpolation=cv2.INTER_CUBIC)
    border_px = border_px_of(enlargement)
    grey = cv2.copyMakeBorder(
        large, *(border_px,) * 4, borderType=cv2.BORDER_CONSTANT, value=float(face_u8.mean())
    )
    return np.asarray(grey, np.uint8)


def border_px_of(enlargement: int) -> int:
    """Return the width of the border on each side, in pixels."""
    return 48 * enlargement // 2


def to_bgr(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a grey picture, (H, W), in colours, (H, W, 3), as detectors take it."""
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
