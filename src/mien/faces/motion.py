"""How faces move from one frame to the next, and where another shot begins."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box

FLOW_SIDE = 320
"""Pictures are shrunk by a whole factor to about this longer side before motion is measured."""

_GRID = 6  # points per side of the grid that is followed within a face
_GRID_SPAN = 0.7  # the part of the box that the grid covers: its rim is mostly background
_UNIT_GRID = _GRID_SPAN * np.stack(
    np.meshgrid(*2 * [np.linspace(-0.5, 0.5, _GRID)]), axis=-1
).reshape(-1, 2)
_FLOW_MARGIN = 64  # pixels around the points within which their motion is searched
_MIN_POINTS = 18  # with fewer that survive the check, the face counts as not followed
_MAX_RETURN_ERROR = 1.0  # pixels by which a point followed forth and back may miss its start
_MAX_GREY_ERROR = 25.0  # mean difference in grey values between a point's surroundings

_CUT_CORRELATION = 0.5  # two frames whose thumbnails correlate less belong to different shots
_THUMBNAIL = (32, 18)

_DISSOLVE_MS = 2500.0  # one shot goes over into the next within less than this
_SETTLED_MS = 200.0  # for so long the next shot has to be there alone
_THUMBNAIL_MS = 90.0  # of thumbnails closer in time than this one is kept
_LEFT_OVER = 0.06  # where less of the first shot is left in a thumbnail, it is over
_NEITHER = 0.1  # a mixture of two shots has less than this part that is of neither


class Motion:
    """Measures motion between the frames of one video, the newest and the one before it.

    Attributes:
        grey: (h, w) uint8, the newest frame, shrunk.
        shrink: By what whole factor.
        same_shot: Whether the newest frame goes on from the one before it.
        dissolved_from_ms: Where one shot has just faded into another, a time when only the first
            was there; else None.
    """

    def __init__(self) -> None:
        self.grey: NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
        self.shrink = 1
        self.same_shot = False
        self.dissolved_from_ms: float | None = None
        self._before = self.grey
        self._shape = (0, 0)
        self._thumbnail = np.zeros(0, np.float32)
        self._lately: deque[tuple[float, NDArray[np.float32]]] = deque()

    @property
    def frame_size(self) -> tuple[int, int]:
        """Width and height of the newest frame in its own pixels, all but exactly."""
        height, width = self.grey.shape
        return width * self.shrink, height * self.shrink

    def take(self, image_bgr: NDArray[np.uint8], timestamp_ms: float) -> None:
        """Take in the next frame, (H, W, 3) uint8, BGR, and its time."""
        self._before, thumbnail_before, shape_before = self.grey, self._thumbnail, self._shape
        self._shrink(image_bgr)
        self._shape = image_bgr.shape[:2]
        self._thumbnail = _thumbnail(self.grey)
        # Pictures of two sizes may shrink to one; boxes are in pixels of the whole.
        self.same_shot = shape_before == self._shape and not _is_cut(
            thumbnail_before, self._thumbnail
        )
        self._look_for_dissolve(timestamp_ms)

    def follow(self, boxes: Sequence[Box]) -> list[tuple[NDArray[np.float64], float] | None]:
        """How far the centre of each box moved, in pixels, and how its size grew.

        By sparse optical flow, checked forth and back (Kalal et al. 2010); None where too few
        points could be followed.
        """
        starts = np.concatenate([_grid(box, self.shrink) for box in boxes])
        ends, good = _flow(self._before, self.grey, starts)
        motions: list[tuple[NDArray[np.float64], float] | None] = []
        for i, box in enumerate(boxes):
            own = slice(i * _GRID**2, (i + 1) * _GRID**2)
            kept = good[own]
            if kept.sum() < _MIN_POINTS:
                motions.append(None)
                continue
            middle, shift, scale = _motion(starts[own][kept], ends[own][kept])
            # `shift` is that of the points' middle; the box's centre grows away from it.
            away = centre_of(box) / self.shrink - middle
            motions.append(((shift + away * (scale - 1)) * self.shrink, scale))
        return motions

    def _look_for_dissolve(self, now_ms: float) -> None:
        """See whether one shot has faded into another, which no two frames in a row tell.

        Where the camera moves instead, what is seen in between is of neither end.
        """
        lately = self._lately
        if not self.same_shot or (lately and now_ms < lately[-1][0]):
            lately.clear()
        while len(lately) > 1 and lately[1][0] <= now_ms - _DISSOLVE_MS:
            lately.popleft()
        self.dissolved_from_ms = None
        if lately and _is_cut(lately[0][1], self._thumbnail):
            settled = sum(time_ms <= now_ms - _SETTLED_MS for time_ms, _ in lately)
            between = np.array([thumbnail for _, thumbnail in lately])
            if settled > 1 and _is_dissolve(between, self._thumbnail, settled - 1):
                self.dissolved_from_ms = lately[0][0]
                lately.clear()
        if not lately or now_ms - lately[-1][0] >= _THUMBNAIL_MS:
            lately.append((now_ms, self._thumbnail))

    def _shrink(self, image_bgr: NDArray[np.uint8]) -> None:
        height, width = image_bgr.shape[:2]
        self.shrink = max(1, round(max(height, width) / FLOW_SIDE))
        grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
        if self.shrink > 1:
            size = (max(width // self.shrink, 1), max(height // self.shrink, 1))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        self.grey = np.asarray(grey, np.uint8)


def centre_of(box: Box) -> NDArray[np.float64]:
    """(2,) x and y of a box's centre."""
    return np.array([box.x + box.width / 2, box.y + box.height / 2])


