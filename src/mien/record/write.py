"""Writing a record while its source is watched, so that a kill loses a second at most."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mien.core.errors import OutputError
from mien.core.files import is_special, temporary_output, write_atomically
from mien.core.lock import try_lock
from mien.core.signals import signals_held_back
from mien.core.types import FaceEmotion
from mien.record.parquet import csv_to_parquet, require_pyarrow
from mien.record.summary import Summary
from mien.record.table import columns_of, csv_line, json_line, row_of

STANDARD_OUTPUT = Path("-")
"""The name of standard output, for tables in CSV and in JSON lines, and for summaries."""

FLUSH_S = 0.5
"""Rows reach the file this often."""

_O_BINARY = getattr(os, "O_BINARY", 0)  # Windows' alone.


class TableWriter:
    """Writes one table to any of three formats at once; a context manager.

    CSV and JSON lines grow as they go, in place and by whole lines: a reader, or a kill, finds all
    rows but those of the last half second. Parquet cannot: it is made from the CSV at the end, and
    appears as a whole; if that fails, or the disk is full before, the rows stay in CSV. Files that
    were there are replaced. No path, no file. A pipe or a device is written to as standard output
    is.

    Args:
        columns: The names of the columns, in order.
        csv: Where to write CSV, if anywhere; `STANDARD_OUTPUT` is possible.
        jsonl: Where to write JSON lines, if anywhere; likewise.
        parquet: Where to write Parquet, if anywhere; needs `pip install 'mien[parquet]'`.

    Raises:
        OutputError: if a file cannot be written, or another writer, of whatever process, has not
            finished with it.
        BrokenPipeError: if whoever reads standard output or a pipe wants no more, here and in
            `append`.
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
        self._is_broken = False
        self._temporary_csv: Path | None = None
        self._csv_path = csv
        if parquet is not None:
            if parquet == STANDARD_OUTPUT:
                raise OutputError(
                    "Parquet cannot go to standard output: name a file, or write --csv - or "
                    "--jsonl - instead."
                )
            require_pyarrow()
            # What went to a pipe or a device cannot be read again.
            if csv is None or csv == STANDARD_OUTPUT or is_special(csv):
                self._csv_path = self._temporary_csv = temporary_output(parquet, ".csv")
        self._files: list[_LineFile] = []
        try:
            for path in dict.fromkeys([csv, self._csv_path]):
                if path is not None:
                    self._files.append(
                        _LineFile(path, lambda row: csv_line(row.values()), csv_line(columns))
                    )
            if jsonl is not None:
                self._files.append(_LineFile(jsonl, json_line))
            # Not before all of them can be written does any lose what it held.
            for file in self._files:
                file.begin()
        except BaseException:
            for file in self._files:
                file.abandon()
            if self._temporary_csv is not None:
                self._temporary_csv.unlink()
            raise

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows, each with every column, in order.

        Raises:
            OutputError: if the disk is full or the file cannot be written.
        """
        with self._noticing_failures():
            _with_each(self._files, lambda file: file.append(rows))

    def close(self) -> None:
        """Finish all files; once more does nothing."""
        # Somebody who ended the reading may press Ctrl-C once more.
        with signals_held_back():
            self._finish()

    def _finish(self) -> None:
        files, self._files = self._files, []
        try:
            with self._noticing_failures():
                _with_each(files, _LineFile.close)
        finally:
            # A table of the rows until then would hide why it ends, and the disk is full. A reader
            # who left takes nothing from the others.
            if files and not self._is_broken:
                self._make_parquet()

    def _make_parquet(self) -> None:
        if self._parquet is not None and self._csv_path is not None:
            csv_to_parquet(self._csv_path, self._parquet)
            if self._temporary_csv is not None:
                self._temporary_csv.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _noticing_failures(self) -> Iterator[None]:
        try:
            yield
        except OutputError as error:
            self._is_broken = True
            if self._parquet is None:
                raise
            raise OutputError(
                f"{error} {self._parquet} was not made of it; the rows until then are in "
                f"{self._csv_path}."
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutputs:
    """Where the record of a video or camera goes, and what stands in it; nothing that is None.

    Attributes:
        csv: Record in CSV.
        jsonl: Record in JSON lines.
        parquet: Record in Parquet.
        raw: Put the probabilities before smoothing into the record as well.
    """

    csv: Path | None = None
    jsonl: Path | None = None
    parquet: Path | None = None
    raw: bool = False


class RecordWriter(TableWriter):
    """Writes the record of a video or camera: a row a face a frame. See `TableWriter`.

    Args:
        labels: What the network tells apart: `Classifier.labels`.
        outputs: Where it goes, and what stands in it.
        smooth_ms: What the probabilities were smoothed with; it stands in every row.
        temporal: Add what a temporal network says; see `mien.record.table.columns_of`.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        outputs: RecordOutputs,
        *,
        smooth_ms: float,
        temporal: bool = False,
    ) -> None:
        columns = columns_of(labels, raw=outputs.raw, temporal=temporal)
        super().__init__(columns, csv=outputs.csv, jsonl=outputs.jsonl, parquet=outputs.parquet)
        self._smooth_ms = smooth_ms
        self._raw = outputs.raw

    def write(self, faces: Iterable[FaceEmotion]) -> None:
        """Append the faces of a frame; see `append`."""
        self.append([row_of(face, smooth_ms=self._smooth_ms, raw=self._raw) for face in faces])


