"""Whether the pixels of a PNG unpack to more than the picture has.

libpng unpacks what follows the last row as well, only to throw it away: so a file of some megabytes
could keep a core busy for as long as gigabytes take, however small the picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from mien.serve.http.problems import Problem

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # By colour type; libpng refuses all others.
_AT_ONCE = ((0, 0, 1, 1),)
# Where the pixels of each pass of an interlaced picture begin, and how far they are apart.
_PASSES = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)
_SPARE_BYTES = 2**20
"""Some programs write a little more than the rows, which does no harm."""

_PACKED_PIECE, _UNPACKED_PIECE = 2**16, 2**20


def check_pixels(png: bytes) -> None:
    """Refuse a PNG whose pixels unpack to more than its size says.

    They are unpacked bit by bit and not kept. What is damaged is left to the decoder, which ends
    there.

    Args:
        png: A whole file, as `Header.picture` is.

    Raises:
        Problem: `unreadable`.
    """
    expected = _expected_bytes(png)
    left = expected + _SPARE_BYTES
    # What hardly unpacks to anything takes its time all the same.
    packed_left = left + expected
    unpacker = zlib.decompressobj()
    try:
        for piece in _packed_pieces(png):
            packed_left -= len(piece)
            while piece and not unpacker.eof and left >= 0 <= packed_left:
                left -= len(unpacker.decompress(piece, _UNPACKED_PIECE))
                piece = unpacker.unconsumed_tail
            if left < 0 or packed_left < 0:
                raise Problem(
                    "unreadable",
                    f"The pixels of the PNG are more than the {expected:,} bytes that its size "
                    "makes; it is damaged. Save it again.",
                )
    except zlib.error:
        return


def _expected_bytes(png: bytes) -> int:
    """How many bytes the pixels of a PNG are, with the byte that begins each row."""
    width, height, depth, colours, _, _, interlace = struct.unpack_from(">IIBBBBB", png, 16)
    bits = depth * _CHANNELS.get(colours, 0)
    total = 0
    for left, top, across, down in _PASSES if interlace else _AT_ONCE:
        columns, rows = len(range(left, width, across)), len(range(top, height, down))
        if columns:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _packed_pieces(png: bytes) -> Iterator[bytes]:
    position = 8
    while position < len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        end = position + 8 + length
        if kind == b"IDAT":
            for start in range(position + 8, end, _PACKED_PIECE):
                yield png[start : min(start + _PACKED_PIECE, end)]
        position = end + 4
