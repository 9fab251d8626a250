"""Reading a record back."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.core.errors import DataError
from mien.core.types import FaceEmotion
from mien.record.parquet import parquet_rows
from mien.record.table import parse_row, plain_text


def read_record(path: Path) -> Iterator[FaceEmotion]:
    """The results in a record, row after row.

    Args:
        path: A file that ends in `.csv`, `.jsonl` or `.parquet`; text in UTF-8, with or without a
            byte order mark. A last line that breaks off, as a kill or a full disk may leave it, is
            passed over.

    Raises:
        DataError: if there is no such file, it cannot be read or is no record; the message names
            the line.
        MissingExtraError: if it is Parquet and pyarrow is missing.
    """
    for number, row in _rows_of(path):
        yield parse_row(row, f"{path}, line {number}")


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
    lines = _whole_lines(path)
    header = next(lines, (1, ""))[1]
    columns = _values(header, f"{path}, line 1")
    for number, line in lines:
        values = _values(line, f"{path}, line {number}")
        if len(values) != len(columns):
            raise DataError(
                f"{path}, line {number} has {len(values)} values; expected {len(columns)}, as the "
                "first line."
            )
        yield number, dict(zip(columns, values, strict=True))


def _values(line: str, where: str) -> list[str]:
    try:
        return [plain_text(value) for value in next(csv.reader([line]), [])]
    except csv.Error as error:
        raise DataError(f"{where} is not CSV: {error}; expected a record.") from None


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _whole_lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number} is not JSON: {error}.") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number} is no JSON object: expected one row a line.")
        yield number, row


def _numbered_parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    return enumerate(parquet_rows(path), start=1)


def _whole_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that end, with their numbers; empty ones are passed over."""
    try:
        # Spreadsheets and Windows' editor put a byte order mark before the first line.
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith("\n") and line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file in UTF-8: expected a record.") from None
