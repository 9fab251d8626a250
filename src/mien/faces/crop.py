"""Cutting faces out of a picture, framed as the network's training faces are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.artifact import Framing
from mien.core.preprocess import FER2013_INPUT, NetworkInput
from mien.core.types import Face
from mien.media.image import scale_square


def crop_face(
    image_bgr: NDArray[np.uint8],
    face: Face,
    framing: Framing,
    wanted: NetworkInput = FER2013_INPUT,
) -> NDArray[np.uint8]:
    """Cut one face out as the square that the network reads.

    A face with landmarks is turned upright. Where the square reaches beyond the picture, the
    picture's border is repeated.

    Args:
        image_bgr: (H, W, 3) uint8, BGR.
        face: A face in that picture, in its pixels.
        framing: From the face's box to the square; see `mien.faces.detect.FRAMINGS`.
        wanted: What the network reads.

    Returns:
        (side, side) uint8, grey, 0 is black; (side, side, 3) uint8, RGB, where the network reads
        three channels.
    """
    box = face.box
    side = framing.scale * max(box.width, box.height)
    centre_x = box.x + box.width * (0.5 + framing.offset_x)
    centre_y = box.y + box.height * (0.5 + framing.offset_y)
    colours = cv2.COLOR_BGR2GRAY if wanted.channels == 1 else cv2.COLOR_BGR2RGB
    if face.landmarks is None:
        return _square(image_bgr, centre_x, centre_y, side, wanted.side, colours)
    # The circle around the square holds it at any angle. Twice the size leaves enough detail for
    # turning, after which averaging pixels in fours takes the blur away.
    large = 2 * wanted.side
    around = round(large * math.sqrt(2))
    circle = _square(image_bgr, centre_x, centre_y, side * around / large, around, colours)
    middle = (around - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), _tilt_degrees(face.landmarks), 1.0)
    turn -= np.array([[0.0, 0.0, (around - large) / 2]])
    upright = cv2.warpAffine(circle, turn, (large, large), borderMode=cv2.BORDER_REPLICATE)
    shrunk = cv2.resize(upright, (wanted.side, wanted.side), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, dtype=np.uint8)


def crop_faces(
    image_bgr: NDArray[np.uint8],
    faces: Sequence[Face],
    framing: Framing,
    wanted: NetworkInput = FER2013_INPUT,
) -> NDArray[np.uint8]:
    """Cut several faces out of one picture; see `crop_face`.

    Returns:
        (N, side, side) uint8 grey or (N, side, side, 3) uint8 RGB, in the order of `faces`; N may
        be 0.
    """
    crops = np.empty((len(faces), *wanted.crop_shape), dtype=np.uint8)
    for crop, face in zip(crops, faces, strict=True):
        crop[:] = crop_face(image_bgr, face, framing, wanted)
    return crops


def _tilt_degrees(landmarks: NDArray[np.float32]) -> float:
    """Return how far a face is turned clockwise, in degrees, from its landmarks, (5, 2).

    The line between the eyes is short in a profile, the line from the eyes to the mouth in a face
    that looks up or down: their sum follows the longer one.
    """
    right_eye, left_eye, _, right_mouth, left_mouth = landmarks
    across = left_eye - right_eye
    down = (right_mouth + left_mouth - right_eye - left_eye) / 2
    return math.degrees(math.atan2(across[1] - down[0], across[0] + down[1]))


def _square(
    image_bgr: NDArray[np.uint8],
    centre_x: float,
    centre_y: float,
    side: float,
    size: int,
    colours: int,
) -> NDArray[np.uint8]:
    """Return the square of `side` pixels around a point, as one of `size`, in other colours."""
    pixels = max(round(side), 1)
    left, top = round(centre_x - pixels / 2), round(centre_y - pixels / 2)
    square = _cut(image_bgr, left, top, pixels, colours)
    return scale_square(square, size)


def _cut(
    image_bgr: NDArray[np.uint8], left: int, top: int, side: int, colours: int
) -> NDArray[np.uint8]:
    """Return the square of `side` pixels at (`left`, `top`), the border repeated outside."""
    height, width = image_bgr.shape[:2]
    y, y_end, above, below = _inside(top, side, height)
    x, x_end, before, behind = _inside(left, side, width)
    part = cv2.cvtColor(image_bgr[y:y_end, x:x_end], colours)
    square = cv2.copyMakeBorder(part, above, below, before, behind, cv2.BORDER_REPLICATE)
    return np.asarray(square, dtype=np.uint8)


def _inside(start: int, length: int, limit: int) -> tuple[int, int, int, int]:
    """Return which part of a span lies within 0 to `limit`, and how much before and behind it.

    A span that lies outside altogether keeps the nearest pixel.
    """
    first, end = min(max(start, 0), limit - 1), min(max(start + length, 1), limit)
    before = min(max(-start, 0), length - 1)
    return first, end, before, length - before - (end - first)
