"""Follow faces from frame to frame: who is who, and where between two detections.

Detection is the dearest step of a frame, so it runs on some frames only. On every frame a
`FaceTracker` carries the boxes it knows along with the picture; where a detection is at hand, it
corrects them by it:

    tracker = FaceTracker()
    for image_bgr, timestamp_ms in frames:
        moved = tracker.carry(image_bgr, timestamp_ms)
        if not moved or detection_is_due:
            tracker.correct(detector.detect(image_bgr))
        for tracked in tracker.faces():
            ...

A track goes through three states. *Visible*: its face is handed out, detected or carried. *Lost*:
the face was hidden or missed; its place is guessed from its last motion, and a detection near
there that looks alike takes it up again. *Gone*: nobody knows where it is; only a face that looks
very much alike gets the old number, every other one gets a new number. Numbers are never reused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box, Face

FLOW_SIDE = 320
"""Pictures are shrunk by a whole factor to about this longer side before motion is measured."""

_GRID = 6  # points per side of the grid that is followed within a face
_GRID_SPAN = 0.7  # the part of the box that the grid covers: its rim is mostly background
_UNIT_GRID = _GRID_SPAN * np.stack(
    np.meshgrid(*2 * [np.linspace(-0.5, 0.5, _GRID)]), axis=-1
).reshape(-1, 2)
_FLOW_MARGIN = 64  # pixels around the points within which their motion is sought
_MIN_POINTS = 18  # with fewer that survive the check, the face counts as not followed
_MAX_RETURN_ERROR = 1.0  # pixels by which a point followed forth and back may miss its start
_MAX_GREY_ERROR = 25.0  # mean difference in grey values between a point's surroundings

_CUT_CORRELATION = 0.5  # two frames whose thumbnails correlate less belong to different shots
_THUMBNAIL = (32, 18)

_LOOK_SIDE = 48
_LOOK_MEMORY = 0.8  # weight of a track's remembered look against the newest one
_VELOCITY_MS = 400.0  # time constant of a track's mean velocity
_NEAR_OVERLAP = 0.2  # intersection over union from which a followed box and a detection can match
_NEAR_LIKENESS = 0.3  # a face that could not be followed must look at least this much alike
_GUESSED_LIKENESS = 0.1  # a face that turns up where a hidden one is expected may be half hidden
_RETURN_LIKENESS = 0.55  # a face that comes back from nowhere must look at least this much alike
_HIDDEN_PART = 0.4  # an undetected face that shares this much with a detected one is behind it
_NEW_MS = 700.0  # for so long a new face is compared with those that left
_REMEMBERED = 64  # tracks that are not visible, at most, so that memory stays flat


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFace:
    """A face in one frame, and whose it is.

    Attributes:
        track_id: The person's number, from 1.
        face: Where the face is; the score is that of its last detection.
        detected: True if a detector found it in this very frame, False if it was carried here.
    """

    track_id: int
    face: Face
    detected: bool


class _Track:
    """What is known of one person; changed in place from frame to frame."""

    def __init__(
        self, track_id: int, face: Face, look: NDArray[np.float32], timestamp_ms: float
    ) -> None:
        self.track_id = track_id
        self.face = face
        self.look = look
        self.begun_ms = timestamp_ms
        self.seen_ms = timestamp_ms  # when a detector last found it
        self.seen = face  # as the detector found it then
        self.velocity = np.zeros(2)  # of the centre, in pixels per millisecond
        self.detected = True
        self.visible = True
        self.placed = True  # its place is known or can be guessed from its motion
        self.followed = True  # the picture's motion around it was measured in this frame

    def move(self, shift: NDArray[np.float64], scale: float = 1.0) -> None:
        centre = _centre(self.face.box)
        size = np.array([self.face.box.width, self.face.box.height]) * scale
        corner = centre + shift - size / 2
        landmarks = self.face.landmarks
        if landmarks is not None:
            landmarks = ((landmarks - centre) * scale + centre + shift).astype(np.float32)
        box = Box(float(corner[0]), float(corner[1]), float(size[0]), float(size[1]))
        self.face = replace(self.face, box=box, landmarks=landmarks)

    def renew(self, face: Face, look: NDArray[np.float32] | None, timestamp_ms: float) -> None:
        elapsed_ms = timestamp_ms - self.seen_ms
        if self.visible and elapsed_ms > 0:
            measured = (_centre(face.box) - _centre(self.seen.box)) / elapsed_ms
            trust = 1 - np.exp(-elapsed_ms / _VELOCITY_MS)
            self.velocity += trust * (measured - self.velocity)
        elif not self.visible:
            self.velocity[:] = 0
        if look is not None:
            self.look = _unit(_LOOK_MEMORY * self.look + (1 - _LOOK_MEMORY) * look)
        self.face = self.seen = face
        self.seen_ms = timestamp_ms
        self.detected = self.visible = self.placed = True

    def hide(self, timestamp_ms: float) -> None:
        """Guess the place from the last detection: the picture's motion is someone else's."""
        self.face = self.seen
        self.move(self.velocity * (timestamp_ms - self.seen_ms))
        self.visible = False


class FaceTracker:
    """Follows any number of faces through one video.

    Args:
        keep_ms: How long a face that can be followed is handed out after its last detection.
        lost_ms: How long after its last detection a hidden face's place is guessed.
        return_ms: How long a face that left is remembered by its look.
    """

    def __init__(
        self,
        *,
        keep_ms: float = 500.0,
        lost_ms: float = 2500.0,
        return_ms: float = 30_000.0,
    ) -> None:
        self._keep_ms = keep_ms
        self._lost_ms = lost_ms
        self._return_ms = return_ms
        self._tracks: list[_Track] = []
        self._next_id = 1
        self._now_ms = 0.0
        self._grey: NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
        self._thumbnail = np.zeros(0, np.float32)
        self._shrink = 1
        self._hog = cv2.HOGDescriptor((_LOOK_SIDE, _LOOK_SIDE), (16, 16), (8, 8), (8, 8), 9)

    def carry(self, image_bgr: NDArray[np.uint8], timestamp_ms: float) -> bool:
        """Move every known face to where the picture moved it.

        Args:
            image_bgr: (H, W, 3) uint8, the next frame.
            timestamp_ms: Its time in the source, in milliseconds.

        Returns:
            False if a visible face could not be followed, or another shot began, so that a
            detection is called for.
        """
        before, thumbnail_before = self._grey, self._thumbnail
        self._grey = self._shrunk_grey(image_bgr)
        self._thumbnail = _thumbnail(self._grey)
        same_shot = before.shape == self._grey.shape and not _is_cut(
            thumbnail_before, self._thumbnail
        )
        elapsed_ms = max(timestamp_ms - self._now_ms, 0.0)
        self._now_ms = timestamp_ms
        for track in self._tracks:
            track.detected = track.followed = False
            if not same_shot:
                track.visible = track.placed = False
        visible = [track for track in self._tracks if track.visible]
        if visible:
            self._follow(visible, before)
        for track in self._tracks:
            if track.placed and not track.followed:
                track.move(track.velocity * elapsed_ms)
        self._retire()
        return same_shot and all(track.followed for track in visible)

    def correct(self, faces: Sequence[Face], new_from_score: float = 0.0) -> None:
        """Match what a detector found in the frame last carried to, and start new tracks.

        Args:
            faces: All faces of that frame.
            new_from_score: Faces below this score start no track, but confirm one that is there
                (as in ByteTrack, Zhang et al. 2022).
        """
        looks = [self._look(face.box) for face in faces]
        strangers = self._match(faces, looks)
        self._hide_covered()
        for i in strangers:
            if faces[i].score < new_from_score:
                continue
            self._tracks.append(_Track(self._next_id, faces[i], looks[i], self._now_ms))
            self._next_id += 1
        self._recognise_returned()
        self._retire()

    def faces(self) -> list[TrackedFace]:
        """The faces that are visible in the frame last carried to, by their number."""
        visible = (track for track in self._tracks if track.visible)
        return [
            TrackedFace(track.track_id, track.face, track.detected)
            for track in sorted(visible, key=lambda track: track.track_id)
        ]

    def expects_more(self) -> bool:
        """Whether a face is hidden that may come back where its motion leads."""
        return any(track.placed and not track.visible for track in self._tracks)

    def _age_ms(self, track: _Track) -> float:
        return self._now_ms - track.seen_ms

    def _match(self, faces: Sequence[Face], looks: Sequence[NDArray[np.float32]]) -> list[int]:
        """Renew the tracks that fit one of the faces; return the indices of the other faces.

        Tracks that the picture's motion leads to a face go before those whose place is guessed
        (a cascade, as in Wojke et al. 2017): else one that is hidden takes the face before it.
        """
        left = list(range(len(faces)))
        for is_followed in (True, False):
            tracks = [
                track
                for track in self._tracks
                if track.placed and (track.followed and track.visible) is is_followed
            ]
            scores = np.array(
                [[_nearness(track, faces[i], looks[i]) for i in left] for track in tracks]
            ).reshape(len(tracks), len(left))
            pairs = [(tracks[row], left[column]) for row, column in assign(scores)]
            for track, i in pairs:
                clear = self._is_clear(faces[i].box, faces)
                track.renew(faces[i], looks[i] if clear else None, self._now_ms)
            left = [i for i in left if i not in {i for _, i in pairs}]
        return left

    def _recognise_returned(self) -> None:
        """Give faces that are new their old number if they look like one that is not visible.

        A face that comes in is cut by the frame at first, so it stays new for a while.
        """
        hidden = [track for track in self._tracks if not track.visible]
        new = [
            track
            for track in self._tracks
            if track.detected and self._now_ms - track.begun_ms <= _NEW_MS
        ]
        likeness = np.array(
            [[float(old.look @ track.look) for track in new] for old in hidden]
        ).reshape(len(hidden), len(new))
        for row, column in assign(np.where(likeness >= _RETURN_LIKENESS, likeness, 0.0)):
            old, track = hidden[row], new[column]
            track.track_id, track.begun_ms = old.track_id, old.begun_ms
            track.look = _unit(old.look + track.look)
            self._tracks.remove(old)

    def _is_clear(self, box: Box, faces: Sequence[Face]) -> bool:
        """Whether a face is seen whole: neither the frame nor another face cuts it."""
        height, width = (side * self._shrink for side in self._grey.shape)
        inside = box.x >= 0 and box.y >= 0 and box.right <= width and box.bottom <= height
        return inside and not any(0 < intersection_over_union(box, face.box) < 1 for face in faces)

    def _hide_covered(self) -> None:
        """Take away the faces that were not found and cannot be followed or are behind another."""
        found = [track.face.box for track in self._tracks if track.detected]
        for track in self._tracks:
            if track.visible and not track.detected:
                box = track.face.box
                if not track.followed or any(_shares(box, other) for other in found):
                    track.hide(self._now_ms)

    def _retire(self) -> None:
        """Hide the faces that nobody confirmed for long or that left; forget the oldest."""
        height, width = (side * self._shrink for side in self._grey.shape)
        for track in self._tracks:
            x, y = _centre(track.face.box)
            inside = 0 <= x < width and 0 <= y < height
            if track.visible and (self._age_ms(track) > self._keep_ms or not inside):
                track.hide(self._now_ms)
            if self._age_ms(track) > self._lost_ms:
                track.placed = False
        remembered = [track for track in self._tracks if self._age_ms(track) <= self._return_ms]
        remembered.sort(key=lambda track: track.seen_ms)
        self._tracks = remembered[-_REMEMBERED:]

    def _follow(self, tracks: Sequence[_Track], before: NDArray[np.uint8]) -> None:
        """Move the tracks by sparse optical flow, checked forth and back (Kalal et al. 2010)."""
        starts = np.concatenate([_grid(track.face.box, self._shrink) for track in tracks])
        ends, good = _flow(before, self._grey, starts)
        for i, track in enumerate(tracks):
            own = slice(i * _GRID**2, (i + 1) * _GRID**2)
            kept = good[own]
            if kept.sum() >= _MIN_POINTS:
                middle, shift, scale = _motion(starts[own][kept], ends[own][kept])
                centre = _centre(track.face.box) / self._shrink
                # `shift` is that of the points' middle; the box's centre grows away from it.
                track.move((shift + (centre - middle) * (scale - 1)) * self._shrink, scale)
                track.followed = True

    def _shrunk_grey(self, image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image_bgr.shape[:2]
        self._shrink = max(1, round(max(height, width) / FLOW_SIDE))
        grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
        if self._shrink == 1:
            return np.asarray(grey, np.uint8)
        size = (max(width // self._shrink, 1), max(height // self._shrink, 1))
        return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _look(self, box: Box) -> NDArray[np.float32]:
        """(900,) float32 of length 1: which way the edges of a face run (Dalal, Triggs 2005)."""
        side = max(box.width, box.height)
        zoom = _LOOK_SIDE * self._shrink / side
        corner = (_centre(box) - side / 2) / self._shrink * zoom
        affine = np.array([[zoom, 0, -corner[0]], [0, zoom, -corner[1]]])
        patch = cv2.warpAffine(
            self._grey, affine, (_LOOK_SIDE, _LOOK_SIDE), borderMode=cv2.BORDER_REPLICATE
        )
        edges = np.asarray(self._hog.compute(patch), np.float32).ravel()
        return _unit(edges - edges.mean())


def assign(scores: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pair rows with columns so that the sum of the pairs' scores is greatest.

    Args:
        scores: (R, C); a score of 0 or less forbids the pair.

    Returns:
        The pairs (row, column), by row; each row and column at most once.
    """
    rows, columns = scores.shape
    if rows > columns:
        return sorted((row, column) for column, row in assign(scores.T))
    # Shortest augmenting paths (Jonker, Volgenant 1987), with a dummy column 0; each row may also
    # stay alone, in a column of its own that scores nothing.
    cost = np.hstack([-np.maximum(scores, 0), np.zeros((rows, rows))])
    width = columns + rows
    row_price, column_price = np.zeros(rows + 1), np.zeros(width + 1)
    row_of = np.zeros(width + 1, int)
    for row in range(1, rows + 1):
        row_of[0] = row
        column = 0
        slack = np.full(width + 1, np.inf)
        came_from = np.zeros(width + 1, int)
        done = np.zeros(width + 1, bool)
        while row_of[column]:
            done[column] = True
            here = row_of[column]
            reduced = cost[here - 1] - row_price[here] - column_price[1:]
            better = ~done[1:] & (reduced < slack[1:])
            slack[1:][better] = reduced[better]
            came_from[1:][better] = column
            nearest = int(np.where(done, np.inf, slack)[1:].argmin()) + 1
            step = slack[nearest]
            row_price[row_of[done]] += step
            column_price[done] -= step
            slack[~done] -= step
            column = nearest
        while column:
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
    pairs = ((int(row_of[column]) - 1, column - 1) for column in range(1, columns + 1))
    return sorted((row, column) for row, column in pairs if row >= 0 and scores[row, column] > 0)


