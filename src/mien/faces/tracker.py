"""Follow faces from frame to frame: who is who, and where between two detections.

Detection is the most expensive step of a frame, so it runs on some frames only. On every frame a
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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box, Face
from mien.faces.assign import assign, intersection_over_union
from mien.faces.likeness import look_of, unit
from mien.faces.motion import Motion, centre_of
from mien.faces.track import Track, View

RETURN_MS = 30_000.0
"""How long a face that left is remembered by its look, and may get its old number back."""

_NEAR_OVERLAP = 0.2  # intersection over union from which a followed box and a detection can match
_NEAR_LIKENESS = 0.5  # where the picture changed at once, a face must look at least this much alike
_GUESSED_LIKENESS = 0.1  # a face that turns up where a hidden one is expected may be half hidden
_RETURN_LIKENESS = 0.55  # a face that comes back from nowhere must look at least this much alike
_RETURN_OF_MANY = 0.04  # and the more, for each factor e of those who may come back
_HIDDEN_PART = 0.4  # an undetected face that shares this much with a detected one is behind it
_APART = 0.4  # the landmarks of two faces are this far apart, in parts of the smaller one's size
_CUT_OVERLAP = 0.5  # one that the frame cuts looks like nothing known: its place must be this near
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


class FaceTracker:
    """Follows any number of faces through one video.

    Args:
        keep_ms: How long a face that can be followed is handed out after its last detection; more
            than the time between two detections.
        lost_ms: How long after its last detection a hidden face's place is guessed.
        hands_out_at_once: Hand out a face that comes in as soon as it is found, for those who blur
            what they are handed, though its number may turn out to be that of one who left.
    """

    def __init__(
        self,
        *,
        keep_ms: float = 500.0,
        lost_ms: float = 2500.0,
        hands_out_at_once: bool = False,
    ) -> None:
        self._keep_ms = keep_ms
        self._lost_ms = lost_ms
        self._hands_out_at_once = hands_out_at_once
        self._tracks: list[Track] = []
        self._next_id = 1
        self._now_ms = 0.0
        self._motion = Motion()

    def carry(self, image_bgr: NDArray[np.uint8], timestamp_ms: float) -> bool:
        """Move every known face to where the picture moved it.

        Args:
            image_bgr: (H, W, 3) uint8, the next frame.
            timestamp_ms: Its time in the source, in milliseconds.

        Returns:
            False if a visible face could not be followed, or another shot began, so that a
            detection is called for.
        """
        self._motion.take(image_bgr, timestamp_ms)
        dissolved_from_ms = self._motion.dissolved_from_ms
        same_shot = self._motion.same_shot and dissolved_from_ms is None
        elapsed_ms = max(timestamp_ms - self._now_ms, 0.0)
        self._now_ms = timestamp_ms
        for track in self._tracks:
            track.detected = track.followed = False
            if not same_shot and track.placed:
                track.end_shot(dissolved_from_ms)
        visible = [track for track in self._tracks if track.visible]
        if visible:
            motions = self._motion.follow([track.face.box for track in visible])
            for track, motion in zip(visible, motions, strict=True):
                if motion is not None:
                    track.follow(*motion)
        for track in self._tracks:
            if track.placed and not track.followed:
                track.drift(elapsed_ms)
        self._retire()
        return same_shot and all(track.followed for track in visible)

    def correct(
        self, faces: Sequence[Face], view: View = View.WHOLE, new_from_score: float = 0.0
    ) -> None:
        """Match what a detector found in the frame last carried to, and start new tracks.

        Args:
            faces: All faces of that frame, or of the part of it that the detector saw.
            view: What it saw of it. Faces of a part change nothing of those that are visible.
            new_from_score: Faces below this score start no track, but confirm one that is there
                (as in ByteTrack, Zhang et al. 2022).
        """
        if view is View.PART:
            visible = [track.face.box for track in self._tracks if track.visible]
            faces = [face for face in faces if not any(_shares(face.box, box) for box in visible)]
        looks = [self._look(face.box) for face in faces]
        strangers = self._match(faces, looks, view)
        if view is not View.PART:
            self._hide_covered([faces[i].box for i in strangers])
        known = [track.face for track in self._tracks if track.detected]
        for i in sorted(strangers, key=lambda i: -faces[i].score):
            face = faces[i]
            if face.score < new_from_score or any(_is_one_face(face, other) for other in known):
                continue
            self._tracks.append(
                Track(self._next_id, face, looks[i], self._now_ms, view, self._motion.frame_size)
            )
            self._next_id += 1
            known.append(face)
        self._recognise_returned()
        self._retire()
        self._show()

    def faces(self) -> list[TrackedFace]:
        """The faces that are visible in the frame last carried to, by their number.

        One that comes in at the frame's edge while others are remembered is left out until it is
        seen whole, for it may be one of these; but not for longer than `_NEW_MS`, nor where faces
        are handed out at once.
        """
        visible = (track for track in self._tracks if track.visible and track.is_shown)
        return [
            TrackedFace(track.track_id, track.face, track.detected)
            for track in sorted(visible, key=lambda track: track.track_id)
        ]

    def expects_more(self) -> bool:
        """Whether a face is hidden that may come back where its motion leads."""
        return any(track.placed and not track.visible for track in self._tracks)

    def has_changed_size(self) -> bool:
        """Whether a face changed its size much since it was seen at the detector's own size."""
        return any(track.visible and track.has_changed_size for track in self._tracks)

    def _age_ms(self, track: Track) -> float:
        return self._now_ms - track.seen_ms

    def _match(
        self, faces: Sequence[Face], looks: Sequence[NDArray[np.float32]], view: View
    ) -> list[int]:
        """Renew the tracks that fit one of the faces; return the indices of the other faces.

        Tracks that the picture's motion leads to a face go before those whose place is guessed
        (a cascade, as in Wojke et al. 2017): else one that is hidden takes the face before it.
        """
        left = list(range(len(faces)))
        for is_followed in (True, False):
            tracks = [
                track
                for track in self._tracks
                if track.placed
                and (track.followed and track.visible) is is_followed
                and not (track.visible and view is View.PART)
            ]
            scores = np.array(
                [[self._nearness(track, faces[i], looks[i]) for i in left] for track in tracks]
            ).reshape(len(tracks), len(left))
            pairs = [(tracks[row], left[column]) for row, column in assign(scores)]
            for track, i in pairs:
                clear = self._is_clear(faces[i].box, faces)
                look = looks[i] if clear else None
                track.renew(faces[i], look, self._now_ms, view, self._motion.frame_size)
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
        # Among many who left, somebody looks like a stranger by chance.
        needed = _RETURN_LIKENESS + _RETURN_OF_MANY * np.log(max(len(hidden), 1))
        for row, column in assign(np.where(likeness >= needed, likeness, 0.0)):
            old, track = hidden[row], new[column]
            track.track_id, track.begun_ms = old.track_id, old.begun_ms
            track.look = unit(old.look + track.look)
            self._tracks.remove(old)

    def _nearness(self, track: Track, face: Face, look: NDArray[np.float32]) -> float:
        """How well a face fits a track whose place is known or guessed; 0 where it cannot be."""
        if track.visible and self._is_cut(face.box):
            expected, found = (self._part_inside(box) for box in (track.face.box, face.box))
            overlap = intersection_over_union(expected, found)
            if overlap >= _CUT_OVERLAP:
                return overlap
        likeness = float(track.look @ look)
        if track.followed and track.visible:
            overlap = intersection_over_union(track.face.box, face.box)
            return overlap + 0.3 * max(likeness, 0.0) if overlap >= _NEAR_OVERLAP else 0.0
        if likeness < (_NEAR_LIKENESS if track.visible or track.replaced else _GUESSED_LIKENESS):
            return 0.0
        size = np.sqrt(max(track.face.box.area, face.box.area))
        distance = np.linalg.norm(centre_of(track.face.box) - centre_of(face.box)) / size
        ratio = min(track.face.box.area, face.box.area) / max(track.face.box.area, face.box.area)
        return max(0.0, 1 - float(distance) / 1.5) * (0.5 + likeness) if ratio > 0.3 else 0.0

    def _show(self) -> None:
        """Give out the numbers of new faces that cannot be those of old ones any more."""
        at_once = self._hands_out_at_once or all(track.visible for track in self._tracks)
        for track in self._tracks:
            is_new = self._now_ms - track.begun_ms <= _NEW_MS
            if track.visible and (at_once or not track.is_cut or not is_new):
                track.is_shown = True

    def _is_clear(self, box: Box, faces: Sequence[Face]) -> bool:
        """Whether a face is seen whole: neither the frame nor another face cuts it."""
        return not self._is_cut(box) and not any(
            0 < intersection_over_union(box, face.box) < 1 for face in faces
        )

    def _part_inside(self, box: Box) -> Box:
        """The part of a box that lies in the frame."""
        width, height = self._motion.frame_size
        x, y = max(box.x, 0.0), max(box.y, 0.0)
        return Box(x, y, max(min(box.right, width) - x, 0), max(min(box.bottom, height) - y, 0))

    def _is_cut(self, box: Box) -> bool:
        """Whether a face reaches the edge of the frame, or beyond: detectors end boxes there."""
        width, height = self._motion.frame_size
        return box.x <= 0 or box.y <= 0 or box.right >= width or box.bottom >= height

    def _hide_covered(self, strange: Sequence[Box]) -> None:
        """Take away the faces that were not found and cannot be followed or are behind another.

        Args:
            strange: The boxes that were found and fit no track.
        """
        found = [track.face.box for track in self._tracks if track.detected]
        for track in self._tracks:
            if track.visible and not track.detected:
                box = track.face.box
                if not track.followed or any(_shares(box, other) for other in found):
                    track.replaced = not track.followed and any(_shares(box, it) for it in strange)
                    track.hide(self._now_ms)

    def _retire(self) -> None:
        """Hide the faces that nobody confirmed for long or that left; forget the oldest."""
        width, height = self._motion.frame_size
        for track in self._tracks:
            x, y = centre_of(track.face.box)
            inside = 0 <= x < width and 0 <= y < height
            if track.visible and (self._age_ms(track) > self._keep_ms or not inside):
                track.hide(self._now_ms)
            if self._age_ms(track) > self._lost_ms:
                track.placed = False
        visible = [track for track in self._tracks if track.visible]
        hidden = [
            track
            for track in self._tracks
            if not track.visible and self._age_ms(track) <= RETURN_MS
        ]
        hidden.sort(key=lambda track: track.seen_ms)
        self._tracks = [*hidden[-_REMEMBERED:], *visible]

    def _look(self, box: Box) -> NDArray[np.float32]:
        shrink = self._motion.shrink
        return look_of(
            self._motion.grey, centre_of(box) / shrink, max(box.width, box.height) / shrink
        )


def _shares(one: Box, other: Box) -> bool:
    return one.shared_area(other) > _HIDDEN_PART * min(one.area, other.area)


def _is_one_face(one: Face, other: Face) -> bool:
    """Whether two boxes are of one face: they share much, and no landmarks tell them apart."""
    if not _shares(one.box, other.box):
        return False
    if one.landmarks is None or other.landmarks is None:
        return True
    apart = np.linalg.norm(one.landmarks - other.landmarks, axis=1).mean()
    return bool(apart < _APART * np.sqrt(min(one.box.area, other.box.area)))
