"""What can be chosen about the engine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from mien.core.errors import ModelError
from mien.engine.smoothing import SMOOTH_MS
from mien.faces.gate import QualityGate


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What can be chosen about the engine; times are those of the source.

    Attributes:
        detect_every_ms: Faces are sought this often at least; in between they are carried along
            with the picture. 0 seeks them in every frame.
        classify_every_ms: Every face is classified afresh this often at least; 0 in every frame.
        smooth_ms: Time constant of the average over time; 0 turns it off, hysteresis included.
        gate: What makes a face uncertain.

    Raises:
        ModelError: if a time is below 0 or not a number.
    """

    detect_every_ms: float = 150.0
    classify_every_ms: float = 100.0
    smooth_ms: float = SMOOTH_MS
    gate: QualityGate = field(default_factory=QualityGate)

    def __post_init__(self) -> None:
        for name in ("detect_every_ms", "classify_every_ms", "smooth_ms"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise ModelError(f"{name} is {value}; expected 0 or more milliseconds.")


def make_settings(
    *,
    smooth_ms: float | None = None,
    min_confidence: float | None = None,
    detect_every_frame: bool = False,
) -> EngineSettings:
    """Return the settings of a command line; None stands for the default.

    Args:
        smooth_ms: See `EngineSettings`.
        min_confidence: See `QualityGate`.
        detect_every_frame: Seek faces in every frame, so that none is seen before it is found.
    """
    settings = EngineSettings()
    if smooth_ms is not None:
        settings = replace(settings, smooth_ms=smooth_ms)
    if min_confidence is not None:
        settings = replace(settings, gate=replace(settings.gate, min_confidence=min_confidence))
    if detect_every_frame:
        settings = replace(settings, detect_every_ms=0.0)
    return settings
