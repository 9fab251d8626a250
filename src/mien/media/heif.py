"""The boxes of HEIF files (AVIF, HEIC), and how their main picture is to be turned.

The files are those of ISO/IEC 14496-12, the properties of pictures those of ISO/IEC 23008-12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError

HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}
)
"""Bytes 8 to 12 of a HEIC file. Some AVIF files have those that begin with `m`, too."""

MOST_BOXES = 10_000
"""Boxes side by side, and items with properties: a large picture in tiles has some hundred."""


def has_boxes(content: bytes) -> bool:
    """Whether a file is made of boxes, as AVIF, HEIC and MP4 are."""
    return content[4:8] == b"ftyp"


def find_box(content: bytes, path: tuple[bytes, ...], start: int, end: int) -> tuple[int, int]:
    """Return where the content of a box begins and ends.

    Args:
        content: The file.
        path: The names of the boxes from outside in; of several of one name, the first counts.
        start: Where the boxes begin in which it is sought.
        end: Where they end.

    Raises:
        SourceError: if it is not there, or the boxes are damaged.
    """
    for name in path:
        for kind, begin, after in boxes(content, start, end):
            if kind == name:
                start, end = begin, after
                break
        else:
            raise SourceError(
                f"The picture has no box {name.decode('ascii')!r}, which every AVIF and HEIC file "
                "has: it is damaged. Copy it again."
            )
    return start, end


def boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Give the boxes that lie side by side: name, and where the content begins and ends.

    No more than `MOST_BOXES` are given.

    Raises:
        SourceError: if one is longer than what it lies in, or the file breaks off.
    """
    for _ in range(MOST_BOXES):
        if start >= end:
            return
        length, kind = _unpack(">I4s", content, start)
        begin = start + 8
        if length == 1:
            (length,) = _unpack(">Q", content, begin)
            begin += 8
        after = end if length == 0 else start + length
        if not begin <= after <= end:
            raise SourceError(
                f"A box of the picture would reach from byte {start} to {after}; expected an end "
                f"from {begin} to {end}: the picture is truncated. Copy it again."
            )
        yield kind, begin, after
        start = after


def upright(image: NDArray[Any], content: bytes) -> NDArray[Any]:
    """Turn and mirror a decoded picture as the properties `irot` and `imir` of its file say.

    OpenCV ignores them, and they alone count: an EXIF orientation in such a file is a note.

    Args:
        image: (H, W) or (H, W, C): the main picture as it is stored.
        content: The file. Where its boxes are damaged or missing, the picture is not turned: it
            could be decoded, and nothing says how to turn it.

    Returns:
        (H, W) or (W, H), and C: the picture as it is to be shown.
    """
    try:
        turns = _turns(content)
    except SourceError:
        return image
    for kind, value in turns:
        # Quarter turns, anti-clockwise in both; or 0 for top and bottom, 1 for left and right.
        image = np.rot90(image, value & 3) if kind == b"irot" else np.flip(image, value & 1)
    return np.ascontiguousarray(image)


def _turns(content: bytes) -> list[tuple[bytes, int]]:
    """The properties `irot` and `imir` of the main picture with their values, in order."""
    start, end = find_box(content, (b"meta",), 0, len(content))
    start += 4  # The content of some boxes begins with a byte of version and three of flags.
    main_item = _main_item(content, find_box(content, (b"pitm",), start, end)[0])
    start, end = find_box(content, (b"iprp",), start, end)
    properties = list(boxes(content, *find_box(content, (b"ipco",), start, end)))
    numbers = [
        number
        for kind, begin, after in boxes(content, start, end)
        if kind == b"ipma"
        for number in _properties_of(main_item, content[begin:after])
    ]
    # They are counted from 1; 0 is none.
    of_main = [properties[number - 1] for number in numbers if 0 < number <= len(properties)]
    return [
        (kind, content[begin])
        for kind, begin, after in of_main
        if kind in (b"irot", b"imir") and begin < after
    ]


def _main_item(content: bytes, begin: int) -> int:
    """The number of the main picture, from the content of `pitm`."""
    (version_and_flags,) = _unpack(">I", content, begin)
    (item,) = _unpack(">H" if version_and_flags >> 24 == 0 else ">I", content, begin + 4)
    return int(item)


def _properties_of(wanted: int, ipma: bytes) -> list[int]:
    """The numbers of the properties of an item, from the content of `ipma`."""
    version_and_flags, entries = _unpack(">II", ipma, 0)
    item_form = ">HB" if version_and_flags >> 24 == 0 else ">IB"
    # The highest bit says whether a reader must know the property.
    form, bits = ("H", 0x7FFF) if version_and_flags & 1 else ("B", 0x7F)
    position = 8
    for _ in range(min(entries, MOST_BOXES)):
        item, count = _unpack(item_form, ipma, position)
        position += struct.calcsize(item_form)
        if item == wanted:
            return [number & bits for number in _unpack(f">{count}{form}", ipma, position)]
        position += count * struct.calcsize(form)
    return []


def _unpack(form: str, content: bytes, position: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(form, content, position)
    except struct.error:
        raise SourceError(
            f"The picture breaks off at byte {position:,}: it is truncated. Copy it again."
        ) from None