def check_summary_place(path: Path) -> None:
    """Raise OutputError if a summary cannot be written to `path`, before it is computed."""
    if path != STANDARD_OUTPUT and not is_special(path):
        temporary_output(path).unlink()


def write_summary(path: Path, summary: Summary) -> None:
    """Write what a record amounts to, in JSON: `Summary.document`.

    Args:
        path: The file; `STANDARD_OUTPUT` is possible.
        summary: What it amounts to.

    Raises:
        OutputError: if the file cannot be written.
        BrokenPipeError: if whoever reads standard output wants no more.
    """
    content = json.dumps(summary.document(), indent=2) + "\n"
    if path != STANDARD_OUTPUT:
        write_atomically(path, content)
        return
    try:
        with open(1, "wb", closefd=False) as standard_output:
            standard_output.write(content.encode())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"The summary {path} cannot be written: {error.strerror}.") from None


def _with_each(files: Iterable[_LineFile], do: Callable[[_LineFile], None]) -> None:
    """Do it with each file, whatever becomes of the others, and raise what went wrong then.

    Of several errors, one of a disk rather than that of a reader who left.
    """
    errors: list[OutputError | BrokenPipeError] = []
    for file in files:
        try:
            do(file)
        except (OutputError, BrokenPipeError) as error:
            errors.append(error)
    if errors:
        raise min(errors, key=lambda found: isinstance(found, BrokenPipeError))


class _LineFile:
    """A text file that only ever holds whole lines."""

    def __init__(
        self, path: Path, to_line: Callable[[Mapping[str, Any]], str], header: str = ""
    ) -> None:
        self._path = path
        self._to_line = to_line
        self._waiting = [header] if header else []
        self._flushed_s = time.monotonic()
        self._is_new = path != STANDARD_OUTPUT and not os.path.lexists(path)
        try:
            # Without a buffer of Python's own, each flush is one write of whole lines.
            if path == STANDARD_OUTPUT:
                self._file = open(1, "wb", buffering=0, closefd=False)  # noqa: SIM115
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | _O_BINARY, 0o666)
                self._file = os.fdopen(descriptor, "wb", buffering=0)
        except OSError as error:
            raise OutputError(f"The record {path} cannot be written: {error.strerror}.") from None
        self._is_own = path != STANDARD_OUTPUT and stat.S_ISREG(
            os.fstat(self._file.fileno()).st_mode
        )
        if self._is_own and not try_lock(self._file.fileno()):
            self._file.close()
            raise OutputError(
                f"The record {path} is being written already, perhaps by another process: name "
                "another file, or wait for it, or stop it."
            )

    def begin(self) -> None:
        """Take the place of what the file held."""
        if self._is_own:
            self._file.truncate()
        self._flush()

    def abandon(self) -> None:
        """Close the file with what it had, or remove it where it was not there."""
        self._file.close()
        if self._is_new:
            self._path.unlink()

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
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(
                f"The record {self._path} cannot be written any further: {error.strerror}."
            ) from None
