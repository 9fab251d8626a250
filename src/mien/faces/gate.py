"""Knowing when not to say: what makes a face too poor, or its label too doubtful, to rely upon."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from numbers import Real

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SettingError
from mien.core.preprocess import FACE_SIZE
from mien.core.types import Box, Face, MissedLimit
from mien.faces.angles import head_angles
from mien.media.image import scale_square


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
            `mien.classifier.classifier.Outputs`.
        yaw_degrees: How far the head is turned to the side; None, like the other two, where the
            detector gives no five landmarks. See `mien.faces.angles.HeadAngles`.
        pitch_degrees: How far it is turned up or down.
        roll_degrees: How far it is turned within the picture.
    """

    side_px: float
    inside: float
    brightness: float
    contrast: float
    sharpness: float
    likeness: float
    yaw_degrees: float | None = None
    pitch_degrees: float | None = None
    roll_degrees: float | None = None


@dataclass(frozen=True, slots=True)
class QualityGate:
    """The least that a face must offer, or its result is marked uncertain.

    Each limit is named after what it limits, with `min_` or `max_` before it. What was not
    measured misses none. The roll has no limit: crops are turned upright by it.

    The defaults were chosen on FER2013's validation faces, whole and degraded, and on pictures
    without faces: `benchmarks/quality_gate.py` prints what they keep and what they let through,
    and `docs/measurements.md` holds the tables.

    Attributes:
        min_side_px: Longer side of the box, in pixels.
        min_inside: Part of the box that lies in the picture, 0 to 1.
        min_brightness: Mean grey value of the crop, 0 to 255.
        max_brightness: Mean grey value of the crop, 0 to 255.
        min_contrast: Standard deviation of the crop's grey values.
        min_sharpness: See `Quality.sharpness`.
        max_sharpness: The same; noise has more of it than any face of FER2013.
        max_yaw_degrees: How far the head may be turned to either side.
        max_pitch_degrees: How far it may be turned up or down.
        min_likeness: See `Quality.likeness`.
        min_confidence: Calibrated and smoothed probability of the label, 0 to 1.

    Raises:
        SettingError: if a value is not a number, a part or probability not from 0 to 1, or an
            angle below 0.
    """

    min_side_px: float = 20.0
    min_inside: float = 0.75
    min_brightness: float = 20.0
    max_brightness: float = 245.0
    min_contrast: float = 6.0
    min_sharpness: float = 0.15
    max_sharpness: float = 3.0
    max_yaw_degrees: float = 40.0
    max_pitch_degrees: float = 25.0
    min_likeness: float = 0.0
    min_confidence: float = 0.3

    def __post_init__(self) -> None:
        for each in fields(self):
            given = getattr(self, each.name)
            if isinstance(given, bool) or not isinstance(given, Real) or math.isnan(given):
                raise SettingError(f"{each.name} is {given!r}; expected a number.")
            value = float(given)
            object.__setattr__(self, each.name, value)
            if each.name in ("min_inside", "min_confidence") and not 0 <= value <= 1:
                raise SettingError(f"{each.name} is {value:g}; expected 0 to 1.")
            if each.name.endswith("_degrees") and value < 0:
                raise SettingError(f"{each.name} is {value:g}; expected degrees from 0.")

    def missed(self, quality: Quality, confidence: float) -> tuple[MissedLimit, ...]:
        """Return the limits that a face missed; none of a face that can be relied upon.

        Args:
            quality: What was measured of the face.
            confidence: The probability of its label, 0 to 1.
        """
        found = []
        for each in fields(self):
            kind, _, name = each.name.partition("_")
            value = confidence if name == "confidence" else getattr(quality, name)
            if value is None:
                continue
            if name.endswith("_degrees"):
                value = abs(value)
            bound = getattr(self, each.name)
            # What is not a number passes no limit.
            if not (value <= bound if kind == "max" else value >= bound):
                found.append(MissedLimit(each.name, value, bound))
        return tuple(found)

    def with_limits(self, limits: Mapping[str, float]) -> QualityGate:
        """Return the gate with other limits.

        Args:
            limits: By name, such as `min_confidence`.

        Raises:
            SettingError: if there is no limit of that name, or a value is not valid.
        """
        names = [each.name for each in fields(self)]
        for name in limits:
            if name not in names:
                raise SettingError(
                    f"There is no limit {name!r} of the gate; expected {', '.join(names)}."
                )
        return replace(self, **limits)


def gate_of(gate: QualityGate | None) -> QualityGate:
    """Return a gate as it was given, the defaults for None.

    Raises:
        SettingError: if it is something else.
    """
    if gate is None:
        return QualityGate()
    if not isinstance(gate, QualityGate):
        raise SettingError(
            f"Found {type(gate).__name__} as the gate; expected mien.QualityGate, as in "
            "QualityGate(min_confidence=0.5)."
        )
    return gate


def parse_limits(words: Iterable[str]) -> dict[str, float]:
    """Read limits of the gate from words such as `min_confidence=0.5`.

    Raises:
        SettingError: if a word is not a name, `=` and a number.
    """
    limits = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            limits[name] = float(value)
        except ValueError:
            raise SettingError(
                f"{word!r} is no limit of the gate: expected NAME=NUMBER, such as "
                "min_confidence=0.5."
            ) from None
    return limits


def measure_quality(
    crop_u8: NDArray[np.uint8], likeness: float, face: Face, image_shape: tuple[int, ...]
) -> Quality:
    """Measure a face.

    Args:
        crop_u8: (side, side) uint8 grey or (side, side, 3) uint8 RGB, as the network reads it.
        likeness: How much the network thinks it looks like a face.
        face: Where it was found.
        image_shape: Height and width of the picture, in pixels.
    """
    box = face.box
    height, width = image_shape[:2]
    shown = box.shared_area(Box(0, 0, width, height))
    grey_u8 = _grey(crop_u8)
    contrast = float(grey_u8.std())
    edges = cv2.Laplacian(grey_u8, cv2.CV_32F)
    angles = None if face.landmarks is None else head_angles(face.landmarks)
    return Quality(
        side_px=max(box.width, box.height),
        inside=shown / box.area if box.area else 0.0,
        brightness=float(grey_u8.mean()),
        contrast=contrast,
        sharpness=float(edges.std()) / max(contrast, 1.0),
        likeness=likeness,
        yaw_degrees=None if angles is None else angles.yaw_degrees,
        pitch_degrees=None if angles is None else angles.pitch_degrees,
        roll_degrees=None if angles is None else angles.roll_degrees,
    )


def _grey(crop_u8: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The crop as FER2013 would have it: what is sharp depends on the size."""
    if crop_u8.ndim == 3:
        crop_u8 = np.asarray(cv2.cvtColor(crop_u8, cv2.COLOR_RGB2GRAY), np.uint8)
    if crop_u8.shape == (FACE_SIZE, FACE_SIZE):
        return crop_u8
    return scale_square(crop_u8, FACE_SIZE)
