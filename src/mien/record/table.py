"""The table of results: its columns, and one row of it.

Rows are the same in CSV, JSON lines and Parquet. The columns before the labels, the labels (those
of the network: FER2013's seven, unless it tells other things apart) and `uncertain` come first and
never change; what was added since stands after them.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.labels import EMOTIONS
from mien.core.types import Box, FaceEmotion, MissedLimit

_BEFORE_LABELS = (
    *("frame", "timestamp_ms", "track_id", "x", "y", "width", "height", "detection_score"),
    *("emotion", "confidence"),
)
_AFTER_LABELS = "uncertain"

DETECTED_COLUMN = "detected"
"""`true` where a detector found the face in that frame, `false` where it was carried there."""

SMOOTH_COLUMN = "smooth_ms"
"""The time constant that the probabilities were smoothed with; 0 where they were not."""

READING_COLUMN = "reading"
"""Name of the artifact's reading that the probabilities are."""

MISSED_COLUMN = "missed_limits"
"""Why the label is uncertain, such as `min_side_px 17.2 < 20; min_confidence 0.28 < 0.3`."""

ANGLE_COLUMNS = ("yaw_degrees", "pitch_degrees", "roll_degrees")
"""How the head is turned; empty where the detector gives no five landmarks."""

TEMPORAL_COLUMN = "temporal_sha256"
"""SHA-256 of the temporal network; only in records that one made, as the columns `whole_…`."""

TEXT_COLUMNS = ("emotion", READING_COLUMN, MISSED_COLUMN, TEMPORAL_COLUMN, "path", "error")
"""The columns that hold texts; pictures have the last two."""

TRUTH_COLUMNS = (_AFTER_LABELS, DETECTED_COLUMN)
"""The columns that hold `true` or `false`. All others are numbers."""

_WHOLE_NUMBERS = ("frame", "track_id")

_LONGEST_TOLD = 200  # characters
_RAW_PREFIX = "raw_"  # before a label: the face's last classification, before smoothing
_WHOLE_PREFIX = "whole_"  # before a label: what the person showed so far, by a temporal network
_LABEL_PREFIX = "label_"  # before a label that is named as another column is
_TAKEN = frozenset((*_BEFORE_LABELS, SMOOTH_COLUMN, *TEXT_COLUMNS, *TRUTH_COLUMNS, *ANGLE_COLUMNS))
# Columns of a batch's tables. Records of earlier versions may have labels of these names.
_TAKEN_IN_A_BATCH = frozenset(
    (
        *("source", "source_sha256", "kind", "state", "size_bytes", "frames", "faces"),
        *("duration_ms", "seconds", "frames_with_faces", "people", "seen_ms", "uncertain_share"),
        *("mien_version", "artifact_sha256"),
    )
)
# What a spreadsheet takes for the beginning of a formula; an apostrophe before it makes it a text.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NEUTRALISED = re.compile(r"'+[=+\-@\t\r]")


# Bytes that are not UTF-8, and what would break a row in two.
_ODD = re.compile("[\udc80-\udcff\r\n]")


def table_name(path: str) -> str:
    """Return a path, or what is said of it, as all tables hold it: in UTF-8 and in one line.

    Of a name that is not UTF-8 or has line breaks, these bytes become `%XX`, and `%` becomes `%25`.
    """
    if not _ODD.search(path):
        return path
    return _ODD.sub(
        lambda found: f"%{ord(found[0].encode(errors='surrogateescape')):02X}",
        path.replace("%", "%25"),
    )


def file_of_name(name: str, folder: Path) -> Path:
    """Return the file that a name of `table_name` means.

    Args:
        name: What stands in the table.
        folder: The folder from which the file is seen.

    Returns:
        The file of this very name where there is one, else the one whose odd bytes the name tells;
        where there is neither, the former.
    """
    file = folder / name
    if "%" not in name or os.path.lexists(file):
        return file
    told = folder / os.fsdecode(unquote_to_bytes(os.fsencode(name)))
    return told if os.path.lexists(told) else file


def type_of_column(name: str) -> type[str] | type[bool] | type[int] | type[float]:
    """What a column of a record holds; texts and angles may be missing."""
    if name in TEXT_COLUMNS:
        return str
    if name in TRUTH_COLUMNS:
        return bool
    return int if name in _WHOLE_NUMBERS else float


