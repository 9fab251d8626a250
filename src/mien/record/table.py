"""The table of results: its columns, and one row of it.

Rows are the same in CSV, JSON lines and Parquet. `COLUMNS` come first and never change; what was
added since stands after them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.labels import EMOTIONS
from mien.core.types import Box, FaceEmotion

COLUMNS = (
    *("frame", "timestamp_ms", "track_id", "x", "y", "width", "height", "detection_score"),
    *("emotion", "confidence", *EMOTIONS, "uncertain"),
)
"""What every record has, in this order. The probabilities are calibrated and smoothed."""

DETECTED_COLUMN = "detected"
"""`true` where a detector found the face in that frame, `false` where it was carried there."""

SMOOTH_COLUMN = "smooth_ms"
"""The time constant that the probabilities were smoothed with; 0 where they were not."""

RAW_COLUMNS = tuple(f"raw_{emotion}" for emotion in EMOTIONS)
"""The calibrated probabilities of the face's last classification, before smoothing; on request."""


def columns_of(*, raw: bool) -> tuple[str, ...]:
    """The columns that a record is written with, in order."""
    return (*COLUMNS, DETECTED_COLUMN, SMOOTH_COLUMN, *(RAW_COLUMNS if raw else ()))


def row_of(face: FaceEmotion, *, smooth_ms: float, raw: bool) -> dict[str, Any]:
    """One row, by column: numbers rounded to what they are good for, so that files stay small."""
    row: dict[str, Any] = {
        "frame": face.frame,
        "timestamp_ms": round(face.timestamp_ms, 3),
        "track_id": face.track_id,
        "x": round(face.box.x, 2),
        "y": round(face.box.y, 2),
        "width": round(face.box.width, 2),
        "height": round(face.box.height, 2),
        "detection_score": round(face.detection_score, 4),
        "emotion": face.emotion,
        "confidence": round(face.confidence, 6),
        **_rounded(EMOTIONS, face.probabilities),
        "uncertain": face.uncertain,
        DETECTED_COLUMN: face.detected,
        SMOOTH_COLUMN: smooth_ms,
    }
    if raw:
        before = face.raw_probabilities
        row |= _rounded(RAW_COLUMNS, face.probabilities if before is None else before)
    return row


def csv_line(row: Mapping[str, Any]) -> str:
    """A row as a line of CSV, its end included; None is an empty value."""
    return ",".join(_csv_value(value) for value in row.values()) + "\n"


def json_line(row: Mapping[str, Any]) -> str:
    """A row as a line of JSON, its end included."""
    return json.dumps(row, separators=(",", ":")) + "\n"


def parse_row(row: Mapping[str, Any], where: str) -> FaceEmotion:
    """Turn a row that was read, of strings or of values, back into a result.

    Args:
        row: By column; columns that are unknown are passed over.
        where: The file and line, for the message.

    Raises:
        DataError: if a column is missing or holds something else than it should.
    """
    missing = [column for column in COLUMNS if row.get(column) is None]
    if missing:
        raise DataError(
            f"{where} has no {', '.join(missing)}: expected a record that mien wrote, with the "
            f"columns {','.join(COLUMNS)}."
        )
    emotion = row["emotion"]
    if emotion not in EMOTIONS:
        raise DataError(
            f"{where}, column emotion: found {emotion!r}; expected one of {', '.join(EMOTIONS)}."
        )
    has_raw = all(row.get(column) is not None for column in RAW_COLUMNS)
    return FaceEmotion(
        frame=int(_number(row, "frame", where)),
        timestamp_ms=_number(row, "timestamp_ms", where),
        track_id=int(_number(row, "track_id", where)),
        box=Box(*(_number(row, column, where) for column in ("x", "y", "width", "height"))),
        detection_score=_number(row, "detection_score", where),
        emotion=emotion,
        confidence=_number(row, "confidence", where),
        probabilities=_vector(row, EMOTIONS, where),
        uncertain=_truth(row, "uncertain", where),
        detected=_truth(row, DETECTED_COLUMN, where) if DETECTED_COLUMN in row else True,
        raw_probabilities=_vector(row, RAW_COLUMNS, where) if has_raw else None,
    )


def _rounded(names: tuple[str, ...], values: NDArray[np.float32]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in zip(names, values, strict=True)}


def _csv_value(value: object) -> str:
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    # Only paths and messages can hold these; a line break would break the row in two.
    if any(character in text for character in ',"\r\n'):
        text = text.replace("\r", " ").replace("\n", " ").replace('"', '""')
        return f'"{text}"'
    return text


def _number(row: Mapping[str, Any], column: str, where: str) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}, column {column}: found {row[column]!r}; expected a number.")
    return value


def _vector(row: Mapping[str, Any], columns: tuple[str, ...], where: str) -> NDArray[np.float32]:
    values = np.array([_number(row, column, where) for column in columns], np.float32)
    values.flags.writeable = False
    return values


def _truth(row: Mapping[str, Any], column: str, where: str) -> bool:
    text = str(row[column]).lower()
    if text not in ("true", "false"):
        raise DataError(f"{where}, column {column}: found {row[column]!r}; expected true or false.")
    return text == "true"
