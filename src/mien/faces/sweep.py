"""Seeking new, small faces in one strip of the picture after another.

Seeking small faces takes a large picture, and so several times as long as a frame may. A strip of
it takes a part of that; after `STRIPS` of them the whole picture has been seen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box, Face
from mien.faces.detect import ResizableDetector

STRIPS = 4

OVERLAP = 1 / 10
"""Neighbouring strips share this part of the longer side: a small face is whole in one of them."""


class Sweep:
    """Looks through a video's frames for small faces, a strip in each frame.

    Args:
        detector: What finds faces in the whole picture.
    """

    def __init__(self, detector: ResizableDetector) -> None:
        self._detector = detector
        self._turn = 0

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces that lie within the next strip as a whole.

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
        shift = np.array([begin, 0] if across else [0, begin])
        return [_moved(face, shift) for face in found if _is_whole(face.box, strip.shape)]


def _moved(face: Face, shift: NDArray[np.int64]) -> Face:
    box = replace(face.box, x=face.box.x + float(shift[0]), y=face.box.y + float(shift[1]))
    landmarks = face.landmarks
    if landmarks is not None:
        landmarks = (landmarks + shift).astype(np.float32)
    return replace(face, box=box, landmarks=landmarks)


def _is_whole(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether a box lies within a strip; one at its edge is a neighbour's, or a large face's."""
    return box.x > 0 and box.y > 0 and box.right < shape[1] and box.bottom < shape[0]
