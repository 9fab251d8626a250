"""Calm probabilities: each track's are averaged over time, and its label does not flicker."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.engine.tracks import Observation

SMOOTH_MS = 130.0
"""Default time constant: about four frames' worth at 30 frames a second."""

LEAD = 0.1
"""The label changes at once when another emotion's probability is this much greater."""

PATIENCE_MS = 400.0
"""The label changes when another emotion has been ahead for this long, by however little."""


class HeldLabel:
    """The label to show of one face: it does not follow every probability that is a little ahead.

    Args:
        probabilities: (C,) of the first moment.
        now_ms: When that is.

    Attributes:
        label: The label.
    """

    __slots__ = ("_led_ms", "label")

    def __init__(self, probabilities: NDArray[np.float32], now_ms: float) -> None:
        self.label = int(probabilities.argmax())
        self._led_ms = now_ms  # when the label was last the most probable one

    def follow(self, probabilities: NDArray[np.float32], now_ms: float) -> int:
        """Return the label to show at the next moment, of (C,) probabilities."""
        leader = int(probabilities.argmax())
        is_held = (
            leader != self.label
            and probabilities[leader] - probabilities[self.label] < LEAD
            and now_ms - self._led_ms < PATIENCE_MS
        )
        if not is_held:
            self.label, self._led_ms = leader, now_ms
        return self.label


@dataclass(slots=True, eq=False)
class _Memory:
    log_probabilities: NDArray[np.float64]
    label: HeldLabel
    updated_ms: float


class Smoother:
    """Averages each track's probabilities over time: a `mien.engine.tracks.TrackMemory`.

    The average is exponential and taken of the logarithms, which is what classifiers that err
    independently should be pooled by; one doubtful frame moves it little. Its weights follow the
    time between frames, so that it does the same at 10 and at 60 frames a second.

    Args:
        time_constant_ms: What was seen this long ago weighs 1/e of what is seen now; 0 smooths
            nothing.
    """

    keep_ms = 1000.0
    network_sha256 = None

    def __init__(self, time_constant_ms: float = SMOOTH_MS) -> None:
        self._time_constant_ms = time_constant_ms
        self._memories: dict[int, _Memory] = {}

    def observe(self, track_id: int, seen: Observation) -> tuple[NDArray[np.float32], int]:
        """Take in what one face shows now; see `TrackMemory`.

        Returns:
            The averaged probabilities, (C,) float32, and the label to show. With hysteresis, that
            is not always the most probable one.
        """
        probabilities, now_ms = seen.probabilities, seen.timestamp_ms
        if self._time_constant_ms == 0:
            return probabilities, int(probabilities.argmax())
        observed = np.log(np.maximum(probabilities.astype(np.float64), 1e-6))
        memory = self._memories.get(track_id)
        if memory is None:
            label = HeldLabel(probabilities, now_ms)
            self._memories[track_id] = _Memory(observed, label, now_ms)
            return probabilities, label.label
        elapsed_ms = now_ms - memory.updated_ms
        weight = -math.expm1(-elapsed_ms / self._time_constant_ms)
        memory.log_probabilities += weight * (observed - memory.log_probabilities)
        memory.updated_ms = now_ms
        powers = np.exp(memory.log_probabilities - memory.log_probabilities.max())
        averaged = (powers / powers.sum()).astype(np.float32)
        return averaged, memory.label.follow(averaged, now_ms)

    def whole(self, track_id: int) -> None:
        """Nothing: the mean over time is left to whoever sums up."""

    def forget_all_but(self, track_ids: Collection[int]) -> None:
        """Drop what is known of the tracks that are over."""
        for track_id in self._memories.keys() - set(track_ids):
            del self._memories[track_id]