def intersection_over_union(one: Box, other: Box) -> float:
    """The area that two boxes share, as a part of the area that they cover together, 0 to 1."""
    shared = one.shared_area(other)
    return shared / (one.area + other.area - shared) if shared > 0 else 0.0


def _shares(one: Box, other: Box) -> bool:
    return one.shared_area(other) > _HIDDEN_PART * min(one.area, other.area)


def _nearness(track: _Track, face: Face, look: NDArray[np.float32]) -> float:
    """How well a face fits a track whose place is known or guessed; 0 where it cannot be."""
    likeness = float(track.look @ look)
    if track.followed and track.visible:
        overlap = intersection_over_union(track.face.box, face.box)
        return overlap + 0.3 * max(likeness, 0.0) if overlap >= _NEAR_OVERLAP else 0.0
    if likeness < (_NEAR_LIKENESS if track.visible else _GUESSED_LIKENESS):
        return 0.0
    size = np.sqrt(max(track.face.box.area, face.box.area))
    distance = np.linalg.norm(_centre(track.face.box) - _centre(face.box)) / size
    ratio = min(track.face.box.area, face.box.area) / max(track.face.box.area, face.box.area)
    return max(0.0, 1 - float(distance) / 1.5) * (0.5 + likeness) if ratio > 0.3 else 0.0


def _grid(box: Box, shrink: int) -> NDArray[np.float32]:
    """(_GRID², 2) float32: points spread over the middle of a box, in pixels shrunk by `shrink`."""
    grid = _UNIT_GRID * (box.width, box.height) + _centre(box)
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
    spread = np.hypot(*(starts - middle).T)
    moved_spread = np.hypot(*(ends - _median(ends)).T)
    far = spread > _median(spread) / 2
    scale = float(_median(moved_spread[far] / spread[far]))
    return middle, _median(ends - starts), min(max(scale, 0.8), 1.25)


def _median(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The upper median along the first axis; `np.median` takes five times as long."""
    middle = len(values) // 2
    return np.asarray(np.partition(values, middle, axis=0)[middle])


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


def _centre(box: Box) -> NDArray[np.float64]:
    return np.array([box.x + box.width / 2, box.y + box.height / 2])


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector / max(float(np.linalg.norm(vector)), 1e-6)
