"""What a record amounts to, person by person, gathered row by row so that memory stays flat."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
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
_MOST_NAMED = 3
_NEUTRAL = "neutral"


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


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a person, or everyone in a clip, showed on the whole.

    It is the mean of the probabilities over the time in which the label was certain: uncertain
    faces have no say. With a network over time it is what that says of all that a person showed;
    it has learnt what a doubtful moment is worth.

    Attributes:
        labels: What the network tells apart.
        probabilities: (C,) float64, in the order of `labels`; sums to 1.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]

    @property
    def emotion(self) -> str:
        """The most probable label."""
        return self.labels[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        """Its probability, 0 to 1."""
        return float(self.probabilities.max())

    def document(self) -> dict[str, Any]:
        """The answer as JSON values: `emotion`, `confidence` and `probabilities` by label."""
        return {
            "emotion": self.emotion,
            "confidence": round(self.confidence, 4),
            "probabilities": _by_label(self.labels, self.probabilities),
        }


@dataclass(slots=True, eq=False)
class Person:
    """What one person showed.

    Attributes:
        track_id: The person's number.
        labels: What the network tells apart.
        first_ms: When the person was first seen.
        last_ms: When the person was last seen; the time until then is counted.
        rows: How many rows there are.
        shown_ms: (C,) how long each emotion was shown and certain, in milliseconds.
        uncertain_ms: For how long the label was uncertain.
        transitions: (C, C) how often one certain label followed another: from (row) to (column).
        slices: By the slice's number: (C + 1,) milliseconds; the probabilities of certain rows
            and 1 for uncertain ones, each times its duration, summed.
        moments: The strongest certain moments other than neutral, strongest first.
    """

    track_id: int
    labels: tuple[str, ...]
    first_ms: float
    last_ms: float
    rows: int = 0
    shown_ms: NDArray[np.float64] = field(init=False)
    uncertain_ms: float = 0.0
    transitions: NDArray[np.int64] = field(init=False)
    slices: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    _previous: FaceEmotion | None = None
    _certain: FaceEmotion | None = None  # the latest row that was
    _whole: NDArray[np.float32] | None = None  # what a network over time said last of all so far

    def __post_init__(self) -> None:
        count = len(self.labels)
        self.shown_ms = np.zeros(count)
        self.transitions = np.zeros((count, count), np.int64)

    @property
    def was_certain(self) -> bool:
        """Whether a label was certain at least once: what never was may be no face at all."""
        return self._certain is not None

    @property
    def certain_ms(self) -> float:
        """For how long the label was certain."""
        return float(self.shown_ms.sum())

    @property
    def answer(self) -> Answer | None:
        """What the person showed on the whole; None for who never was certain.

        Who was certain for a moment alone showed what the last such row says.
        """
        if self._certain is None:
            return None
        if self._whole is not None:
            whole = self._whole.astype(np.float64)
            return Answer(self.labels, whole / whole.sum())
        summed = sum(self.slices.values(), np.zeros(len(self.labels) + 1))[:-1]
        if summed.sum() == 0:
            summed = self._certain.probabilities.astype(np.float64)
        return Answer(self.labels, summed / summed.sum())

    @property
    def seen_ms(self) -> float:
        """For how long the person was seen, certain or not."""
        return self.certain_ms + self.uncertain_ms

    @property
    def shares(self) -> NDArray[np.float64]:
        """(8,) the part of the time of each emotion, and then that of uncertain labels; sums to 1.

        Who was seen for a moment alone showed in all of it what the last row says.
        """
        parts_ms = np.append(self.shown_ms, self.uncertain_ms)
        if self.seen_ms > 0:
            return parts_ms / self.seen_ms
        face = self._previous
        assert face is not None
        parts_ms[-1 if face.uncertain else self.labels.index(face.emotion)] = 1.0
        return parts_ms

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
        self._whole = face.whole_probabilities
        self.rows += 1
        self.last_ms = max(self.last_ms, face.timestamp_ms)
        if face.uncertain:
            return
        if self._certain is not None and face.emotion != self._certain.emotion:
            before, after = map(self.labels.index, (self._certain.emotion, face.emotion))
            self.transitions[before, after] += 1
        self._certain = face
        if face.emotion != _NEUTRAL:
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
            shares = np.append(np.zeros(len(self.labels)), 1.0)
        else:
            self.shown_ms[self.labels.index(face.emotion)] += step_ms
            shares = np.append(face.probabilities, 0.0)
        for number in range(int(self.last_ms // slice_ms), math.ceil(end_ms / slice_ms)):
            begin_ms = max(number * slice_ms, self.last_ms)
            within_ms = min((number + 1) * slice_ms, end_ms) - begin_ms
            part = self.slices.setdefault(number, np.zeros(len(self.labels) + 1))
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
        tracks: Whatever was followed as a face, by number, in the order of the first sight.
        rows: How many rows there are.
        frames: How many frames show a face.
        first_ms: The time of the first row; 0 without rows.
        last_ms: The time of the last row; 0 without rows.
        slice_ms: The length of each person's slices.
        labels: What the network tells apart; empty without rows.
        readings: The names of the readings that the probabilities are; empty where no row says.
        networks_over_time: SHA-256 of the networks over time that the answers are of; empty where
            there was none.

    Args:
        every_ms: The time between the frames that were looked at on purpose; 0 for all frames.
    """

    def __init__(self, *, every_ms: float = 0.0) -> None:
        self._every_ms = every_ms
        self.labels: tuple[str, ...] = ()
        self.readings: set[str] = set()
        self.networks_over_time: set[str] = set()
        self.tracks: dict[int, Person] = {}
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
        """Take in more rows, in the order of their time.

        Raises:
            DataError: if they are of different networks, which tell different things apart.
        """
        for face in faces:
            if self.rows == 0:
                self.first_ms = face.timestamp_ms
                self.labels = face.labels
            if face.labels != self.labels:
                raise DataError(
                    f"The record has rows with the labels {', '.join(self.labels)} and rows with "
                    f"{', '.join(face.labels)}; expected those of one network."
                )
            if face.reading is not None:
                self.readings.add(face.reading)
            if face.temporal_sha256 is not None:
                self.networks_over_time.add(face.temporal_sha256)
            if face.frame != self._frame:
                self._turn_to(face)
            self.last_ms = max(self.last_ms, face.timestamp_ms)
            self.rows += 1
            person = self.tracks.get(face.track_id)
            if person is None:
                person = Person(face.track_id, self.labels, face.timestamp_ms, face.timestamp_ms)
                self.tracks[face.track_id] = person
            self._lengthen_slices()
            between_ms = max(self._frame_ms, self._every_ms)
            person.add(face, self.slice_ms, max(LONGEST_STEP_MS, 1.5 * between_ms))

    @property
    def persons(self) -> dict[int, Person]:
        """The tracks that were certain at least once, by number.

        A detector takes a pattern on a wall for a face now and then, and follows it; the gate calls
        it uncertain throughout. It stays in the record, but it is nobody.
        """
        return {number: track for number, track in self.tracks.items() if track.was_certain}

    @property
    def answer(self) -> Answer | None:
        """What everyone showed on the whole; None where nobody was certain.

        A person counts for as long as the label was certain; where everyone was for a moment
        alone, all count the same.
        """
        persons = list(self.persons.values())
        answers = [answer for person in persons if (answer := person.answer) is not None]
        if not answers:
            return None
        weights = [person.certain_ms for person in persons]
        each = np.array([answer.probabilities for answer in answers])
        return Answer(
            self.labels, np.average(each, axis=0, weights=weights if any(weights) else None)
        )

    def document(self) -> dict[str, Any]:
        """The summary as JSON values: the clip's answer, and each person's, the longest seen first.

        `emotion`, `confidence` and `probabilities` are null where nobody was certain; `shares` are
        parts of the time in which the person was seen, and sum to 1 with `uncertain_share`.
        """
        nothing = dict.fromkeys(("emotion", "confidence", "probabilities"))
        answer = self.answer
        return {
            "first_ms": round(self.first_ms, 3),
            "last_ms": round(self.last_ms, 3),
            "frames_with_a_face": self.frames,
            "readings": sorted(self.readings),
            "networks_over_time": sorted(self.networks_over_time),
            "labels": list(self.labels),
            **(nothing if answer is None else answer.document()),
            "persons": [_person_document(person) for person in self._longest_seen()],
            "never_certain": len(self.tracks) - len(self.persons),
        }

    def answer_line(self) -> str | None:
        """The answer in a line: `The whole clip: happy, 71% on average`; None without one.

        With a network over time the line names it by the first digits of its SHA-256.
        """
        answer = self.answer
        if answer is None:
            return None
        how = "on average"
        if self.networks_over_time:
            names = ", ".join(sha256[:12] for sha256 in sorted(self.networks_over_time))
            how = f"by the network over time {names}"
        return f"The whole clip: {answer.emotion}, {answer.confidence:.0%} {how}"

    def lines(self, most: int = 10) -> list[str]:
        """One line a person, and then what is to be known besides.

        `Person 1: happy (58%); 12.3 s; 61% happy, 20% neutral, 11% other; 8% uncertain`: the
        person's answer with its confidence, for how long the person was seen, and the parts of
        that time.

        Args:
            most: Those who were seen the longest, at most so many.
        """
        longest = self._longest_seen()
        lines = [_line(person) for person in longest[:most]]
        if len(longest) > most:
            lines.append(f"... and {len(longest) - most} more")
        nobody = len(self.tracks) - len(longest)
        if nobody:
            lines.append(
                f"({nobody} that may be no {'face' if nobody == 1 else 'faces'}: never certain)"
            )
        return lines

    def _longest_seen(self) -> list[Person]:
        return sorted(self.persons.values(), key=lambda person: -person.seen_ms)

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
            for person in self.tracks.values():
                person.merge_slices()


