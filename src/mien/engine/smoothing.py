"""Calm probabilities: each track's are averaged over time, and its label does not flicker."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMOOTH_MS = 130.0
"""Default time constant: about four frames' worth at 30 frames a second."""

LEAD = 0.1
"""The label changes at once when another emotion's probability is this much greater."""

PATIENCE_MS = 400.0
"""The label changes when another emotion has been ahead for this long, by however little."""


@dataclass(slots=True, eq=False)
class _Memory:
    log_probabilities: NDArray[np.float64]
    label: int
    updated_ms: float
    label_led_ms: float  # when the shown label was last the most probable one


class Smoother:
    """Averages each track's probabilities over time.

    The average is exponential and taken of the logarithms, which is what classifiers that err
    independently should be pooled by; one doubtful frame moves it little. Its weights follow the
    time between frames, so that it does the same at 10 and at 60 frames a second.

    Args:
        time_constant_ms: What was seen this long ago weighs 1/e of what is seen now; 0 smooths
            nothing.
    """

    def __init__(self, time_constant_ms: float = SMOOTH_MS) -> None:
        self._time_constant_ms = time_constant_ms
        self._memories: dict[int, _Memory] = {}

    def smooth(
        self, track_id: int, probabilities: NDArray[np.float32], timestamp_ms: float
    ) -> tuple[NDArray[np.float32], int]:
        """Take in what one face shows now.

        Args:
            track_id: Whose it is.
            probabilities: (7,) float32, sums to 1.
            timestamp_ms: When, not before the last time.

        Returns:
            The averaged probabilities, (7,) float32, and the label to show: an index into
            `mien.EMOTIONS`. With hysteresis, that is not always the most probable one.
        """
        if self._time_constant_ms == 0:
            return probabilities, int(probabilities.argmax())
        observed = np.log(np.maximum(probabilities.astype(np.float64), 1e-6))
        memory = self._memories.get(track_id)
        if memory is None:
            label = int(probabilities.argmax())
            self._memories[track_id] = _Memory(observed, label, timestamp_ms, timestamp_ms)
            return probabilities, label
        elapsed_ms = timestamp_ms - memory.updated_ms
        weight = -math.expm1(-elapsed_ms / self._time_constant_ms)
        memory.log_probabilities += weight * (observed - memory.log_probabilities)
        memory.updated_ms = timestamp_ms
        powers = np.exp(memory.log_probabilities - memory.log_probabilities.max())
        averaged = (powers / powers.sum()).astype(np.float32)
        memory.label = _held_label(memory, averaged, timestamp_ms)
        return averaged, memory.label

    def forget_all_but(self, track_ids: Collection[int]) -> None:
        """Drop what is known of the tracks that are over."""
        for track_id in self._memories.keys() - set(track_ids):
            del self._memories[track_id]


def _held_label(memory: _Memory, averaged: NDArray[np.float32], timestamp_ms: float) -> int:
    leader = int(averaged.argmax())
    if leader == memory.label:
        memory.label_led_ms = timestamp_ms
    elif (
        averaged[leader] - averaged[memory.label] < LEAD
        and timestamp_ms - memory.label_led_ms < PATIENCE_MS
    ):
        return memory.label
    else:
        memory.label_led_ms = timestamp_ms
    return leader