def _grid(box: Box, shrink: int) -> NDArray[np.float32]:
    """(_GRID², 2) float32: points spread over the middle of a box, in pixels shrunk by `shrink`."""
    grid = _UNIT_GRID * (box.width, box.height) + centre_of(box)
    return (grid / shrink).astype(np.float32)


def _flow(
    before: NDArray[np.uint8], after: NDArray[np.uint8], points: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where (P, 2) points of one picture are in the next, and which of them are to be trusted."""
    # The pictures' pyramids are most of the work: build them of the part that matters only.
    left, top = np.maximum(points.min(axis=0).astype(int) - _FLOW_MARGIN, 0)
    right, bottom = points.max(axis=0).astype(int) + _FLOW_MARGIN
    before, after = before[top:bottom, left:right], after[top:bottom, left:right]
    if before.size == 0:  # every face is beyond the edge
        return points, np.zeros(len(points), bool)
    offset = np.array([left, top], np.float32)
    starts = points - offset
    ends, found, error = _lucas_kanade(before, after, starts)
    returned, found_back, _ = _lucas_kanade(after, before, ends)
    stray = returned - starts
    good = found & found_back & (error < _MAX_GREY_ERROR)
    good &= np.einsum("pi,pi->p", stray, stray) < _MAX_RETURN_ERROR**2
    return ends + offset, good


def _lucas_kanade(
    before: NDArray[np.uint8], after: NDArray[np.uint8], points: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    """Where (P, 2) points of one picture are in the next; if they were found; the grey error."""
    moved, found, error = cv2.calcOpticalFlowPyrLK(
        before, after, points, np.empty_like(points), winSize=(11, 11), maxLevel=3
    )
    return np.asarray(moved, np.float32), found.ravel() == 1, np.asarray(error.ravel(), np.float32)


def _motion(
    starts: NDArray[np.float32], ends: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """The middle of (P, 2) points, its shift, and by how much they spread, against outliers."""
    middle = _median(starts)
    shift = _median(ends - starts)
    offsets = starts - middle
    reach = np.einsum("pi,pi->p", offsets, offsets)
    far = reach > _median(reach) / 4
    # Along its own direction noise moves a point as often inwards as outwards: it favours no scale.
    along = np.einsum("pi,pi->p", offsets, ends - middle - shift)
    # Of a face of less than a pixel, all points may be one.
    scale = float(_median(along[far] / reach[far])) if far.any() else 1.0
    return middle, shift, min(max(scale, 0.8), 1.25)


def _median(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median along the first axis; `np.median` takes several times as long."""
    below, above = (len(values) - 1) // 2, len(values) // 2
    ordered = np.partition(values, (below, above), axis=0)
    return np.asarray((ordered[below] + ordered[above]) / 2)


def _thumbnail(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(_THUMBNAIL) float32, flat: the picture in a few pixels, their mean taken away."""
    # Averaging over other than a whole number of pixels would take ten times as long.
    coarse = cv2.resize(grey, (4 * _THUMBNAIL[0], 4 * _THUMBNAIL[1]))
    small = cv2.resize(coarse, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
    centred: NDArray[np.float32] = small.ravel() - small.mean()
    return centred


def _is_cut(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Whether another shot begins: a moving camera changes a thumbnail little."""
    # Two flat pictures are alike: the constant keeps noise on a dark lens from being a cut.
    alike = before @ after + 1000
    return bool(alike < _CUT_CORRELATION * np.sqrt((before @ before) * (after @ after)))


def _is_dissolve(earlier: NDArray[np.float32], newest: NDArray[np.float32], settled: int) -> bool:
    """Whether (N, P) thumbnails mix the first of them and the newest, and the first is over.

    Args:
        earlier: The thumbnails before the newest one, the oldest first.
        newest: (P,) the newest one.
        settled: The number of the one from which on the first shot must be over.
    """
    ends = np.stack([earlier[0], newest])
    # Least squares; two thumbnails as different as a cut's are not parallel.
    shares = np.linalg.solve(ends @ ends.T, ends @ earlier.T).T
    neither = ((earlier - shares @ ends) ** 2).sum(axis=1)
    # Black between the two is of neither, and of next to nothing at all.
    whole = np.maximum((earlier**2).sum(axis=1), np.square(ends).sum(axis=1).min())
    return bool((neither < _NEITHER * whole).all() and abs(shares[settled, 0]) < _LEFT_OVER)
