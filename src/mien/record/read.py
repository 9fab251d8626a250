"""Reading a record back."""

from __future__ import annotations

import csv
import itertools
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.core.errors import DataError
from mien.core.types import FaceEmotion
from mien.record.parquet import parquet_rows
from mien.record.table import leading_columns, parse_row, plain_text, shortened


def read_record(path: str | Path) -> Iterator[FaceEmotion]:
    """The results in a record, row after row.

    Args:
        path: A file that ends in `.csv`, `.jsonl` or `.parquet`; text in UTF-8, with or without a
            byte order mark. A last line that breaks off, as a full disk may leave it, is passed
            over: see `broken_end`.

    Raises:
        DataError: if there is no such file, it cannot be read or is no record; the message names
            the line.
        MissingExtraError: if it is Parquet and pyarrow is missing.
    """
    for number, row in _rows_of(Path(path)):
        yield parse_row(row, f"{path}, line {number}")


def broken_end(path: Path) -> str | None:
    """Return a sentence about the last line of a record, if it is passed over; None if not.

    A line of CSV without an end may lack a part of its last value, even if all values are there.
    One of JSON is whole if it can be read.

    Raises:
        DataError: if the record cannot be read.
    """
    if path.suffix.lower() == ".parquet":
        return None
    try:
        (last,) = deque(_lines(path), maxlen=1) or [None]
    except OSError as error:
        raise DataError(f"The record {path} cannot be read: {error.strerror}.") from None
    if last is None or last.is_whole or (path.suffix.lower() == ".jsonl" and _is_json(last.text)):
        return None
    return (
        f"Line {last.number}, the last one, was passed over: it has no line break at its end, and "
        "so may be cut off. If it is whole, add one."
    )


def nothing_to_show(path: Path) -> DataError:
    """Return the error of a record without a row that has a face, or of what is no record."""
    broken = broken_end(path)
    if broken is None and path.suffix.lower() == ".csv":
        columns = _values(next((line.text for line in _lines(path)), ""), str(path))
        if not {*leading_columns(())} <= {*columns}:
            told = shortened(", ".join(columns))
            found = f"has no row, and the columns {told}" if columns else "is empty"
            return DataError(
                f"{path} {found}: expected a record that mien wrote, whose first line "
                f"begins with {','.join(leading_columns(()))[:40]}…"
            )
    why = broken or "No face was found."
    return DataError(f"{path} holds no row with a face, so there is nothing to show. {why}")


@dataclass(frozen=True, slots=True, eq=False)
class PictureRow:
    """A row of a table of pictures.

    Attributes:
        path: The picture's file.
        face: One of its faces; None where the picture could not be read.
        error: Why it could not be read; None where it could.
    """

    path: str
    face: FaceEmotion | None
    error: str | None


def is_table_of_pictures(path: Path) -> bool:
    """Whether a file is a table of pictures, as `mien image` writes it, by its first row.

    Raises:
        DataError: as `read_record`.
        MissingExtraError: likewise.
    """
    return _has_column(path, "path")


def is_collection(path: Path) -> bool:
    """Whether a file is a record of several sources, as mien's page saves it, by its first row.

    Raises:
        DataError: as `read_record`.
        MissingExtraError: likewise.
    """
    return _has_column(path, "source")


def _has_column(path: Path, column: str) -> bool:
    return any(column in row for _, row in itertools.islice(_rows_of(path), 1))


def read_pictures(path: Path) -> Iterator[PictureRow]:
    """The rows of a table of pictures, one after another; see `read_record`."""
    for number, row in _rows_of(path):
        error = row.get("error") or None
        face = None if error is not None else parse_row(row, f"{path}, line {number}")
        yield PictureRow(str(row.get("path")), face, error)


def read_collection(path: Path) -> Iterator[tuple[str, FaceEmotion]]:
    """The rows of a record of several sources, each with its source's name; see `read_record`.

    Those of sources that could not be read, as in a part of a batch, are passed over.
    """
    for number, row in _rows_of(path):
        if not row.get("error"):
            yield str(row.get("source")), parse_row(row, f"{path}, line {number}")


def _rows_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    readers = {".csv": _csv_rows, ".jsonl": _json_rows, ".parquet": _numbered_parquet_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path} is no record by its name: expected it to end in {', '.join(readers)}."
        )
    try:
        if not path.is_file():
            raise DataError(
                f"There is no record {path}: `mien video clip.mp4 --csv {path}` writes one."
            )
        yield from reader(path)
    except OSError as error:
        raise DataError(f"The record {path} cannot be read: {error.strerror}.") from None


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    columns: list[str] | None = None
    for line in _lines(path):
        if not line.is_whole:
            return
        values = _values(line.text, f"{path}, line {line.number}")
        if columns is None:
            columns = values
            mark = next((mark for mark in (";", "\t") if mark in line.text), None)
            if len(columns) == 1 and mark is not None:
                raise DataError(
                    f"{path} has {mark!r} between its values, as some spreadsheets save; expected "
                    "',', and '.' in numbers, as mien wrote it."
                )
            continue
        if len(values) != len(columns):
            raise DataError(
                f"{path}, line {line.number} has {len(values)} values; expected {len(columns)}, as "
                "the first line."
            )
        yield line.number, dict(zip(columns, values, strict=True))


def _values(line: str, where: str) -> list[str]:
    try:
        return [plain_text(value) for value in next(csv.reader([line]), [])]
    except csv.Error as error:
        raise DataError(f"{where} is not CSV: {error}; expected a record.") from None


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for line in _lines(path):
        if not line.is_whole and not _is_json(line.text):
            return
        where = f"{path}, line {line.number}"
        try:
            row = json.loads(line.text)
        except ValueError as error:
            raise DataError(f"{where} is not JSON: {error}.") from None
        except RecursionError:
            raise DataError(f"{where} is nested too deeply: expected one row a line.") from None
        if not isinstance(row, dict):
            raise DataError(f"{where} is no JSON object: expected one row a line.")
        yield line.number, row


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _numbered_parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    return enumerate(parquet_rows(path), start=1)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a text file, without its end; its number, from 1; whether it has an end."""

    number: int
    text: str
    is_whole: bool


def _lines(path: Path) -> Iterator[_Line]:
    """The lines of a file; empty ones are passed over."""
    try:
        # Spreadsheets and Windows' editor put a byte order mark before the first line.
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _Line(number, line.rstrip("\r\n"), line.endswith("\n"))
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file in UTF-8: expected a record.") from None
