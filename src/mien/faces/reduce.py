"""Making a picture smaller before faces are detected in it, and putting the faces back."""

from __future__ import annotations

import sys
from copy import copy
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SettingError
from mien.core.types import Box, Face

DETECTION_SIDE = 640
"""Pictures are reduced until their longer side is this many pixels, before faces are detected."""

SMALLEST_DETECTION_SIDE = 64
"""Smaller pictures than this show no face."""


def parse_detect_size(detect_size: int | str) -> int:
    """Return the longest side, in pixels, that a user's `detect_size` means.

    Args:
        detect_size: Pixels, or `full` for pictures as large as they are.

    Raises:
        SettingError: if it is neither, or less than `SMALLEST_DETECTION_SIDE`.
    """
    if detect_size == "full":
        return sys.maxsize
    try:
        longest_side = int(detect_size)
    except (ValueError, TypeError, OverflowError):
        longest_side = 0
    if longest_side < SMALLEST_DETECTION_SIDE:
        raise SettingError(
            f"The detection size is {detect_size!r}: expected full, or a number of pixels of at "
            f"least {SMALLEST_DETECTION_SIDE}."
        )
    return longest_side


class Resizable:
    """What detectors share that reduce pictures to a size that can be another one.

    Attributes:
        longest_side: They reduce pictures until their longer side is this many pixels.
    """

    longest_side: int = DETECTION_SIDE

    def resized(self, longest_side: int) -> Self:
        """Return the same detector for another longest side; the two share a network."""
        other = copy(self)
        other.longest_side = longest_side
        return other


def reduce_picture(
    image_bgr: NDArray[np.uint8], longest_side: int, interpolation: int = cv2.INTER_AREA
) -> tuple[NDArray[np.uint8], float]:
    """Return the picture, made smaller if need be, and its scale (at most 1).

    Args:
        image_bgr: (H, W, 3) uint8, BGR.
        longest_side: The longer side that it may have, in pixels.
        interpolation: How to go on from the last halving. `cv2.INTER_LINEAR` takes a tenth of the
            time, and leaves a sharper picture, in which Haar's cascade sees more false faces.
    """
    scale = 1.0
    # Averaging pixels in fours is fast; over other than a whole number of them it is not.
    while max(image_bgr.shape[:2]) >= 2 * longest_side and min(image_bgr.shape[:2]) > 1:
        height, width = (side // 2 for side in image_bgr.shape[:2])
        even = image_bgr[: 2 * height, : 2 * width]
        image_bgr = _resized(even, (width, height), cv2.INTER_AREA)
        scale /= 2
    height, width = image_bgr.shape[:2]
    rest = longest_side / max(height, width)
    if rest >= 1:
        return image_bgr, scale
    size = (max(round(width * rest), 1), max(round(height * rest), 1))
    return _resized(image_bgr, size, interpolation), scale * rest


def _resized(
    image_bgr: NDArray[np.uint8], size: tuple[int, int], interpolation: int
) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(image_bgr, size, interpolation=interpolation), np.uint8)


def enlarged(face: Face, scale: float) -> Face:
    """Return a face of the reduced picture in the pixels of the picture as it was."""
    box, landmarks = face.box, face.landmarks
    if landmarks is not None:
        landmarks = landmarks / np.float32(scale)
    sides = (value / scale for value in (box.x, box.y, box.width, box.height))
    return Face(Box(*sides), face.score, landmarks)


def largest_first(faces: list[Face]) -> list[Face]:
    """Return the faces in the order in which every detector gives them."""
    return sorted(faces, key=lambda face: face.box.area, reverse=True)
