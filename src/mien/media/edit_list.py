"""How many frames an MP4 or MOV file counts, how much of its video it shows, and if mirrored.

A trimmed one may hide a part and keep it.

Such a file is a tree of boxes, each with its length, its kind and what is inside.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_BEYOND_ANY_FILE = 1 << 62


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


def holds_sample_count(path: Path) -> bool:
    """Return whether an MP4 or MOV file holds the number of its video's frames.

    One in fragments, as cameras and streams write it, has none in the place for it, nor has sound
    with a picture on its cover.
    """
    try:
        movie = _movie(path)
        return any(
            struct.unpack_from(">I", table, 8)[0]
            for track in _inside(movie, b"trak")
            if _is_video(track)
            for kind in (b"stsz", b"stz2")
            for table in _inside(track, b"mdia", b"minf", b"stbl", kind)
        )
    except (OSError, OverflowError, struct.error):
        return False


def is_mirrored(path: Path) -> bool:
    """Return whether an MP4 or MOV file lets its video be shown mirrored, as some front cameras do.

    The matrix that says so may turn it as well.
    """
    try:
        return any(
            _is_mirrored(header)
            for track in _inside(_movie(path), b"trak")
            if _is_video(track)
            for header in _inside(track, b"tkhd")
        )
    except (OSError, OverflowError, struct.error):
        return False


def missing_of_last_box(path: Path) -> int:
    """Return how many bytes an MP4 or MOV file lacks of its last box.

    Returns:
        0 for a file of another kind, or one that cannot be read any more.
    """
    end = 0
    try:
        with path.open("rb") as file:
            for kind, _, box_end in _outer_boxes(file):
                if end == 0 and kind != b"ftyp":
                    return 0
                end = box_end
        return max(end - path.stat().st_size, 0)
    except OSError:
        return 0


def _movie(path: Path) -> bytes:
    """What is in the box that says all of the tracks; nothing where there is none."""
    movie = b""
    with path.open("rb") as file:
        for kind, begin, end in _outer_boxes(file):
            if kind == b"moov":
                # A damaged length may be larger than the file, and than any memory.
                movie = file.read(min(end, path.stat().st_size) - begin)
                break
        # On macOS whoever opens /dev/fd/0 shares its place in the file with all others.
        file.seek(0)
    return movie


def _outer_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind of each outer box, and where its content begins and ends; the file stands at the begin.

    What is in a box is passed over, as that of the frames may be larger than the memory. The last
    box may end behind the file.
    """
    at = 0
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        begin = at + 8
        if length == 1 and len(large := file.read(8)) == 8:
            (length,) = struct.unpack(">Q", large)
            begin += 8
        # 0: to the end of the file.
        if not begin - at <= length < _BEYOND_ANY_FILE:
            return
        yield kind, begin, at + length
        at += length
        file.seek(at)


def _timescale(movie: bytes) -> int:
    """Units a second that the edits' durations are in."""
    for header in _inside(movie, b"mvhd"):
        (timescale,) = struct.unpack_from(">I", header, 20 if header[:1] == b"\1" else 12)
        return int(timescale)
    return 0


def _edits_of_video(track: bytes) -> Iterator[tuple[int, int]]:
    """Duration and start in the media of each edit; nothing for a track that is no video."""
    if not _is_video(track):
        return
    for edits in _inside(track, b"edts", b"elst"):
        (count,) = struct.unpack_from(">I", edits, 4)
        entry = struct.Struct(">Qq4x" if edits[:1] == b"\1" else ">Ii4x")
        for number in range(count):
            yield entry.unpack_from(edits, 8 + number * entry.size)


def _is_video(track: bytes) -> bool:
    return any(handler[8:12] == b"vide" for handler in _inside(track, b"mdia", b"hdlr"))


def _is_mirrored(header: bytes) -> bool:
    """Whether the matrix in the header of a track is one that mirrors: by its determinant."""
    a, b, _, c, d = struct.unpack_from(">5i", header, 52 if header[:1] == b"\1" else 40)
    return bool(a * d < b * c)


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
