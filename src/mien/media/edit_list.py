"""How much of its video an MP4 or MOV file shows: a trimmed one may hide a part and keep it.

Such a file is a tree of boxes, each with its length, its kind and what is inside.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path


def shown_ms(path: Path) -> float | None:
    """Return how long the edit list lets the video of an MP4 or MOV file be seen, in milliseconds.

    Returns:
        None where the file has no edit list, or one that leaves it open.
    """
    try:
        movie = _movie(path)
        timescale = _timescale(movie)
        edits = [edit for track in _inside(movie, b"trak") for edit in _edits_of_video(track)]
    except (OSError, OverflowError, struct.error):
        return None
    # An empty edit, whose start is -1, only shifts what follows.
    units = sum(duration for duration, start in edits if start >= 0)
    return units * 1000 / timescale if units and timescale else None


def _movie(path: Path) -> bytes:
    with path.open("rb") as file:
        # The box of the frames may be larger than the memory: it is passed over.
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if length == 1:
                length = struct.unpack(">Q", file.read(8))[0] - 8
            if kind == b"moov":
                return file.read(length - 8)
            if length < 8:
                break
            file.seek(length - 8, 1)
    return b""


def _timescale(movie: bytes) -> int:
    """Units a second that the edits' durations are in."""
    for header in _inside(movie, b"mvhd"):
        (timescale,) = struct.unpack_from(">I", header, 20 if header[:1] == b"\1" else 12)
        return int(timescale)
    return 0


def _edits_of_video(track: bytes) -> Iterator[tuple[int, int]]:
    """Duration and start in the media of each edit; nothing for a track that is no video."""
    if not any(handler[8:12] == b"vide" for handler in _inside(track, b"mdia", b"hdlr")):
        return
    for edits in _inside(track, b"edts", b"elst"):
        (count,) = struct.unpack_from(">I", edits, 4)
        entry = struct.Struct(">Qq4x" if edits[:1] == b"\1" else ">Ii4x")
        for number in range(count):
            yield entry.unpack_from(edits, 8 + number * entry.size)


def _inside(content: bytes, *kinds: bytes) -> Iterator[bytes]:
    """What is in each box of the first kind, in it of the second kind, and so on."""
    at = 0
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if length < 8:
            return
        inner = content[at + 8 : at + length]
        if kind == kinds[0]:
            if kinds[1:]:
                yield from _inside(inner, *kinds[1:])
            else:
                yield inner
        at += length
