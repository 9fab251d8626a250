"""What one person showed, gathered row by row so that memory stays flat."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box, FaceEmotion

MOMENTS = 8
"""So many of a person's strongest moments are kept."""

LIKENESS_LIMIT = "min_likeness"
"""The limit of the gate that is missed by what may be no face."""

_MOMENT_GAP_MS = 2000.0
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
    faces have no say. With a temporal network it is what that says of all that a person showed;
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
        missed: How many rows missed each limit of the gate, by its name.
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
    missed: Counter[str] = field(default_factory=Counter)
    _previous: FaceEmotion | None = None
    _certain: FaceEmotion | None = None  # the latest row that was
    _whole: NDArray[np.float32] | None = None  # what a temporal network said last of all so far

    def __post_init__(self) -> None:
        count = len(self.labels)
        self.shown_ms = np.zeros(count)
        self.transitions = np.zeros((count, count), np.int64)

    @property
    def was_certain(self) -> bool:
        """Whether a label was certain at least once; see `most_missed` of what never was."""
        return self._certain is not None

    @property
    def most_missed(self) -> str | None:
        """The limit that most rows missed, `LIKENESS_LIMIT` if it is one of them; None of none."""
        return max(
            self.missed,
            key=lambda limit: (self.missed[limit], limit == LIKENESS_LIMIT),
            default=None,
        )

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
        """(C + 1,) the part of the time of each label, then that of uncertain ones; sums to 1.

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
        self.missed.update(missed.limit for missed in face.missed_limits)
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

    @property
    def duration(self) -> str:
        """For how long the person was seen, such as `12.3 s`; in frames if only for a moment."""
        if self.seen_ms == 0:
            return "1 frame" if self.rows == 1 else f"{self.rows} frames"
        return f"{self.seen_ms / 1000:.1f} s"

    def line(self) -> str:
        """What `Summary.lines` says of a person who was certain at least once."""
        answer = self.answer
        assert answer is not None
        *shown, uncertain = apportion(self.shares, 100)
        order = sorted(range(len(shown)), key=lambda index: -shown[index])
        named = [
            f"{shown[index]}% {self.labels[index]}" for index in order[:_MOST_NAMED] if shown[index]
        ]
        if other := sum(shown[index] for index in order[_MOST_NAMED:]):
            named.append(f"{other}% other")
        whole = f"{answer.emotion} ({answer.confidence:.0%})"
        parts = [f"Person {self.track_id}: {whole}", self.duration, ", ".join(named)]
        if uncertain:
            parts.append(f"{uncertain}% uncertain")
        return "; ".join(part for part in parts if part)

    def document(self) -> dict[str, Any]:
        """What `Summary.document` says of a person who was certain at least once."""
        answer = self.answer
        assert answer is not None
        return {
            "track_id": self.track_id,
            "first_ms": round(self.first_ms, 3),
            "last_ms": round(self.last_ms, 3),
            "seen_ms": round(self.seen_ms, 3),
            **answer.document(),
            "shares": _by_label(self.labels, self.shares[:-1]),
            "uncertain_share": round(float(self.shares[-1]), 4),
        }

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
