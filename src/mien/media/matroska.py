"""How much of a Matroska or WebM file is missing: it says at its beginning how long it is.

Such a file is a row of elements, each with its kind, its length and what is inside: first one that
says that this is Matroska, then one, the segment, with all the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

HEADER = bytes.fromhex("1a45dfa3")
"""What such a file begins with."""

_SEGMENT = bytes.fromhex("18538067")
_MOST_BEFORE = 16  # elements before the segment: one, or with padding two


def missing_bytes(path: Path) -> int:
    """Return how many bytes a Matroska or WebM file lacks at its end.

    Returns:
        0 where it is whole, where it leaves its length open, as browsers and live recordings do,
        and for a file of another kind or one that cannot be read any more.
    """
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            end = _end_of_segment(file, size_bytes)
    except OSError:
        return 0
    return 0 if end is None else max(end - size_bytes, 0)


def _end_of_segment(file: BinaryIO, size_bytes: int) -> int | None:
    """Where the segment ends by its own word; None where it does not say, or there is none."""
    if _kind(file) != HEADER:
        return None
    length = _length(file)
    for _ in range(_MOST_BEFORE):
        if length is None or file.tell() + length >= size_bytes:
            break
        file.seek(length, 1)
        kind, length = _kind(file), _length(file)
        if kind == _SEGMENT:
            return None if length is None else file.tell() + length
    return None


def _kind(file: BinaryIO) -> bytes:
    first = file.read(1)
    return first + file.read(_width(first) - 1)


def _length(file: BinaryIO) -> int | None:
    """The length of what follows, in bytes; None where it is left open."""
    first = file.read(1)
    bits = 7 * _width(first)
    # The bit that tells the width is no part of the number.
    number = int.from_bytes(first + file.read(_width(first) - 1)) & ((1 << bits) - 1)
    return None if number == (1 << bits) - 1 else number


def _width(first: bytes) -> int:
    """How many bytes a number has: one more than zeros before the first one bit."""
    # At the end of the file, and of a byte that cannot be, one: the number leads nowhere then.
    return 9 - first[0].bit_length() if first and first[0] else 1
