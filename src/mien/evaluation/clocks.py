"""Whether a memory says the same when a sequence is played otherwise: its labels, compared in time.

A sequence is played as it is, backwards, twice as fast, and with every second or third moment
alone. The labels are compared at the times of the sequence itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.data.face_sequences import FaceSequence
from mien.engine.tracks import Observation, TrackMemory
from mien.faces.gate import Quality

TOLERANCE_MS = 200.0
"""A label may come so much earlier or later, and a frame besides."""


@dataclass(frozen=True, slots=True)
class Playing:
    """One way to play a sequence.

    Attributes:
        name: What it is called.
        step: Every how many moments are shown; below 0 from the last to the first.
        speed: How many times as fast they follow each other.
    """

    name: str
    step: int = 1
    speed: float = 1.0


PLAYINGS = (
    Playing("backwards", step=-1),
    Playing("twice as fast", speed=2.0),
    Playing("every second time step", step=2),
    Playing("every third time step", step=3),
)


def agreement(
    sequences: Iterable[FaceSequence], make_memory: Callable[[], TrackMemory], playing: Playing
) -> NDArray[np.float64]:
    """Return for each sequence the part of its moments at which a playing gives the same label.

    A label is the same where the sequence, played as it is, shows it within `TOLERANCE_MS` and one
    frame of that time; a frame is the longest time between two moments that are played, before or
    after this one.

    Args:
        sequences: What to play.
        make_memory: Makes what takes the moments in, a new one for each playing.
        playing: How to play.
    """
    return np.array([_agrees(each, make_memory, playing).mean() for each in sequences])


def _agrees(
    sequence: FaceSequence, make_memory: Callable[[], TrackMemory], playing: Playing
) -> NDArray[np.bool_]:
    times_ms = sequence.timestamps_ms
    straight = _labels(sequence, np.arange(len(times_ms)), times_ms, make_memory())
    shown = np.arange(len(times_ms))[:: playing.step]
    # From the first moment that is shown on, in the clock of whoever looks.
    played_ms = np.abs(times_ms[shown] - times_ms[shown[0]]) / playing.speed
    labels = _labels(sequence, shown, played_ms, make_memory())
    gaps_ms = np.abs(np.diff(times_ms[shown]))
    frames_ms = np.maximum(np.append(gaps_ms, 0), np.insert(gaps_ms, 0, 0))
    # A label stands until the next moment.
    until_ms = np.append(times_ms[1:], np.inf)
    agrees = np.zeros(len(shown), bool)
    for place, (moment, frame_ms) in enumerate(zip(shown, frames_ms, strict=True)):
        slack_ms = TOLERANCE_MS + frame_ms
        is_near = (times_ms <= times_ms[moment] + slack_ms) & (
            until_ms >= times_ms[moment] - slack_ms
        )
        agrees[place] = (straight[is_near] == labels[place]).any()
    return agrees


def _labels(
    sequence: FaceSequence,
    moments: NDArray[np.int64],
    times_ms: NDArray[np.float64],
    memory: TrackMemory,
) -> NDArray[np.int64]:
    labels = []
    for moment, time_ms in zip(moments, times_ms, strict=True):
        quality = Quality(100.0, 1.0, *map(float, sequence.quality[moment]))
        probabilities, features = sequence.probabilities[moment], sequence.features[moment]
        seen = Observation(float(time_ms), probabilities, features, quality)
        labels.append(memory.observe(1, seen)[1])
    return np.array(labels, np.int64)
