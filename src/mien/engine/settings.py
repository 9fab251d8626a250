"""What can be chosen about the engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path

from mien.core.errors import SettingError
from mien.core.temporal import bundled_temporal
from mien.engine.smoothing import SMOOTH_MS
from mien.faces.gate import QualityGate, gate_of

NO_TEMPORAL, SHIPPED_TEMPORAL = "none", "shipped"
"""What stands for no temporal network, and for the one that ships with mien."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What can be chosen about the engine; times are those of the source.

    Attributes:
        detect_every_ms: Faces are detected this often at least; in between they are carried along
            with the picture. 0 seeks them in every frame.
        classify_every_ms: Every face is classified again this often at least; 0 in every frame.
        smooth_ms: Time constant of the average over time; 0 turns it off, hysteresis included.
        gate: What makes a face uncertain.
        temporal: The file of a temporal network, which takes the place of the smoothing; None for
            none. The default of `smooth_ms` becomes 0 with it.

    Raises:
        SettingError: if a time is below 0 or not a number, the gate is no `QualityGate`, or another
            `smooth_ms` than 0 or the default is given beside a temporal network.
    """

    detect_every_ms: float = 150.0
    classify_every_ms: float = 100.0
    smooth_ms: float = SMOOTH_MS
    gate: QualityGate = field(default_factory=QualityGate)
    temporal: Path | None = None

    def __post_init__(self) -> None:
        for name in ("detect_every_ms", "classify_every_ms", "smooth_ms"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not math.isfinite(value) or value < 0:
                raise SettingError(f"{name} is {value!r}; expected 0 or more milliseconds.")
        object.__setattr__(self, "gate", gate_of(self.gate))
        if self.temporal is not None and self.smooth_ms == SMOOTH_MS:
            object.__setattr__(self, "smooth_ms", 0.0)
        if self.temporal is not None and self.smooth_ms > 0:
            raise SettingError(
                f"A temporal network ({self.temporal}) takes the place of the smoothing "
                f"({self.smooth_ms:g} ms): choose one of the two."
            )


def settings_of(settings: EngineSettings | None) -> EngineSettings:
    """Return settings as they were given, the defaults for None.

    Raises:
        SettingError: if they are something else.
    """
    if settings is None:
        return EngineSettings()
    if not isinstance(settings, EngineSettings):
        raise SettingError(
            f"Found {type(settings).__name__} as the settings; expected mien.EngineSettings, as in "
            "EngineSettings(smooth_ms=0, gate=QualityGate(min_confidence=0.5))."
        )
    return settings


def make_settings(
    *,
    smooth_ms: float | None = None,
    gate: Mapping[str, float] | None = None,
    detect_every_frame: bool = False,
    temporal: str | Path | None = None,
) -> EngineSettings:
    """Return the settings of a command line; None stands for the default.

    Args:
        smooth_ms: See `EngineSettings`.
        gate: Limits of `QualityGate` by name; those that are not named keep their defaults.
        detect_every_frame: Seek faces in every frame, so that none is seen before it is found.
        temporal: The file of a temporal network instead of the smoothing; `shipped` for the
            one that ships with mien; `none`, or None, for none.

    Raises:
        SettingError: if a value cannot be meant, or smoothing is asked for beside the network.
    """
    settings = EngineSettings()
    if temporal is not None and str(temporal) != NO_TEMPORAL:
        if smooth_ms is not None:
            raise SettingError(
                f"A temporal network ({temporal}) takes the place of the smoothing "
                f"({smooth_ms:g} ms): choose --temporal or --smooth."
            )
        path = bundled_temporal() if str(temporal) == SHIPPED_TEMPORAL else Path(temporal)
        settings = replace(settings, temporal=path)
    if smooth_ms is not None:
        settings = replace(settings, smooth_ms=smooth_ms)
    if gate:
        settings = replace(settings, gate=settings.gate.with_limits(gate))
    if detect_every_frame:
        settings = replace(settings, detect_every_ms=0.0)
    return settings
