"""What a record amounts to, person by person, gathered row by row so that memory stays flat."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from numpy.typing import NDArray

from mien.core.labels import EMOTIONS
from mien.core.types import Box, FaceEmotion

LONGEST_STEP_MS = 500.0
"""A row stands for the time to the person's next row, but for no longer than this, or than one and
a half frames where frames usually last so long that this is more."""

FINEST_SLICE_MS = 125.0
"""The course of the emotions is kept as sums over slices of this length at first."""

MOST_SLICES = 600
"""Where there would be more, the slices become twice as long, so that memory stays flat."""

MOST_SLICES_A_FRAME = 8
"""Likewise where a frame usually lasts for more slices than these."""

MOMENTS = 8
"""So many of a person's strongest moments are kept."""

_MOMENT_GAP_MS = 2000.0
_PACE_FRAMES = 25
_NEUTRAL = EMOTIONS.index("neutral")
_UNCERTAIN = np.append(np.zeros(len(EMOTIONS)), 1.0)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a person showed an emotion most strongly.

    Attributes:
        frame: Index of the frame.
        timestamp_ms: When, in the source.
        box: Where the face was.
        emotion: What it showed.
        confidence: How probable that was, 0 to 1.
    """

    frame: int
    timestamp_ms: float
    box: Box
    emotion: str
    confidence: float


@dataclass(slots=True, eq=False)
class Person:
    """What one person showed.

    Attributes:
        track_id: The person's number.
        first_ms: When the person was first seen.
        last_ms: When the person was last seen; the time until then is counted.
        rows: How many rows there are.
        shown_ms: (7,) how long each emotion was shown and certain, in milliseconds.
        uncertain_ms: For how long the label was uncertain.
        transitions: (7, 7) how often one certain label followed another: from (row) to (column).
        slices: By the slice's number: (8,) milliseconds; the seven probabilities of certain rows
            and 1 for uncertain ones, each times its duration, summed.
        moments: The strongest certain moments other than neutral, strongest first.
    """

    track_id: int
    first_ms: float
    last_ms: float
    rows: int = 0
    shown_ms: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(EMOTIONS)))
    uncertain_ms: float = 0.0
    transitions: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((len(EMOTIONS), len(EMOTIONS)), np.int64)
    )
    slices: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    _previous: FaceEmotion | None = None
    _label: int | None = None

    @property
    def seen_ms(self) -> float:
        """For how long the person was seen, certain or not."""
        return float(self.shown_ms.sum()) + self.uncertain_ms

    def add(self, face: FaceEmotion, slice_ms: float, longest_step_ms: float) -> None:
        """Take in the person's next row.

        Args:
            face: The row.
            slice_ms: How long the slices are.
            longest_step_ms: For how long the row before it may stand.
        """
        if self._previous is not None:
            end_ms = min(face.timestamp_ms, self.last_ms + longest_step_ms)
            self._count(self._previous, max(end_ms, self.last_ms), slice_ms)
        self._previous = face
        self.rows += 1
        self.last_ms = max(self.last_ms, face.timestamp_ms)
        if face.uncertain:
            return
        label = EMOTIONS.index(face.emotion)
        if self._label is not None and label != self._label:
            self.transitions[self._label, label] += 1
        self._label = label
        if label != _NEUTRAL:
            self._consider(face)

    def merge_slices(self) -> None:
        """Make the slices twice as long."""
        merged: dict[int, NDArray[np.float64]] = {}
        for number, part in self.slices.items():
            merged[number // 2] = merged.get(number // 2, 0) + part
        self.slices = merged

    def _count(self, face: FaceEmotion, end_ms: float, slice_ms: float) -> None:
        """Let a row stand for the time from `last_ms` to `end_ms`, in every slice of it."""
        step_ms = end_ms - self.last_ms
        if face.uncertain:
            self.uncertain_ms += step_ms
            shares = _UNCERTAIN
        else:
            self.shown_ms[EMOTIONS.index(face.emotion)] += step_ms
            shares = np.append(face.probabilities, 0.0)
        for number in range(int(self.last_ms // slice_ms), math.ceil(end_ms / slice_ms)):
            begin_ms = max(number * slice_ms, self.last_ms)
            within_ms = min((number + 1) * slice_ms, end_ms) - begin_ms
            part = self.slices.setdefault(number, np.zeros(len(EMOTIONS) + 1))
            part += shares * within_ms

    def _consider(self, face: FaceEmotion) -> None:
        moment = Moment(face.frame, face.timestamp_ms, face.box, face.emotion, face.confidence)
        rivals = [
            other
            for other in self.moments
            if other.emotion == moment.emotion
            and abs(other.timestamp_ms - moment.timestamp_ms) < _MOMENT_GAP_MS
        ]
        if any(other.confidence >= moment.confidence for other in rivals):
            return
        kept = [other for other in self.moments if other not in rivals]
        kept.append(moment)
        kept.sort(key=lambda other: -other.confidence)
        self.moments = kept[:MOMENTS]


class Summary:
    """What a record amounts to.

    Attributes:
        persons: By number, in the order in which they were first seen.
        rows: How many rows there are.
        frames: How many frames show a face.
        first_ms: The time of the first row; 0 without rows.
        last_ms: The time of the last row; 0 without rows.
        slice_ms: The length of each person's slices.
    """

    def __init__(self) -> None:
        self.persons: dict[int, Person] = {}
        self.rows = 0
        self.frames = 0
        self.first_ms = 0.0
        self.last_ms = 0.0
        self.slice_ms = FINEST_SLICE_MS
        self._frame: int | None = None
        # How long each of the latest frames lasted: memory stays flat, and one pause counts little.
        self._frames_ms: deque[float] = deque(maxlen=_PACE_FRAMES)
        self._frame_ms = 0.0

    def add(self, faces: Iterable[FaceEmotion]) -> None:
        """Take in more rows, in the order of their time."""
        for face in faces:
            if self.rows == 0:
                self.first_ms = face.timestamp_ms
            if face.frame != self._frame:
                self._turn_to(face)
            self.last_ms = max(self.last_ms, face.timestamp_ms)
            self.rows += 1
            person = self.persons.get(face.track_id)
            if person is None:
                person = Person(face.track_id, face.timestamp_ms, face.timestamp_ms)
                self.persons[face.track_id] = person
            self._lengthen_slices()
            person.add(face, self.slice_ms, max(LONGEST_STEP_MS, 1.5 * self._frame_ms))

    def lines(self, most: int = 10) -> list[str]:
        """One line a person: `Person 1: 12.3 s; 61 % happy, 20 % neutral; 8 % uncertain`.

        Args:
            most: Those who were seen the longest, at most so many.
        """
        longest = sorted(self.persons.values(), key=lambda person: -person.seen_ms)
        lines = [_line(person) for person in longest[:most]]
        if len(longest) > most:
            lines.append(f"... and {len(longest) - most} more")
        return lines

    def _turn_to(self, face: FaceEmotion) -> None:
        """Count the frame of `face`, and learn from it how long a frame usually lasts."""
        # Frames in between show no face, or came while the engine was busy.
        passed = face.frame - self._frame if self._frame is not None else 0
        if passed > 0 and face.timestamp_ms > self.last_ms:
            self._frames_ms.append((face.timestamp_ms - self.last_ms) / passed)
            self._frame_ms = median(self._frames_ms)
        self.frames += 1
        self._frame = face.frame

    def _lengthen_slices(self) -> None:
        while (
            self.last_ms >= MOST_SLICES * self.slice_ms
            or self._frame_ms > MOST_SLICES_A_FRAME * self.slice_ms
        ):
            self.slice_ms *= 2
            for person in self.persons.values():
                person.merge_slices()


def _line(person: Person) -> str:
    seconds = f"Person {person.track_id}: {person.seen_ms / 1000:.1f} s"
    if person.seen_ms == 0:
        return seconds
    shares = person.shown_ms / person.seen_ms
    order = np.argsort(-shares)[:3]
    shown = ", ".join(f"{shares[i]:.0%} {EMOTIONS[i]}" for i in order if shares[i] >= 0.005)
    uncertain = person.uncertain_ms / person.seen_ms
    return "; ".join(
        part for part in (seconds, shown, f"{uncertain:.0%} uncertain" if uncertain else "") if part
    )
