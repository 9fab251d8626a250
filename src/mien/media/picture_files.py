"""Picture files of every format that OpenCV reads, and HEIC."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.media.heif import HEIC_BRANDS, has_boxes, upright
from mien.media.image import quiet_opencv, to_bgr_u8
from mien.media.source import VIDEO_SUFFIXES

PICTURE_SUFFIXES = frozenset(
    {
        *(".apng", ".avif", ".bmp", ".dib", ".gif", ".hdr", ".heic", ".heif", ".hif", ".jfif"),
        *(".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pam", ".pbm", ".pfm", ".pgm", ".pjp"),
        *(".pjpeg", ".png", ".pnm", ".ppm", ".ras", ".sr", ".tif", ".tiff", ".webp"),
    }
)
"""Names of pictures; what a folder holds besides them is passed over. Of one that moves, the first
frame counts."""

_MOST_TOLD = 5
_NUMBER = re.compile("([0-9]+)")
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_TIFF_TRANSPARENCY = (338, 3, 1, 2)
"""ExtraSamples: one 16-bit number, which says that the sample is unassociated alpha."""
_TIFF_UNSPECIFIED = 0


def is_picture(path: Path) -> bool:
    """Whether a file is a picture by its name."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def is_hidden(path: Path) -> bool:
    """Whether a file is hidden, such as `.DS_Store` and what macOS leaves as `._photo.jpg`."""
    return path.name.startswith(".") or path.name in ("Thumbs.db", "desktop.ini")


def natural_order(path: str | PurePath) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    """What sorts files as people count: `frame2.png` before `frame10.png`, folder by folder.

    Digits count as the number that they are. Names that are equal so far, as `frame02.png` and
    `frame2.png`, follow one another as texts do.

    Args:
        path: A file's or folder's path or name.
    """
    return tuple((_with_numbers(name), name) for name in PurePath(path).parts)


def _with_numbers(name: str) -> tuple[str | int, ...]:
    """A name as texts and numbers, by turns, so that like is compared with like."""
    return tuple(int(part) if place % 2 else part for place, part in enumerate(_NUMBER.split(name)))


