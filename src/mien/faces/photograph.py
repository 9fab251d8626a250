"""Finding faces of any size in photographs, however large these are.

A detector that reduces every picture to 640 pixels sees no face of 40 pixels in a photograph of 12
megapixels. A photograph may take longer than a frame of a video, so it is searched at several
sizes, the larger ones in tiles, which bounds the memory. The time grows with the pixels. Where all
of that shows no face, one may fill the picture: a smaller size shows it.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box, Face
from mien.faces.assign import intersection_over_union
from mien.faces.part import keeps_margin, moved
from mien.faces.reduce import DETECTION_SIDE, enlarged, largest_first, reduce_picture
from mien.faces.yunet import YuNetDetector

TILE_SIDE = 1536
"""Side of a tile, in pixels of the size that is searched."""

OVERLAP = 256
"""Neighbouring tiles share this many pixels: a small face is whole in one of them."""

LARGEST = 192
"""Faces up to this many pixels are detected in tiles; the next smaller size shows larger ones."""

CLOSE_UP_SIDE = 320
"""Longer side at which YuNet sees a face that fills the picture; at 640 it is too large."""

SIZE_STEP = 4
"""Each size is this many times as long as the next smaller one."""

SAME_FACE = 0.3
"""Intersection over union from which two boxes are of one face, as within YuNet."""

SAME_FACE_INSIDE = 0.6
"""Part of the smaller box that lies in the other one from which the two are of one face."""


class PhotographDetector:
    """YuNet, for photographs in which faces may be small, or fill the picture.

    Args:
        detector: What finds faces.
        longest_side: The largest size that is searched: photographs are reduced until their longer
            side is this many pixels.
    """

    name = YuNetDetector.name

    def __init__(self, detector: YuNetDetector, longest_side: int) -> None:
        self._yunet = detector
        self._detector = detector.resized(min(longest_side, DETECTION_SIDE))
        self._tiles_detector = detector.resized(TILE_SIDE)
        self._close_up_detector = detector.resized(CLOSE_UP_SIDE)
        self._longest_side = longest_side

    def limited(self, longest_side: int) -> PhotographDetector:
        """Return the same detector, which searches no larger size than this one."""
        return PhotographDetector(self._yunet, min(longest_side, self._longest_side))

    def detect(self, image_bgr: NDArray[np.uint8]) -> list[Face]:
        """Return the faces, the largest first; see `mien.faces.detect.Detector`."""
        faces = self._detector.detect(image_bgr)
        largest = side = min(max(image_bgr.shape[:2]), self._longest_side)
        while side > DETECTION_SIDE:
            sized, scale = reduce_picture(image_bgr, side, cv2.INTER_LINEAR)
            faces += [enlarged(face, scale) for face in self._in_tiles(sized)]
            side //= SIZE_STEP
        if not faces and largest > CLOSE_UP_SIDE:
            faces = self._close_up_detector.detect(image_bgr)
        return largest_first(_without_doubles(faces))

    def _in_tiles(self, image_bgr: NDArray[np.uint8]) -> Iterator[Face]:
        """The small faces that lie within a tile as a whole; those of the overlaps come twice."""
        height, width = image_bgr.shape[:2]
        for top in _tile_starts(height):
            for left in _tile_starts(width):
                tile = image_bgr[top : top + TILE_SIDE, left : left + TILE_SIDE]
                for face in self._tiles_detector.detect(tile):
                    here = moved(face, left, top)
                    box = here.box
                    if (
                        max(box.width, box.height) <= LARGEST
                        and keeps_margin(box.x, box.right, left, left + TILE_SIDE, width)
                        and keeps_margin(box.y, box.bottom, top, top + TILE_SIDE, height)
                    ):
                        yield here


def _tile_starts(side: int) -> list[int]:
    """Where the tiles begin that cover a side, evenly spread, in pixels."""
    count = max(-(-(side - OVERLAP) // (TILE_SIDE - OVERLAP)), 1)
    last = max(side - TILE_SIDE, 0)
    return [last * n // max(count - 1, 1) for n in range(count)]


def _without_doubles(faces: list[Face]) -> list[Face]:
    """Of boxes of the same face, the one with the best score."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: face.score, reverse=True):
        if not any(_is_same(face.box, other.box) for other in kept):
            kept.append(face)
    return kept


def _is_same(box: Box, other: Box) -> bool:
    is_inside = box.shared_area(other) > SAME_FACE_INSIDE * min(box.area, other.area)
    return is_inside or intersection_over_union(box, other) > SAME_FACE
