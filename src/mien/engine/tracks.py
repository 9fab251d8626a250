"""What happens to one face's results over time: the protocol behind which the engine calms them.

`mien.engine.smoothing.Smoother` averages, `mien.engine.temporal.TemporalMemory` asks a temporal
network.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.faces.gate import Quality


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What the classifier says of one face in one frame.

    Attributes:
        timestamp_ms: Time of the frame in its source, in milliseconds.
        probabilities: (C,) float32, in the order of the reading's labels; sums to 1.
        features: (F,) float32, what the network's heads read; None where the artifact does not
            tell.
        quality: What was measured of the face; None where nobody did.
    """

    timestamp_ms: float
    probabilities: NDArray[np.float32]
    features: NDArray[np.float32] | None = None
    quality: Quality | None = None


class TrackMemory(Protocol):
    """Makes of what a face shows now, and of what it showed before, what is to be said of it."""

    @property
    def keep_ms(self) -> float:
        """For so long a track that is not seen is remembered."""
        ...

    @property
    def network_sha256(self) -> str | None:
        """SHA-256 of the temporal network that says it; None without one."""
        ...

    def observe(self, track_id: int, seen: Observation) -> tuple[NDArray[np.float32], int]:
        """Take in what one face shows now.

        Args:
            track_id: Whose it is.
            seen: What it shows; its time is not before the last one of this track.

        Returns:
            The probabilities to show, (C,) float32, summing to 1, and the label to show: an index
            into them, which need not be that of the largest.
        """
        ...

    def whole(self, track_id: int) -> NDArray[np.float32] | None:
        """Return what is to be said of all that a track showed so far.

        Returns:
            Probabilities, (C,) float32, summing to 1; None where that is left to whoever sums up.
        """
        ...

    def forget_all_but(self, track_ids: Collection[int]) -> None:
        """Drop what is known of the tracks that are over."""
        ...