def passed_over_line(paths: Sequence[Path], whose: str = "a picture's") -> str | None:
    """Return one line about the files of folders that were passed over; None if there are none.

    Args:
        paths: The files.
        whose: What kind of file's name they do not have.
    """
    if not paths:
        return None
    names = ", ".join(path.name for path in paths[:_MOST_TOLD])
    rest = f" and {len(paths) - _MOST_TOLD:,} more" if len(paths) > _MOST_TOLD else ""
    files = "1 file" if len(paths) == 1 else f"{len(paths):,} files"
    return f"Passed over {files} without {whose} name: {names}{rest}."


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture file, turned as its EXIF orientation, or that of AVIF, says.

    Args:
        path: A file in any format that OpenCV reads (PNG, JPEG, WebP, AVIF, TIFF, GIF, …), of any
            depth and number of channels; or HEIC, with `pip install 'mien[heic]'`. Numbers with
            fractions stand for black at 0 and white at 1.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        SourceError: if the file is missing, empty, no picture or too large a one, or HEIC without
            the extra.
    """
    try:
        if path.exists() and not path.is_file():
            raise SourceError(f"{path} is not a file; a folder or pipe is no picture.")
        # imread cannot open paths outside the code page on Windows; imdecode has no path.
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"The picture {path} cannot be read: {error.strerror}.") from None
    except ValueError:  # as of a zero byte; repr() because it may not be possible to print it
        raise SourceError(
            f"The picture {str(path)!r} cannot be read: no file can have that name."
        ) from None
    if not content:
        raise SourceError(f"The picture {path} is empty (0 bytes): copy it again.")
    try:
        with quiet_opencv():
            image = decode_by_opencv(content)
    except cv2.error:
        raise SourceError(
            f"The picture {path} cannot be decoded: it is damaged, or larger than the memory or "
            "OpenCV's limit of 2^30 pixels. Copy it again, or make it smaller."
        ) from None
    if image is None and has_boxes(content) and content[8:12] in HEIC_BRANDS:
        return decode_heic(content, str(path))
    if image is None and content.startswith(_JPEG_START) and not content.endswith(_JPEG_END):
        raise SourceError(
            f"The picture {path} is a JPEG that is cut off or damaged: its end is missing. Copy it "
            "again."
        )
    if image is None and path.suffix.lower() in VIDEO_SUFFIXES:
        raise SourceError(
            f"{path} is a video by its name, and no picture: `mien video` and mien.stream read it."
        )
    if image is None:
        raise SourceError(
            f"{path} is not a picture that OpenCV can read: expected a whole PNG, JPEG, WebP, "
            "AVIF, TIFF, GIF or BMP file."
        )
    if np.issubdtype(image.dtype, np.floating):
        return _from_fractions(image, path)
    if image.dtype not in (np.uint8, np.uint16):
        raise SourceError(
            f"The picture {path} holds values of type {image.dtype}; expected 8 or 16 bits without "
            "a sign, or numbers from 0 to 1."
        )
    return to_bgr_u8(image)


def decode_by_opencv(content: bytes) -> NDArray[Any] | None:
    """Decode a picture file in any format that OpenCV reads, turned as its metadata says.

    Args:
        content: The file.

    Returns:
        (H, W), or (H, W, 3) in BGR, of the depth that the file has; None if it is no such picture.
        Transparency is dropped.

    Raises:
        cv2.error: if it is damaged, or larger than the memory or OpenCV's limit.
    """
    # IMREAD_UNCHANGED would ignore the EXIF orientation. Without the depth, 12 bits in a file of 16
    # would be nearly black.
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
    if not has_boxes(content):
        return cv2.imdecode(np.frombuffer(_of_plain_samples(content), dtype=np.uint8), flags)
    # Boxes say how to turn it; it must not be turned twice, should OpenCV begin to heed its EXIF.
    flags |= cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), flags)
    return None if image is None else upright(image, content)


def _of_plain_samples(content: bytes) -> bytes:
    """Return a TIFF file whose transparency counts as a further sample; other content as it is.

    OpenCV would multiply colours of 8 bits with it: what is transparent would be black, and what is
    half so too dark, as in no other format.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None:
        return content
    try:
        (directory,) = struct.unpack_from(f"{order}I", content, 4)
        (entries,) = struct.unpack_from(f"{order}H", content, directory)
        for position in range(directory + 2, directory + 2 + 12 * entries, 12):
            if struct.unpack_from(f"{order}HHIH", content, position) == _TIFF_TRANSPARENCY:
                value = struct.pack(f"{order}H", _TIFF_UNSPECIFIED)
                return content[: position + 8] + value + content[position + 10 :]
    except struct.error:
        return content  # What is wrong with it, the decoder says.
    return content


def _from_fractions(image: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    if not np.isfinite(image).all() or np.median(image) > 1:
        raise SourceError(
            f"The picture {path} holds numbers up to {image.max():g}; expected 0 (black) to 1 "
            "(white). Scale them first."
        )
    return to_bgr_u8(np.rint(255 * image.clip(0, 1)).astype(np.uint8))


def decode_heic(content: bytes, name: str) -> NDArray[np.uint8]:
    """Decode the main picture of a HEIC file, turned as its metadata says.

    Args:
        content: The file.
        name: What to call it where it cannot be decoded.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        SourceError: if it cannot be decoded, or the extra is not installed.
    """
    try:
        import pillow_heif
    except ImportError:
        raise SourceError(
            f"{name} is a HEIC picture, as iPhones take them:  pip install 'mien[heic]'  brings "
            "what reads it; or turn it into JPEG."
        ) from None
    try:
        # `read_heif` would decode all pictures of the file; without a copy, none could be drawn in.
        image = np.array(pillow_heif.open_heif(content, bgr_mode=True))
    except (ValueError, RuntimeError, EOFError, OSError) as error:
        raise SourceError(f"The HEIC picture {name} cannot be decoded: {error}.") from None
    return to_bgr_u8(image)