def apportion(shares: NDArray[np.float64], total: int) -> list[int]:
    """Return shares as whole numbers that add up to a total, by the largest remainders.

    Args:
        shares: They sum to 1.
        total: 100 for whole per cent, 1,000 for tenths of them.
    """
    exact = total * shares
    whole = np.floor(exact).astype(int)
    rest = total - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:rest]] += 1
    return [int(number) for number in whole]


def _by_label(labels: tuple[str, ...], values: NDArray[np.float64]) -> dict[str, float]:
    return {label: round(float(value), 4) for label, value in zip(labels, values, strict=True)}


def _person_document(person: Person) -> dict[str, Any]:
    answer = person.answer
    assert answer is not None
    return {
        "track_id": person.track_id,
        "first_ms": round(person.first_ms, 3),
        "last_ms": round(person.last_ms, 3),
        "seen_ms": round(person.seen_ms, 3),
        **answer.document(),
        "shares": _by_label(person.labels, person.shares[:-1]),
        "uncertain_share": round(float(person.shares[-1]), 4),
    }


def _line(person: Person) -> str:
    *shown, uncertain = apportion(person.shares, 100)
    order = sorted(range(len(shown)), key=lambda index: -shown[index])
    named = [
        f"{shown[index]}% {person.labels[index]}" for index in order[:_MOST_NAMED] if shown[index]
    ]
    if other := sum(shown[index] for index in order[_MOST_NAMED:]):
        named.append(f"{other}% other")
    answer = person.answer
    assert answer is not None
    whole = f"{answer.emotion} ({answer.confidence:.0%})"
    parts = [f"Person {person.track_id}: {whole}", duration_of(person), ", ".join(named)]
    if uncertain:
        parts.append(f"{uncertain}% uncertain")
    return "; ".join(part for part in parts if part)


def duration_of(person: Person) -> str:
    """Return for how long a person was seen, such as `12.3 s`; in frames if only for a moment."""
    if person.seen_ms == 0:
        return "1 frame" if person.rows == 1 else f"{person.rows} frames"
    return f"{person.seen_ms / 1000:.1f} s"
