"""The records that travel between the rooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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


@dataclass(frozen=True, slots=True, eq=False)
class FaceEmotion:
    """One face in one frame, and what it shows: the row that every front door hands out.

    Attributes:
        frame: Index of the frame in its source, from 0.
        timestamp_ms: Time of the frame in its source, in milliseconds.
        track_id: The person's number, from 1, the same in every frame; 0 where nothing is tracked.
        box: Where the face is.
        detection_score: The detector's confidence, 0 to 1.
        emotion: One of `mien.EMOTIONS`.
        confidence: The probability of `emotion`, 0 to 1.
        probabilities: (7,) float32 in the order of `mien.EMOTIONS`, sums to 1; read-only.
        uncertain: True where the label should not be relied upon.
        detected: True if a detector found the face in this very frame, False if it was carried
            here from an earlier one.
        raw_probabilities: (7,) float32: `probabilities` before they were smoothed over time; None
            where nothing was smoothed.
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
