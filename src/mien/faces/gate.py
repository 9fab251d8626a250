"""Knowing when not to say: what makes a face too poor, or its label too doubtful, to rely upon."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.core.types import Face


@dataclass(frozen=True, slots=True)
class Quality:
    """What can be measured of one face.

    Attributes:
        side_px: The longer side of its box, in pixels of the picture.
        inside: The part of its box that lies in the picture, 0 to 1.
        brightness: Mean grey value of its crop, 0 to 255.
        contrast: Standard deviation of the crop's grey values.
        sharpness: Standard deviation of the crop's Laplacian over `contrast`.
        likeness: How much the crop looks like a face, in log odds; see
            `mien.Recognizer.classify_with_likeness`.
    """

    side_px: float
    inside: float
    brightness: float
    contrast: float
    sharpness: float
    likeness: float


@dataclass(frozen=True, slots=True)
class QualityGate:
    """The least that a face must offer, or its result is marked uncertain.

    The defaults were chosen on FER2013's validation faces, whole and spoiled, and on pictures
    without faces: `benchmarks/quality_gate.py` prints what they keep and what they let through,
    and `docs/engine.md` holds the tables.

    Attributes:
        min_side_px: Longer side of the box, in pixels.
        min_inside: Part of the box that lies in the picture, 0 to 1.
        min_brightness: Mean grey value of the crop, 0 to 255.
        max_brightness: Mean grey value of the crop, 0 to 255.
        min_contrast: Standard deviation of the crop's grey values.
        min_sharpness: See `Quality.sharpness`.
        max_sharpness: The same; noise has more of it than any face of FER2013.
        min_likeness: See `Quality.likeness`.
        min_confidence: Calibrated and smoothed probability of the label, 0 to 1.

    Raises:
        ModelError: if a value is not a number, or a part or probability not from 0 to 1.
    """

    min_side_px: float = 20.0
    min_inside: float = 0.75
    min_brightness: float = 20.0
    max_brightness: float = 245.0
    min_contrast: float = 6.0
    min_sharpness: float = 0.15
    max_sharpness: float = 3.0
    min_likeness: float = 0.0
    min_confidence: float = 0.3

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if math.isnan(value):
                raise ModelError(f"{each.name} is {value}; expected a number.")
            if each.name in ("min_inside", "min_confidence") and not 0 <= value <= 1:
                raise ModelError(f"{each.name} is {value}; expected 0 to 1.")

    def passes(self, quality: Quality, confidence: float) -> bool:
        """Whether a face of that quality, labelled with that confidence, can be relied upon."""
        return (
            confidence >= self.min_confidence
            and quality.side_px >= self.min_side_px
            and quality.inside >= self.min_inside
            and self.min_brightness <= quality.brightness <= self.max_brightness
            and quality.contrast >= self.min_contrast
            and self.min_sharpness <= quality.sharpness <= self.max_sharpness
            and quality.likeness >= self.min_likeness
        )


def measure_quality(
    crop_u8: NDArray[np.uint8], likeness: float, face: Face, image_shape: tuple[int, ...]
) -> Quality:
    """Measure a face.

    Args:
        crop_u8: (48, 48) uint8, the face as the network reads it.
        likeness: How much the network thinks it looks like a face.
        face: Where it was found.
        image_shape: Height and width of the picture, in pixels.
    """
    box = face.box
    height, width = image_shape[:2]
    shown_width = min(box.right, width) - max(box.x, 0)
    shown_height = min(box.bottom, height) - max(box.y, 0)
    contrast = float(crop_u8.std())
    edges = cv2.Laplacian(crop_u8, cv2.CV_32F)
    return Quality(
        side_px=max(box.width, box.height),
        inside=max(shown_width, 0) * max(shown_height, 0) / box.area if box.area else 0.0,
        brightness=float(crop_u8.mean()),
        contrast=contrast,
        sharpness=float(edges.std()) / max(contrast, 1.0),
        likeness=likeness,
    )
