"""Writing a record while its source is watched, so that a kill loses a second at most."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mien.core.errors import DataError
from mien.core.files import temporary_beside
from mien.core.types import FaceEmotion
from mien.record.parquet import csv_to_parquet, require_pyarrow
from mien.record.table import columns_of, csv_line, json_line, row_of

FLUSH_S = 0.5
"""Rows reach the file this often."""


class TableWriter:
    """Writes one table to any of three formats at once; a context manager.

    CSV and JSON lines grow as they go, in place and by whole lines: a reader, or a kill, finds all
    rows but those of the last half second. Parquet cannot: it is made from the CSV at the end, and
    appears as a whole; if that fails, the rows stay in CSV. Files that were there are replaced. No
    path, no file.

    Args:
        columns: The names of the columns, in order.
        csv: Where to write CSV, if anywhere.
        jsonl: Where to write JSON lines, if anywhere.
        parquet: Where to write Parquet, if anywhere; needs `pip install 'mien[batch]'`.

    Raises:
        DataError: if a file cannot be written.
        MissingExtraError: if Parquet is asked for and pyarrow is missing.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        csv: Path | None = None,
        jsonl: Path | None = None,
        parquet: Path | None = None,
    ) -> None:
        self._parquet = parquet
        self._temporary_csv: Path | None = None
        if parquet is not None:
            require_pyarrow()
            if csv is None:
                csv = self._temporary_csv = _csv_beside(parquet)
        self._csv_path = csv
        self._files: list[_LineFile] = []
        if csv is not None:
            self._files.append(_LineFile(csv, csv_line, ",".join(columns) + "\n"))
        if jsonl is not None:
            self._files.append(_LineFile(jsonl, json_line))

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows, each with every column, in order.

        Raises:
            DataError: if the disk is full or the file cannot be written.
        """
        for file in self._files:
            file.append(rows)

    def close(self) -> None:
        """Finish all files; once more does nothing."""
        files, self._files = self._files, []
        for file in files:
            file.close()
        if files and self._parquet is not None and self._csv_path is not None:
            try:
                csv_to_parquet(self._csv_path, self._parquet)
            except DataError as error:
                raise DataError(f"{error} The rows are in {self._csv_path}.") from None
            if self._temporary_csv is not None:
                self._temporary_csv.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class RecordWriter(TableWriter):
    """Writes the record of a video or camera: a row a face a frame. See `TableWriter`.

    Args:
        smooth_ms: What the probabilities were smoothed with; it stands in every row.
        raw: Add the probabilities before smoothing.
        csv: Where to write CSV, if anywhere.
        jsonl: Where to write JSON lines, if anywhere.
        parquet: Where to write Parquet, if anywhere.
    """

    def __init__(
        self,
        *,
        smooth_ms: float,
        raw: bool = False,
        csv: Path | None = None,
        jsonl: Path | None = None,
        parquet: Path | None = None,
    ) -> None:
        super().__init__(columns_of(raw=raw), csv=csv, jsonl=jsonl, parquet=parquet)
        self._smooth_ms = smooth_ms
        self._raw = raw

    def write(self, faces: Iterable[FaceEmotion]) -> None:
        """Append the faces of a frame; see `append`."""
        self.append([row_of(face, smooth_ms=self._smooth_ms, raw=self._raw) for face in faces])


class _LineFile:
    """A text file that only ever holds whole lines."""

    def __init__(
        self, path: Path, to_line: Callable[[Mapping[str, Any]], str], header: str = ""
    ) -> None:
        self._path = path
        self._to_line = to_line
        self._waiting = [header] if header else []
        self._flushed_s = time.monotonic()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without a buffer of Python's own, each flush is one write of whole lines.
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise DataError(f"The record {path} cannot be written: {error.strerror}.") from None
        self._flush()

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._waiting.extend(map(self._to_line, rows))
        if time.monotonic() - self._flushed_s >= FLUSH_S:
            self._flush()

    def close(self) -> None:
        try:
            self._flush()
        finally:
            self._file.close()

    def _flush(self) -> None:
        # A file's name need not be UTF-8; Python keeps its other bytes as lone surrogates.
        content = memoryview("".join(self._waiting).encode(errors="backslashreplace"))
        self._waiting.clear()
        self._flushed_s = time.monotonic()
        try:
            while content:
                content = content[self._file.write(content) :]
        except OSError as error:
            raise DataError(
                f"The record {self._path} cannot be written any further: {error.strerror}."
            ) from None


def _csv_beside(parquet: Path) -> Path:
    try:
        return temporary_beside(parquet, ".csv")
    except OSError as error:
        raise DataError(f"The record {parquet} cannot be written: {error.strerror}.") from None
