"""Asking a detector for faces, and checking its answer: it may be somebody's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, replace
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

    NumPy's numbers in boxes and scores become Python's.

    Raises:
        DataError: if it gives something else than faces, or one of their boxes is none.
    """
    faces = detector.detect(image_bgr)
    height, width = image_bgr.shape[:2]
    if not isinstance(faces, Sequence):
        raise _no_faces(detector, type(faces).__name__, width, height)
    found = []
    for face in faces:
        plain = _plain(face)
        if plain is None or not is_box_of_face(plain.box, width, height):
            raise _no_faces(detector, repr(face), width, height)
        found.append(plain)
    return found


def _no_faces(detector: Detector, found: str, width: int, height: int) -> DataError:
    return DataError(
        f"The detector {detector.name} gave {found}; expected a list of mien.Face, whose box is a "
        f"mien.Box in pixels of the picture, which has {width} by {height}, with a width and a "
        "height above 0, whose score is a number, and whose landmarks are None or an array of "
        "numbers, (5, 2)."
    )


def is_box_of_face(box: Box, width: int, height: int) -> bool:
    """Whether a box can be that of a face in a picture of this width and height, in pixels."""
    return (
        math.isfinite(sum((box.x, box.y, box.width, box.height)))
        and min(box.width, box.height) > 0
        and max(box.width, box.height) <= _LARGEST_BOX * max(width, height)
    )


def _plain(face: object) -> Face | None:
    """Return a face in Python's own numbers; None of what is no face."""
    if not isinstance(face, Face) or not isinstance(face.box, Box):
        return None
    numbers = (*astuple(face.box), face.score)
    if not all(isinstance(each, Real) for each in numbers):
        return None
    if face.landmarks is not None and not _are_landmarks(face.landmarks):
        return None
    *box, score = map(float, numbers)
    return replace(face, box=Box(*box), score=score)


def _are_landmarks(landmarks: object) -> bool:
    return (
        isinstance(landmarks, np.ndarray)
        and landmarks.shape == (5, 2)
        and np.issubdtype(landmarks.dtype, np.number)
        and bool(np.isfinite(landmarks).all())
    )