def label_columns(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The column of each label: its name, or `label_…` where that is another column's."""
    return _label_columns(labels, "")


def leading_columns(labels: tuple[str, ...] = EMOTIONS) -> tuple[str, ...]:
    """What every record has first. The probabilities are calibrated and smoothed."""
    return (*_BEFORE_LABELS, *label_columns(labels), _AFTER_LABELS)


def columns_of(
    labels: tuple[str, ...] = EMOTIONS, *, raw: bool, temporal: bool = False
) -> tuple[str, ...]:
    """The columns that a record is written with, in order.

    Args:
        labels: What the network tells apart.
        raw: Add the calibrated probabilities before smoothing, `raw_…`.
        temporal: Add those of a temporal network: what each person showed so far, `whole_…`, and
            which network says so.
    """
    before = _label_columns(labels, _RAW_PREFIX) if raw else ()
    after = (DETECTED_COLUMN, SMOOTH_COLUMN, *before, READING_COLUMN, MISSED_COLUMN)
    whole = (*_label_columns(labels, _WHOLE_PREFIX), TEMPORAL_COLUMN) if temporal else ()
    return (*leading_columns(labels), *after, *ANGLE_COLUMNS, *whole)


def row_of(face: FaceEmotion, *, smooth_ms: float, raw: bool) -> dict[str, Any]:
    """One row, by column: numbers rounded to what they are good for, so that files stay small.

    A face that a temporal network judged has its columns as well; see `columns_of`.
    """
    row: dict[str, Any] = {
        "frame": int(face.frame),
        "timestamp_ms": round(float(face.timestamp_ms), 3),
        "track_id": face.track_id,
        "x": round(face.box.x, 2),
        "y": round(face.box.y, 2),
        "width": round(face.box.width, 2),
        "height": round(face.box.height, 2),
        "detection_score": round(face.detection_score, 4),
        "emotion": face.emotion,
        "confidence": round(face.confidence, 6),
        **_rounded(label_columns(face.labels), face.probabilities),
        "uncertain": face.uncertain,
        DETECTED_COLUMN: face.detected,
        SMOOTH_COLUMN: smooth_ms,
    }
    if raw:
        before = face.raw_probabilities
        columns = _label_columns(face.labels, _RAW_PREFIX)
        row |= _rounded(columns, face.probabilities if before is None else before)
    row[READING_COLUMN] = face.reading
    row[MISSED_COLUMN] = "; ".join(map(str, face.missed_limits)) or None
    for column in ANGLE_COLUMNS:
        degrees = getattr(face, column)
        row[column] = None if degrees is None else round(degrees, 1)
    if face.whole_probabilities is not None:
        row |= _rounded(_label_columns(face.labels, _WHOLE_PREFIX), face.whole_probabilities)
        row[TEMPORAL_COLUMN] = face.temporal_sha256
    return row


def csv_line(values: Iterable[object]) -> str:
    """The names of columns, or the values of a row, as a line of CSV, its end included.

    None is an empty value. A text that a spreadsheet would run as a formula gets an
    apostrophe, see `plain_text`.
    """
    return ",".join(map(_csv_value, values)) + "\n"


def plain_text(value: str) -> str:
    """A text of a CSV file that mien wrote, without the apostrophe that keeps it from being run."""
    return value[1:] if _NEUTRALISED.match(value) else value


def json_line(row: Mapping[str, Any]) -> str:
    """A row as a line of JSON, its end included."""
    return json.dumps(row, separators=(",", ":")) + "\n"


def shortened(text: str) -> str:
    """What a file holds, short enough for a message about it."""
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"


def parse_row(row: Mapping[str, Any], where: str) -> FaceEmotion:
    """Turn a row that was read, of strings or of values, back into a result.

    Args:
        row: By column, in the order of the file; columns after `uncertain` that are unknown are
            passed over.
        where: The file and line, for the message.

    Raises:
        DataError: if a column is missing or holds something else than it should.
    """
    labels = _labels_of(tuple(row))
    missing = [column for column in leading_columns(labels) if row.get(column) is None]
    if missing:
        raise DataError(
            f"{where} has no {shortened(', '.join(missing))}: expected a record that mien wrote, "
            f"with the columns {shortened(','.join(leading_columns(labels)))}."
        )
    emotion = row["emotion"]
    if emotion not in labels:
        raise DataError(
            f"{where}, column emotion: found {shortened(repr(emotion))}; expected one of "
            f"{shortened(', '.join(labels))}."
        )
    raw_columns = _label_columns(labels, _RAW_PREFIX)
    has_raw = all(row.get(column) is not None for column in raw_columns)
    whole_columns = _label_columns(labels, _WHOLE_PREFIX)
    # In CSV, rows that no temporal network made leave its columns empty beside those of one.
    has_whole = all(row.get(column) is not None for column in whole_columns) and any(
        row[column] != "" for column in whole_columns
    )
    return FaceEmotion(
        frame=int(_number(row, "frame", where)),
        timestamp_ms=_number(row, "timestamp_ms", where),
        track_id=int(_number(row, "track_id", where)),
        box=Box(*(_number(row, column, where) for column in ("x", "y", "width", "height"))),
        detection_score=_number(row, "detection_score", where),
        emotion=emotion,
        confidence=_number(row, "confidence", where),
        probabilities=_vector(row, label_columns(labels), where),
        uncertain=_truth(row, "uncertain", where),
        detected=_truth(row, DETECTED_COLUMN, where) if DETECTED_COLUMN in row else True,
        raw_probabilities=_vector(row, raw_columns, where) if has_raw else None,
        labels=labels,
        reading=_text_or_none(row, READING_COLUMN, where),
        missed_limits=_missed_limits(row, where),
        yaw_degrees=_number_or_none(row, "yaw_degrees", where),
        pitch_degrees=_number_or_none(row, "pitch_degrees", where),
        roll_degrees=_number_or_none(row, "roll_degrees", where),
        whole_probabilities=_vector(row, whole_columns, where) if has_whole else None,
        temporal_sha256=_text_or_none(row, TEMPORAL_COLUMN, where),
    )


@lru_cache(8)
def _label_columns(labels: tuple[str, ...], prefix: str) -> tuple[str, ...]:
    def column(label: str) -> str:
        is_taken = label in _TAKEN | _TAKEN_IN_A_BATCH or label.startswith(
            (_RAW_PREFIX, _WHOLE_PREFIX, _LABEL_PREFIX)
        )
        return prefix + (_LABEL_PREFIX if is_taken else "") + label

    return tuple(map(column, labels))


@lru_cache(8)
def _labels_of(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The labels of a table: what stands between `confidence` and `uncertain`.

    Somebody may have put the columns into another order: then they are FER2013's.
    """
    if "confidence" in columns and _AFTER_LABELS in columns:
        between = columns[columns.index("confidence") + 1 : columns.index(_AFTER_LABELS)]
        if between and not _TAKEN.intersection(between):
            return tuple(column.removeprefix(_LABEL_PREFIX) for column in between)
    return EMOTIONS


def _rounded(names: tuple[str, ...], values: NDArray[np.float32]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in zip(names, values, strict=True)}


def _csv_value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if isinstance(value, str) and _FORMULA.match(text):
        text = f"'{text}"
    # Only labels, paths and messages can hold these; paths have no line break, see `table_name`.
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
        found = shortened(repr(row[column]))
        raise DataError(f"{where}, column {shortened(column)}: found {found}; expected a number.")
    return value


def _text_or_none(row: Mapping[str, Any], column: str, where: str) -> str | None:
    value = row.get(column) or None
    if value is not None and not isinstance(value, str):
        raise DataError(f"{where}: {column} is {shortened(repr(value))}; expected a text.")
    return value


def _number_or_none(row: Mapping[str, Any], column: str, where: str) -> float | None:
    return None if row.get(column) in (None, "") else _number(row, column, where)


def _vector(row: Mapping[str, Any], columns: tuple[str, ...], where: str) -> NDArray[np.float32]:
    values = np.array([_number(row, column, where) for column in columns], np.float32)
    values.flags.writeable = False
    return values


def _missed_limits(row: Mapping[str, Any], where: str) -> tuple[MissedLimit, ...]:
    text = row.get(MISSED_COLUMN) or ""
    limits = []
    for part in filter(None, str(text).split("; ")):
        words = part.split(" ")
        try:
            name, value, _, bound = words
            limits.append(MissedLimit(name, float(value), float(bound)))
        except ValueError:
            raise DataError(
                f"{where}, column {MISSED_COLUMN}: found {shortened(repr(part))}; expected a "
                "limit of the gate that was missed, such as 'min_side_px 17.2 < 20'."
            ) from None
    return tuple(limits)


def _truth(row: Mapping[str, Any], column: str, where: str) -> bool:
    text = str(row[column]).lower()
    if text not in ("true", "false"):
        found = shortened(repr(row[column]))
        raise DataError(f"{where}, column {column}: found {found}; expected true or false.")
    return text == "true"
