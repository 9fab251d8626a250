"""One person's track: where the face is, how sure that is, and what it looked like.

A detector's boxes of one face are never quite the same, and some are of a piece of it. Between two
of them the picture's motion carries the box. So a track weighs the two, as a Kalman filter does: it
keeps how far its own box may be off, which grows with motion, and a detection counts the more, the
more that is. A box that contradicts the track outright has to be seen twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box, Face
from mien.faces.likeness import unit
from mien.faces.motion import centre_of


class View(Enum):
    """What of a frame a detector saw."""

    WHOLE = "all of it, at the detector's own size"
    REDUCED = "all of it, smaller: boxes are a little off, each face's by its own measure"
    PART = "a part of it, whose edge may cut a face: a piece of one is no other place of it"


NOISE = {View.WHOLE: 0.03, View.REDUCED: 0.05}
"""By how much a detector's boxes of one face differ, in parts of its size (standard deviation).

YuNet's of a face that is shifted by a few pixels, under noise: 0.5 to 2.7 % at 640 pixels, 0.9 to
3.2 % at 320.
"""

CONTRADICTION = 0.25
"""Further from its track's box than by this part of its size, a detection contradicts it."""

_DRIFT = 0.3  # how far off measured motion may be, in parts of it
_LOST = 1.0  # how far off a box may be, in parts of its size, where the motion was not measured
_EDGE = 0.02  # a box this close to the frame's edge, in parts of its side, is cut by it
_CAME_IN = 0.12  # a box off by more, in parts of its size, grew as the face came into the frame
_OTHER_SIZE = 1.2  # a size that changed by this factor shows a face in another way to a detector
_LOOK_MEMORY = 0.8  # weight of a track's remembered look against the newest one
_LOOKS_MS = 3000.0  # for so long it is known how it looked
_VELOCITY_MS = 400.0  # time constant of a track's mean velocity


class Track:
    """What is known of one person; changed in place from frame to frame.

    Args:
        track_id: The person's number.
        face: The face as it was found.
        look: How it looks; see `mien.faces.likeness.look_of`.
        timestamp_ms: When it was found.
        view: What the detector saw of the frame.
        frame_size: The frame's width and height in pixels.
    """

    def __init__(
        self,
        track_id: int,
        face: Face,
        look: NDArray[np.float32],
        timestamp_ms: float,
        view: View,
        frame_size: tuple[int, int],
    ) -> None:
        self.track_id = track_id
        self.face = face
        self.look = look
        self._looks: deque[tuple[float, NDArray[np.float32]]] = deque([(timestamp_ms, look)])
        self.begun_ms = timestamp_ms
        self.seen_ms = timestamp_ms  # when a detector last found it
        self.seen = face  # where it was then
        self.velocity = np.zeros(2)  # of the centre, in pixels per millisecond
        self.detected = True
        self.visible = True
        self.placed = True  # its place is known or can be guessed from its motion
        self.followed = True  # the picture's motion around it was measured in this frame
        self.replaced = False  # another face turned up in its place at once
        self._error = NOISE[View.WHOLE]  # how far off the box may be, in parts of its size
        self._doubt: NDArray[np.float64] | None = None  # a contradiction, seen once
        # Of this face in reduced pictures, unknown after a detection in a whole one.
        self._offset: NDArray[np.float64] | None = None if view is View.WHOLE else np.zeros(4)
        self._whole_area = face.box.area  # when it was last seen at the detector's own size
        # By the edge of the frame, or perhaps by that of the part which was searched.
        self.is_cut = view is View.PART or _uncut(face.box, face.box, frame_size)[1]
        self.is_shown = False  # its number was given out
        self._looks_cut = self.is_cut  # it has not been seen whole yet

    @property
    def has_changed_size(self) -> bool:
        """Whether it is much larger or smaller than when the detector's own size showed it.

        What is known of its boxes in reduced pictures is of that size.
        """
        growth = np.sqrt(self.face.box.area / self._whole_area)
        return bool(max(growth, 1 / growth) > _OTHER_SIZE)

    def follow(self, shift: NDArray[np.float64], scale: float) -> None:
        """Go along with the picture: (2,) pixels, and the growth of the size."""
        size = np.sqrt(self.face.box.area)
        self._error += _DRIFT * (float(np.hypot(*shift)) / size + abs(np.log(scale)))
        self._move(shift, scale)
        self.followed = True

    def drift(self, elapsed_ms: float) -> None:
        """Go on as before, where the picture's motion is not known."""
        self._move(self.velocity * elapsed_ms)
        self._error = _LOST

    def renew(
        self,
        face: Face,
        look: NDArray[np.float32] | None,
        timestamp_ms: float,
        view: View,
        frame_size: tuple[int, int],
    ) -> None:
        """Take in where a detector found the face.

        Args:
            face: What it found.
            look: How that looks; None where the face is not seen whole.
            timestamp_ms: The frame's time.
            view: What the detector saw of the frame.
            frame_size: The frame's width and height in pixels.
        """
        box = self._place(face.box, view, frame_size) if self.visible else face.box
        if box is None:
            return
        elapsed_ms = timestamp_ms - self.seen_ms
        if not self.visible:
            self.velocity[:] = 0
            self._error, self._doubt, self._offset = NOISE[View.WHOLE], None, None
        elif elapsed_ms > 0:
            measured = (centre_of(box) - centre_of(self.seen.box)) / elapsed_ms
            trust = 1 - np.exp(-elapsed_ms / _VELOCITY_MS)
            self.velocity += trust * (measured - self.velocity)
        if look is not None and self._doubt is None:
            memory = 0.0 if self._looks_cut else _LOOK_MEMORY
            self.look = unit(memory * self.look + (1 - memory) * look)
            self._looks_cut = False
            self._looks.append((timestamp_ms, self.look))
            while self._looks[1][0] <= timestamp_ms - _LOOKS_MS:
                self._looks.popleft()
        self.face = self.seen = _fitted(face, box) if self._doubt is None else self._scored(face)
        self.seen_ms = timestamp_ms
        self.detected = self.visible = self.placed = True
        self.replaced = False
        if view is View.WHOLE:
            self._whole_area = self.face.box.area

    def end_shot(self, dissolved_from_ms: float | None) -> None:
        """Nothing tells where the face is: another shot has begun.

        Args:
            dissolved_from_ms: When the shot was there alone, if the other one came slowly: what the
                face looked like since is partly the other one's.
        """
        self.visible = self.placed = False
        if dissolved_from_ms is not None:
            before = [look for time_ms, look in self._looks if time_ms <= dissolved_from_ms]
            self.look = before[-1] if before else self._looks[0][1]

    def hide(self, timestamp_ms: float) -> None:
        """Guess the place from the last detection: the picture's motion is someone else's."""
        self.face = self.seen
        self._move(self.velocity * (timestamp_ms - self.seen_ms))
        self.visible = False

    def _place(self, found: Box, view: View, frame_size: tuple[int, int]) -> Box | None:
        """Weigh a detection against the track's own box; None if it says nothing of the face."""
        own = self.face.box
        found, is_cut, shows_more = _uncut(found, own, frame_size)
        difference = _difference(own, found)
        came_in = self.is_cut and not is_cut and np.abs(difference).max() > _CAME_IN
        if came_in:
            self._error = _LOST
        if view is View.WHOLE:
            self._offset = None
        elif came_in:
            self._offset = np.zeros(4)
        elif self._offset is None and np.abs(difference).max() <= CONTRADICTION:
            self._offset = difference
        if view is View.REDUCED and self._offset is not None:
            difference = difference - self._offset
        self.is_cut = is_cut
        contradicts = np.abs(difference).max() > CONTRADICTION and self._error < CONTRADICTION
        if contradicts and not shows_more:
            if view is View.REDUCED:
                return None
            if self._doubt is None or np.abs(difference - self._doubt).max() > CONTRADICTION:
                self._doubt = difference
                return own
        if contradicts:
            self._error = _LOST
        self._doubt = None
        gain = self._error**2 / (self._error**2 + NOISE[view] ** 2)
        self._error *= np.sqrt(1 - gain)
        return _displaced(own, gain * difference)

    def _scored(self, face: Face) -> Face:
        return replace(self.face, score=face.score)

    def _move(self, shift: NDArray[np.float64], scale: float = 1.0) -> None:
        box = self.face.box
        width, height = box.width * scale, box.height * scale
        x, y = centre_of(box) + shift
        self.face = _fitted(
            self.face, Box(float(x - width / 2), float(y - height / 2), width, height)
        )


