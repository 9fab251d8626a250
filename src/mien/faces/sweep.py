"""Seeking new, small faces in one strip of the picture after another.

Seeking small faces takes a large picture, and so several times as long as a frame may. A strip of
it takes a part of that; after `STRIPS` of them the whole picture has been seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box, Face
from mien.faces.detect import ResizableDetector
from mien.faces.part import keeps_margin, moved

STRIPS = 4

OVERLAP = 1 / 8
"""Neighbouring strips share this part of the longer side: a small face is whole in one of them."""

LARGEST = 1 / 8
"""A face is small up to this part of the longer side; larger ones need no large picture."""


class Sweep:
    """Looks through a video's frames for small faces, a strip in each frame.

    Args:
        detector: What finds faces in the whole picture.
    """

    def __init__(self, detector: ResizableDetector) -> None:
        self._detector = detector
        self._turn = 0

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the small faces that lie within the next strip as a whole.

        Args:
            image_bgr: (H, W, 3) uint8, BGR; the next frame.
        """
        height, width = image_bgr.shape[:2]
        longer = max(height, width)
        length = round(longer * (1 + (STRIPS - 1) * OVERLAP) / STRIPS)
        begin = (longer - length) * self._turn // (STRIPS - 1)
        self._turn = (self._turn + 1) % STRIPS
        across = width >= height
        part = slice(begin, begin + length)
        strip = image_bgr[:, part] if across else image_bgr[part]
        # The strip is seen as large as the detector would see it within the whole picture.
        scale = min(self._detector.longest_side / longer, 1.0)
        side = round(max(strip.shape[:2]) * scale)
        found = self._detector.resized(side).detect(strip)
        left, top = (begin, 0) if across else (0, begin)
        small = [face for face in found if max(face.box.width, face.box.height) <= LARGEST * longer]
        return [
            face
            for face in (moved(one, left, top) for one in small)
            if keeps_margin(*_along(face.box, across), begin, begin + length, longer)
        ]


def _along(box: Box, across: bool) -> tuple[float, float]:
    """Where a box begins and ends along the picture's longer side."""
    return (box.x, box.right) if across else (box.y, box.bottom)
