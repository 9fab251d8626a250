"""From the bytes of an uploaded picture to pixels, without believing anything that they say.

What a file is, is read from its content; its size in pixels and its structure are checked before a
decoder allocates memory for it. The decoder is OpenCV's; JPEG, PNG and WebP are what it is given.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.serve.problems import Problem

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp")
"""Media types of the pictures that are taken."""

MOST_SCANS = 100
"""Scans of a progressive JPEG: ten are usual, and each costs a pass over the whole picture."""

_MOST_CHUNKS = 10_000
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's structure says.

    Attributes:
        media_type: One of `PICTURE_TYPES`.
        width: In pixels, as stored: before an EXIF orientation is applied.
        height: In pixels, as stored.
        end: Index of the first byte after the picture.
    """

    media_type: str
    width: int
    height: int
    end: int


def decode_picture(content: bytes, *, most_pixels: int, longest_side: int) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG or WebP picture, turned as its EXIF orientation says.

    Args:
        content: The file.
        most_pixels: Refuse pictures of more pixels.
        longest_side: Refuse pictures with a longer side, in pixels.

    Returns:
        (H, W, 3) uint8, BGR; transparency is dropped.

    Raises:
        Problem: `wrong-type`, `too-many-pixels` or `unreadable`.
    """
    header = read_header(content)
    _check_size(header, most_pixels, longest_side)
    _check_rest(content, header)
    try:
        image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None or {*image.shape[:2]} != {header.width, header.height}:
        raise Problem(
            "unreadable",
            f"This is no whole {header.media_type} picture: it is damaged. Save it anew.",
        )
    return np.asarray(image, dtype=np.uint8)


def read_header(content: bytes) -> Header:
    """Read a picture's type and size and find its end, without decoding it.

    Raises:
        Problem: `wrong-type` if it is no JPEG, PNG or WebP; `unreadable` if it is truncated.
    """
    if not content:
        raise Problem("unreadable", "The file is empty (0 bytes).")
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return _read_jpeg(content)
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return _read_png(content)
        if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            return _read_webp(content)
    except (struct.error, IndexError):
        raise _truncated() from None
    raise Problem(
        "wrong-type",
        f"The file's content is no JPEG, PNG or WebP picture{_guess(content)}; send one of these.",
    )


def _read_jpeg(content: bytes) -> Header:
    size: tuple[int, int] | None = None
    scans = 0
    position = 2
    while True:
        found = _JPEG_MARKER.search(content, position)
        if found is None:
            raise _truncated()
        marker = found[0][1]
        position = found.end()
        if marker == _END_OF_IMAGE:
            break
        if marker in _START_OF_FRAME and size is None:
            height, width = struct.unpack_from(">HH", content, position + 3)
            size = (width, height)
        if marker == _START_OF_SCAN:
            scans += 1
        if scans > MOST_SCANS:
            raise Problem("unreadable", f"The JPEG has more than {MOST_SCANS} scans; save it anew.")
        (length,) = struct.unpack_from(">H", content, position)
        position += max(length, 2)
    if size is None or not scans:
        raise _truncated()
    return Header("image/jpeg", *size, end=position)


def _read_png(content: bytes) -> Header:
    length, kind, width, height = struct.unpack_from(">I4sII", content, 8)
    if kind != b"IHDR" or length != 13:
        raise Problem("unreadable", "The PNG does not begin with its header; it is damaged.")
    position = 8
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack_from(">I4s", content, position)
        position += 12 + length
        if kind == b"IEND":
            break
    else:
        raise Problem("unreadable", f"The PNG has more than {_MOST_CHUNKS} chunks; save it anew.")
    if position > len(content):
        raise _truncated()
    return Header("image/png", width, height, end=position)


def _read_webp(content: bytes) -> Header:
    (length,) = struct.unpack_from("<I", content, 4)
    end = 8 + length
    if end > len(content):
        raise _truncated()
    kind = content[12:16]
    if kind == b"VP8X":
        width = 1 + int.from_bytes(content[24:27], "little")
        height = 1 + int.from_bytes(content[27:30], "little")
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", content, 26))
    else:
        raise Problem("unreadable", "The WebP does not begin with a picture; it is damaged.")
    return Header("image/webp", width, height, end=end)


def _check_size(header: Header, most_pixels: int, longest_side: int) -> None:
    width, height = header.width, header.height
    if width == 0 or height == 0:
        raise Problem("unreadable", f"The picture says that it has {width} by {height} pixels.")
    if width * height > most_pixels or max(width, height) > longest_side:
        raise Problem(
            "too-many-pixels",
            f"The picture has {width} by {height} pixels; at most {most_pixels:,} pixels and "
            f"{longest_side:,} a side are taken. Make it smaller.",
        )


def _check_rest(content: bytes, header: Header) -> None:
    """Refuse what is a picture and something else besides.

    Phones put previews (further JPEGs) and short videos after a JPEG; editors pad with zeros.
    """
    rest = content[header.end :].lstrip(b"\0")
    if rest and not rest.startswith(b"\xff\xd8\xff") and rest[4:8] != b"ftyp":
        raise Problem(
            "wrong-type",
            f"{len(rest):,} bytes of something else follow the picture's end; send the picture "
            "alone.",
        )


def _guess(content: bytes) -> str:
    head = content[:512].lstrip().lower()
    known = {
        b"gif8": "GIF",
        b"bm": "BMP",
        b"ii*\0": "TIFF",
        b"mm\0*": "TIFF",
        b"%pdf": "PDF",
        b"pk\3\4": "ZIP archive",
        b"<?xml": "XML or SVG",
        b"<svg": "SVG",
        b"<!doctype html": "HTML",
        b"<html": "HTML",
    }
    for start, name in known.items():
        if head.startswith(start):
            return f" but {name}"
    if head[4:8] == b"ftyp":
        return " but a video or HEIC/AVIF picture"
    return ""


def _truncated() -> Problem:
    return Problem("unreadable", "The picture breaks off: it is truncated. Copy it again.")
