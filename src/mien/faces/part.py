"""Faces that were found in a part of a picture: where they lie in the whole, and which are whole.

A face that the edge of a part cuts gives a plausible smaller box around the piece.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mien.core.types import Face

MARGIN = 1 / 4
"""Closer to where a part was cut off than this part of its side, a box may be a piece of a face."""


def moved(face: Face, left: float, top: float) -> Face:
    """Return a face of a part in the pixels of the picture, whose part begins at `left`, `top`."""
    box = replace(face.box, x=face.box.x + left, y=face.box.y + top)
    landmarks = face.landmarks
    if landmarks is not None:
        landmarks = landmarks + np.array([left, top], np.float32)
    return replace(face, box=box, landmarks=landmarks)


def keeps_margin(begin: float, end: float, part_begin: int, part_end: int, whole: int) -> bool:
    """Say whether a box keeps its margin from a part's ends; the picture's own edges need none.

    Args:
        begin: Where the box begins, along one side of the picture, in pixels.
        end: Where it ends.
        part_begin: Where the part begins.
        part_end: Where it ends; beyond the picture where the part is longer.
        whole: The length of the picture's side.
    """
    margin = MARGIN * (end - begin)
    return (part_begin == 0 or begin >= part_begin + margin) and (
        part_end >= whole or end <= part_end - margin
    )
