"""The records that travel between the modules."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.labels import EMOTIONS


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in pixels of the whole image; it may reach beyond the image.

    Attributes:
        x: Left edge, in pixels from the image's left edge.
        y: Top edge, in pixels from the image's top edge.
        width: Width in pixels.
        height: Height in pixels.
    """

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge, in pixels."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The bottom edge, in pixels."""
        return self.y + self.height

    @property
    def area(self) -> float:
        """Width times height, in square pixels."""
        return self.width * self.height

    def shared_area(self, other: Box) -> float:
        """Return the area that lies in both boxes, in square pixels."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(width, 0.0) * max(height, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face that a detector found.

    Attributes:
        box: Where the face is.
        score: The detector's confidence, 0 to 1.
        landmarks: (5, 2) float32, x and y in pixels of the image: right eye, left eye (the
            person's own), nose tip, right and left corner of the mouth; None where the
            detector gives none.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class MissedLimit:
    """A limit of `mien.QualityGate` that a face missed, and by how much.

    Attributes:
        limit: Its name, such as `min_side_px`.
        value: What was measured.
        bound: The least, or for `max_…` the most, that passes.
    """

    limit: str
    value: float
    bound: float

    def __str__(self) -> str:
        """Such as `min_side_px 17.2 < 20`."""
        sign = ">" if self.limit.startswith("max_") else "<"
        return f"{self.limit} {self.value:.3g} {sign} {self.bound:g}"


@dataclass(frozen=True, slots=True, eq=False)
class FaceEmotion:
    """One face in one frame, and what it shows: the row that every entry point hands out.

    Attributes:
        frame: Index of the frame in its source, from 0.
        timestamp_ms: Time of the frame in its source, in milliseconds.
        track_id: The person's number, from 1, the same in every frame; 0 where nothing is tracked.
        box: Where the face is.
        detection_score: The detector's confidence, 0 to 1.
        emotion: One of `labels`.
        confidence: The probability of `emotion`, 0 to 1.
        probabilities: (C,) float32 in the order of `labels`, sums to 1; read-only.
        uncertain: True where the label should not be relied upon.
        detected: True if a detector found the face in this very frame, False if it was carried
            here from an earlier one.
        raw_probabilities: (C,) float32: `probabilities` before they were smoothed over time; None
            where nothing was smoothed.
        labels: What the network tells apart: `mien.EMOTIONS`, or what another artifact has.
        reading: Name of the artifact's reading that the probabilities are; None where that is not
            known, as in records of mien 0.1.
        missed_limits: Why the face is uncertain: each limit of the gate that it missed.
        yaw_degrees: How far the head was turned to the side when the face was last classified,
            above 0 to the right of the picture; None, like the other two, without five landmarks.
        pitch_degrees: How far it was turned up or, below 0, down.
        roll_degrees: How far it was turned clockwise within the picture. See
            `mien.faces.angles.HeadAngles` for the ranges.
        whole_probabilities: (C,) float32: what a temporal network says of all that the person
            showed so far, sums to 1; None without one.
        temporal_sha256: SHA-256 of the temporal network that `probabilities` and
            `whole_probabilities` are of; None without one.
    """

    frame: int
    timestamp_ms: float
    track_id: int
    box: Box
    detection_score: float
    emotion: str
    confidence: float
    probabilities: NDArray[np.float32]
    uncertain: bool
    detected: bool = True
    raw_probabilities: NDArray[np.float32] | None = None
    labels: tuple[str, ...] = EMOTIONS
    reading: str | None = None
    missed_limits: tuple[MissedLimit, ...] = ()
    yaw_degrees: float | None = None
    pitch_degrees: float | None = None
    roll_degrees: float | None = None
    whole_probabilities: NDArray[np.float32] | None = None
    temporal_sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result in plain types, as `json.dumps` takes them.

        Its keys are the attributes' names. `box` and each of `missed_limits` are dictionaries of
        their attributes, `probabilities`, `raw_probabilities` and `whole_probabilities` (None where
        there are none) of numbers by label; `labels` is left out.
        """
        raw, whole = self.raw_probabilities, self.whole_probabilities
        return {
            "frame": int(self.frame),
            "timestamp_ms": float(self.timestamp_ms),
            "track_id": int(self.track_id),
            "box": {name: float(value) for name, value in asdict(self.box).items()},
            "detection_score": float(self.detection_score),
            "emotion": self.emotion,
            "confidence": float(self.confidence),
            "probabilities": self._by_label(self.probabilities),
            "uncertain": bool(self.uncertain),
            "detected": bool(self.detected),
            "raw_probabilities": None if raw is None else self._by_label(raw),
            "reading": self.reading,
            "missed_limits": [asdict(limit) for limit in self.missed_limits],
            "yaw_degrees": self.yaw_degrees,
            "pitch_degrees": self.pitch_degrees,
            "roll_degrees": self.roll_degrees,
            "whole_probabilities": None if whole is None else self._by_label(whole),
            "temporal_sha256": self.temporal_sha256,
        }

    def _by_label(self, values: NDArray[np.float32]) -> dict[str, float]:
        return dict(zip(self.labels, map(float, values), strict=True))
