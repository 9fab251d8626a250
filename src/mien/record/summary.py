"""What a record amounts to, person by person, gathered row by row so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.core.labels import EMOTIONS
from mien.core.types import Box, FaceEmotion

LONGEST_STEP_MS = 500.0
"""A row stands for the time to the person's next row, but for no longer than this."""

FINEST_SLICE_MS = 125.0
"""The course of the emotions is kept as sums over slices of this length at first."""

MOST_SLICES = 600
"""Where there would be more, the slices become twice as long, so that memory stays flat."""

MOMENTS = 8
"""So many of a person's strongest moments are kept."""

_MOMENT_GAP_MS = 2000.0
_NEUTRAL = EMOTIONS.index("neutral")


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
        last_ms: When the person was last seen.
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

    def add(self, face: FaceEmotion, slice_ms: float) -> None:
        """Take in the person's next row; slices are `slice_ms` long."""
        if self._previous is not None:
            step_ms = min(face.timestamp_ms - self._previous.timestamp_ms, LONGEST_STEP_MS)
            self._count(self._previous, max(step_ms, 0.0), slice_ms)
        self._previous = face
        self.rows += 1
        self.last_ms = face.timestamp_ms
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

    def _count(self, face: FaceEmotion, step_ms: float, slice_ms: float) -> None:
        number = int(face.timestamp_ms // slice_ms)
        part = self.slices.setdefault(number, np.zeros(len(EMOTIONS) + 1))
        if face.uncertain:
            self.uncertain_ms += step_ms
            part[-1] += step_ms
        else:
            self.shown_ms[EMOTIONS.index(face.emotion)] += step_ms
            part[:-1] += face.probabilities * step_ms

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

    def add(self, faces: Iterable[FaceEmotion]) -> None:
        """Take in more rows, in the order of their time."""
        for face in faces:
            if self.rows == 0:
                self.first_ms = face.timestamp_ms
            self.last_ms = max(self.last_ms, face.timestamp_ms)
            self.rows += 1
            self.frames += face.frame != self._frame
            self._frame = face.frame
            person = self.persons.get(face.track_id)
            if person is None:
                person = Person(face.track_id, face.timestamp_ms, face.timestamp_ms)
                self.persons[face.track_id] = person
            while self.last_ms >= MOST_SLICES * self.slice_ms:
                self.slice_ms *= 2
                for each in self.persons.values():
                    each.merge_slices()
            person.add(face, self.slice_ms)

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
