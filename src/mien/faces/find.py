"""Asking a detector for faces, and checking its answer: it may be somebody's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.types import Box, Face
from mien.faces.detect import Detector

_LARGEST_BOX = 10
"""Sides of a picture that a face's box may have: nothing but repeated border is beyond."""


def find_faces(detector: Detector, image_bgr: NDArray[np.uint8]) -> list[Face]:
    """Return the faces of a picture, (H, W, 3) uint8 in BGR, as the detector gives them.

    Raises:
        DataError: if it gives something else than faces, or one of their boxes is none.
    """
    faces = detector.detect(image_bgr)
    height, width = image_bgr.shape[:2]
    if not isinstance(faces, Sequence):
        raise _no_faces(detector, type(faces).__name__, width, height)
    for face in faces:
        if not _is_face(face, width, height):
            raise _no_faces(detector, repr(face), width, height)
    return list(faces)


def _no_faces(detector: Detector, found: str, width: int, height: int) -> DataError:
    return DataError(
        f"The detector {detector.name} gave {found}; expected a list of mien.Face, whose box is a "
        f"mien.Box in pixels of the picture, which has {width} by {height}, with a width and a "
        "height above 0, whose score is a number, and whose landmarks are None or an array of "
        "(5, 2)."
    )


def is_box_of_face(box: Box, width: int, height: int) -> bool:
    """Whether a box can be that of a face in a picture of this width and height, in pixels."""
    return (
        math.isfinite(sum((box.x, box.y, box.width, box.height)))
        and min(box.width, box.height) > 0
        and max(box.width, box.height) <= _LARGEST_BOX * max(width, height)
    )


def _is_face(face: object, width: int, height: int) -> bool:
    if not isinstance(face, Face) or not isinstance(face.box, Box):
        return False
    box, landmarks = face.box, face.landmarks
    return (
        all(isinstance(each, Real) for each in (box.x, box.y, box.width, box.height, face.score))
        and is_box_of_face(box, width, height)
        and (landmarks is None or (isinstance(landmarks, np.ndarray) and landmarks.shape == (5, 2)))
    )
