"""What the structure of a picture file says, read without decoding it.

A decoder that is given a whole file does whatever the file asks for: OpenCV's unpacks all texts
that a PNG carries (38 s of processor time for 14 MB), and libjpeg notes every segment of a JPEG. So
it is given no more than the picture itself: what follows the end is left out, as are the parts that
make no pixels.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from mien.core.errors import SourceError
from mien.media.heif import HEIC_BRANDS, boxes, find_box, has_boxes
from mien.serve.http.problems import Problem

PICTURE_KINDS = ("JPEG", "PNG", "WebP", "HEIC", "AVIF")
"""What is taken as a picture."""

FRAME_KINDS = ("JPEG", "PNG", "WebP")
"""What is taken as a frame of a stream; the others need a process for each."""

MOST_SCANS = 100
"""Scans of a progressive JPEG: ten are usual, and each costs a pass over the whole picture."""

MOST_SEGMENTS = 2000
"""Segments of a JPEG: a camera writes some twenty; a colour profile may take 255 more."""

MOST_CHUNKS = 10_000
"""Chunks of a PNG: some encoders write one for each 8 kB."""

# Passed over are what is no marker (a stuffed zero, padding) and, as libjpeg does, those without a
# length: TEM (1) and restarts. Were a length read after one, a second picture could hide there.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Frames; tables (DHT, DAC, DQT), scans, DNL, DRI; APP0 to APP15 and comments. At any other marker
# libjpeg gives up.
_SEGMENTS = _START_OF_FRAME | {0xC4, 0xCC, *range(0xDA, 0xDE), *range(0xE0, 0xF0), 0xFE}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Header, palette, transparency, pixels, orientation; IEND is added.
_PNG_CHUNKS_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_SEARCH_BYTES = 2**18


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's structure says.

    Attributes:
        kind: One of `PICTURE_KINDS`.
        width: In pixels, as stored: before an EXIF orientation is applied.
        height: In pixels, as stored.
        picture: The file without what follows its end, and without what a decoder need not read.
        scans: How often a decoder passes over the whole picture.
    """

    kind: str
    width: int
    height: int
    picture: bytes
    scans: int = 1


def read_header(content: bytes, kinds: tuple[str, ...] = PICTURE_KINDS) -> Header:
    """Read a picture's kind and size and find its end, without decoding it.

    What follows the end is ignored: phones append metadata, further pictures and short videos.

    Args:
        content: The file.
        kinds: Those of `PICTURE_KINDS` that are taken.

    Raises:
        Problem: `wrong-type` if it is none of the kinds that are taken; `unreadable` if it is
            truncated.
    """
    if not content:
        raise Problem("unreadable", "The file is empty (0 bytes).")
    kind = _kind(content)
    if kind not in kinds:
        found = f" but {kind or _other_kind(content)}".removesuffix(" but ")
        raise Problem(
            "wrong-type",
            f"The file's content is no {', '.join(kinds[:-1])} or {kinds[-1]} picture{found}; send "
            "one of these.",
        )
    try:
        return _READERS[kind](content)
    except (struct.error, IndexError, SourceError):
        raise _truncated() from None


def _kind(content: bytes) -> str:
    """Return which of `PICTURE_KINDS` a file is by its first bytes; empty for none."""
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith(_PNG_SIGNATURE):
        return "PNG"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "WebP"
    if has_boxes(content) and content[8:12] in HEIC_BRANDS | _AVIF_BRANDS:
        is_avif = content[8:12] in _AVIF_BRANDS or b"avif" in content[8:64]
        return "AVIF" if is_avif else "HEIC"
    return ""


def _read_jpeg(content: bytes) -> Header:
    size: tuple[int, int] | None = None
    scans = 0
    position = 2
    for _ in range(MOST_SEGMENTS):
        position = _after_marker(content, position)
        marker = content[position - 1]
        if marker == _END_OF_IMAGE:
            break
        if marker not in _SEGMENTS or (marker in _START_OF_FRAME and size is not None):
            raise Problem(
                "unreadable",
                f"The JPEG has a marker {marker:02X} at byte {position - 1:,}, where none may be; "
                "it is damaged. Save it again.",
            )
        if marker in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", content, position + 3)
            size = (width, height)
        if marker == _START_OF_SCAN:
            scans += 1
        (length,) = struct.unpack_from(">H", content, position)
        position += max(length, 2)
    else:
        raise Problem("unreadable", f"The JPEG has over {MOST_SEGMENTS} segments; save it again.")
    if scans > MOST_SCANS:
        raise Problem("unreadable", f"The JPEG has more than {MOST_SCANS} scans; save it again.")
    if size is None or not scans:
        raise _truncated()
    return Header("JPEG", *size, picture=content[:position], scans=scans)


def _after_marker(content: bytes, position: int) -> int:
    """Return where the next marker of a JPEG ends.

    It is sought piece by piece: Python does not let other threads run during a search.
    """
    while position < len(content):
        found = _JPEG_MARKER.search(content, position, position + _SEARCH_BYTES)
        if found is not None:
            return found.end()
        position += _SEARCH_BYTES - 1  # A marker may lie across the border.
    raise _truncated()


def _read_png(content: bytes) -> Header:
    length, kind, width, height = struct.unpack_from(">I4sII", content, 8)
    if kind != b"IHDR" or length != 13:
        raise Problem("unreadable", "The PNG does not begin with its header; it is damaged.")
    kept = [_PNG_SIGNATURE]
    position = 8
    for _ in range(MOST_CHUNKS):
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if end > len(content):
            raise _truncated()
        if kind in _PNG_CHUNKS_KEPT or kind == b"IEND":
            kept.append(content[position:end])
        if kind == b"IEND":
            break
        position = end
    else:
        raise Problem("unreadable", f"The PNG has more than {MOST_CHUNKS} chunks; save it again.")
    return Header("PNG", width, height, picture=b"".join(kept))


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
    return Header("WebP", width, height, picture=content[:end])


def _read_heif(content: bytes) -> Header:
    """Read the size of the largest image in a HEIC or AVIF file (ISO/IEC 23008-12, 6.5.3)."""
    start, end = find_box(content, (b"meta",), 0, len(content))
    start, end = find_box(content, (b"iprp", b"ipco"), start + 4, end)  # "meta" has 4 bytes more.
    sizes = [
        struct.unpack_from(">II", content, begin + 4)
        for kind, begin, _ in boxes(content, start, end)
        if kind == b"ispe"
    ]
    if not sizes:
        raise Problem("unreadable", "The HEIC or AVIF file does not say its size; it is damaged.")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Header(_kind(content), width, height, picture=content)


_READERS = {
    "JPEG": _read_jpeg,
    "PNG": _read_png,
    "WebP": _read_webp,
    "HEIC": _read_heif,
    "AVIF": _read_heif,
}


def _other_kind(content: bytes) -> str:
    """Return what a file that is no picture of ours may be; empty where nothing is known."""
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
            return name
    return "a video" if has_boxes(head) else ""


def _truncated() -> Problem:
    return Problem("unreadable", "The picture breaks off: it is truncated. Copy it again.")
