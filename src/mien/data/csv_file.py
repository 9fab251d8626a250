"""A parser for FER2013's CSV files: fast on good rows, exact about bad ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.labels import EMOTIONS
from mien.core.preprocess import FACE_SIZE
from mien.data.classes import FER2013_CLASSES
from mien.data.usage import USAGE_OF_NAME, USAGES

PIXELS = FACE_SIZE * FACE_SIZE
_LABELS_EXPECTED = f"0 to {len(EMOTIONS) - 1}, or {', '.join(EMOTIONS)}"

# So many rows, with the arrays that come of them, fit into a processor's second-level cache.
_ROWS_AT_ONCE = 12
_BUFFER_BYTES = 1 << 18
_AROUND_CELLS = b' "\r\n'
_SHOWN_CHARACTERS = 20

_Value = TypeVar("_Value", int, str)


class Columns(NamedTuple):
    """What a file holds.

    Attributes:
        faces_u8: (N, 48, 48) uint8.
        labels: (N,) int64 labels, 0 to 6, or None where the file has no column `emotion`.
        usage: (N,) strings, each one of `USAGES`, or None where the file has no column `Usage`.
    """

    faces_u8: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    usage: NDArray[np.str_] | None


class _Row(NamedTuple):
    path: Path
    number: int
    cells: list[bytes]

    def error(self, column: str, found: str, expected: str) -> DataError:
        return DataError(
            f"{self.path}, row {self.number:,} (line {self.number + 1:,}), column {column}: "
            f"found {found}; expected {expected}."
        )


def has_fer2013_header(path: Path) -> bool:
    """Say whether a file's header names FER2013's columns and no others, with commas between them.

    A file whose header cannot be read or is empty counts as one: `parse_csv` says what is wrong.
    """
    try:
        with path.open("rb") as file:
            header = file.readline(_BUFFER_BYTES)
    except OSError:
        return True
    names = _names(header)
    return not any(names) or set(map(str.lower, names)) <= {"emotion", "pixels", "usage"}


def parse_csv(path: Path) -> Columns:
    """Parse a CSV file with a column `pixels` and, in any order, `emotion` and `Usage`.

    Case and spaces in the header, quotes around cells, blank lines, a byte order mark and
    Windows' line ends do not matter.

    Args:
        path: The file.

    Raises:
        DataError: if the file cannot be read, or its content is not what it should be; the
            message says in which row (the line after the header is row 1) and column.
    """
    labels: list[int] = []
    usage: list[str] = []
    count = 0
    try:
        with path.open("rb", buffering=_BUFFER_BYTES) as file:
            names = _column_names(file.readline(), path)
            rows = _rows(file, names, path)
            # A pixel takes two characters at least. What is not written to takes no memory.
            faces = np.empty((path.stat().st_size // (2 * PIXELS) + 1, PIXELS), dtype=np.uint8)
            while group := list(islice(rows, _ROWS_AT_ONCE)):
                faces[count : count + len(group)] = _parse_faces(group, names)
                count += len(group)
                if "emotion" in names:
                    labels += _look_up(group, names, "emotion", _label, _LABELS_EXPECTED)
                if "Usage" in names:
                    usage += _look_up(group, names, "Usage", _usage, ", ".join(USAGES))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    if not count:
        raise DataError(f"{path} holds no face: expected a header and one row a face.")
    return Columns(
        faces[:count].reshape(-1, FACE_SIZE, FACE_SIZE),
        np.array(labels, dtype=np.int64) if labels else None,
        np.array(usage) if usage else None,
    )


def _column_names(header: bytes, path: Path) -> list[str]:
    names = _names(header)
    if not any(names):
        raise DataError(f"{path} is empty; expected a header and one row a face.")
    known = {name.lower(): name for name in ("emotion", "pixels", "Usage")}
    columns = [known.get(name.lower(), "") for name in names]
    if "pixels" not in columns or "" in columns or len(set(columns)) < len(columns):
        raise DataError(
            f"{path}, line 1: found the header {','.join(names)[:80]!r}; expected the column "
            "'pixels' and, besides, only 'emotion' and 'Usage', each once."
        )
    return columns


def _names(header: bytes) -> list[str]:
    text = header.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace").strip()
    return [cell.strip(' "') for cell in text.split(",")]


def _rows(lines: Iterable[bytes], names: list[str], path: Path) -> Iterator[_Row]:
    before = names.index("pixels")
    after = len(names) - 1 - before
    for number, line in enumerate(lines, start=1):
        if line.isspace():
            continue
        # `pixels` takes nearly all of a line: it is not searched for commas here.
        cells = line.split(b",", before)
        cells[-1:] = cells[-1].rsplit(b",", after)
        row = _Row(path, number, [cell.strip(_AROUND_CELLS) for cell in cells])
        if len(cells) != len(names):
            raise row.error(names[-1], f"{len(cells)} columns", f"{len(names)}")
        yield row


@cache
def _label(cell: bytes) -> int | None:
    return FER2013_CLASSES.label_of(cell.decode("utf-8", errors="replace"))


@cache
def _usage(cell: bytes) -> str | None:
    return USAGE_OF_NAME.get(cell.decode("utf-8", errors="replace").casefold())


def _look_up(
    rows: list[_Row],
    names: list[str],
    column: str,
    value_of: Callable[[bytes], _Value | None],
    expected: str,
) -> list[_Value]:
    index = names.index(column)
    values = []
    for row in rows:
        value = value_of(row.cells[index])
        if value is None:
            raise row.error(column, _show(row.cells[index]), f"one of {expected}")
        values.append(value)
    return values


def _parse_faces(rows: list[_Row], names: list[str]) -> NDArray[np.uint8]:
    """Return the faces of some rows, (N, 2304) uint8."""
    index = names.index("pixels")
    faces = _parse_plain([row.cells[index] for row in rows])
    return np.stack([_parse_checked(row, index) for row in rows]) if faces is None else faces


def _parse_plain(cells: list[bytes]) -> NDArray[np.uint8] | None:
    """Parse digits and spaces, all cells at once; None where something is not as it should be."""
    # Two spaces ahead, so that every digit has two characters before it.
    characters = np.frombuffer(b" ".join([b" ", *cells, b""]), dtype=np.uint8)
    digits = characters - np.uint8(ord("0"))
    is_digit = digits < 10
    digit_count = np.count_nonzero(is_digit)
    if digit_count + np.count_nonzero(characters == ord(" ")) < len(characters):
        return None
    digits *= is_digit
    # For every character, as if it were the last of its number; 256 overflows to 0, and so on.
    values = digits[:-2] * (is_digit[1:-1] & is_digit[2:])
    if values.max() > 2:
        return None
    values *= np.uint8(100)
    values += digits[2:]
    digits *= np.uint8(10)
    values += digits[1:-1]
    last_digits = np.flatnonzero(is_digit[2:-1] > is_digit[3:])
    numbers_before = np.searchsorted(last_digits, np.cumsum([len(cell) + 1 for cell in cells]))
    if not np.array_equal(numbers_before, PIXELS * np.arange(1, len(cells) + 1)):
        return None
    faces = values[last_digits]
    # Numbers of four digits, and those that overflowed, have fewer digits now than before.
    digits_left = len(faces) + np.count_nonzero(faces >= 10) + np.count_nonzero(faces >= 100)
    return faces.reshape(len(cells), PIXELS) if digits_left == digit_count else None


def _parse_checked(row: _Row, index: int) -> NDArray[np.uint8]:
    """Parse the pixels of one row the plain way, which finds what is wrong with them."""
    cell = row.cells[index]
    if b"," in cell:
        found = len(row.cells) + cell.count(b",")
        raise row.error("pixels", f"{found} columns", f"{len(row.cells)}")
    values = cell.split()
    if len(values) != PIXELS:
        raise row.error("pixels", f"{len(values):,} values", f"{PIXELS:,}")
    for position, value in enumerate(values, start=1):
        if not value.isdigit() or int(value[-4:]) > 255 or value[:-4].strip(b"0"):
            raise row.error(
                "pixels",
                f"{_show(value)} as value {position:,}",
                "a whole number from 0 to 255",
            )
    return np.array([int(value[-4:]) for value in values], dtype=np.uint8)


def _show(cell: bytes) -> str:
    text = cell.decode("utf-8", errors="replace")
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")