def _uncut(found: Box, own: Box, frame_size: tuple[int, int]) -> tuple[Box, bool, bool]:
    """A box that the frame's edge cuts, as large as its face was, at the edges that are not cut.

    Returns:
        The box, whether it was cut, and whether it shows more of the face than before.
    """
    x, width, cut_across = _uncut_side(found.x, found.width, own.x, own.width, frame_size[0])
    y, height, cut_along = _uncut_side(found.y, found.height, own.y, own.height, frame_size[1])
    shows_more = (cut_across and width > own.width) or (cut_along and height > own.height)
    return Box(x, y, width, height), cut_across or cut_along, shows_more


def _uncut_side(
    begin: float, length: float, own_begin: float, own_length: float, limit: int
) -> tuple[float, float, bool]:
    """Where a box begins in one direction, its length, and whether the frame's edge cuts it."""
    cut_before, cut_behind = begin <= _EDGE * length, begin + length >= limit - _EDGE * length
    is_cut = cut_before or cut_behind
    if not is_cut or length > own_length:
        return begin, length, is_cut
    if cut_before and cut_behind:
        return own_begin, own_length, True
    return (begin + length - own_length if cut_before else begin), own_length, True


def _difference(own: Box, other: Box) -> NDArray[np.float64]:
    """(4,) how far a box is from one's own: its centre, in parts of the size, and log sides."""
    shift = (centre_of(other) - centre_of(own)) / np.sqrt(own.area)
    return np.array([*shift, np.log(other.width / own.width), np.log(other.height / own.height)])


def _displaced(own: Box, difference: NDArray[np.float64]) -> Box:
    """The box that is so far from one's own; see `_difference`."""
    width, height = np.array([own.width, own.height]) * np.exp(difference[2:])
    x, y = centre_of(own) + difference[:2] * np.sqrt(own.area) - np.array([width, height]) / 2
    return Box(float(x), float(y), float(width), float(height))


def _fitted(face: Face, box: Box) -> Face:
    """The face in another box, its landmarks at the same places within it."""
    landmarks = face.landmarks
    if landmarks is not None:
        old = face.box
        scale = np.array([box.width / old.width, box.height / old.height])
        landmarks = ((landmarks - (old.x, old.y)) * scale + (box.x, box.y)).astype(np.float32)
    return replace(face, box=box, landmarks=landmarks)
