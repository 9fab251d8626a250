"""From the bytes of an uploaded picture to pixels.

What a file is, is read from its content; its size in pixels and its structure are checked before a
decoder allocates memory for it.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.media.image import to_bgr_u8
from mien.media.picture_files import decode_by_opencv
from mien.serve.http.problems import Problem
from mien.serve.pictures.header import PICTURE_KINDS, Header, read_header
from mien.serve.pictures.png_pixels import check_pixels
from mien.serve.settings import environment_for_children

_HEIF_S = 40.0
_USUAL_SCANS = 12
"""Scans that a picture of the largest size may have; a smaller one may have more."""


def decode_picture(
    content: bytes, *, most_pixels: int, longest_side: int, kinds: tuple[str, ...] = PICTURE_KINDS
) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG, WebP, AVIF or HEIC picture, turned as its metadata says.

    Args:
        content: The file.
        most_pixels: Refuse pictures of more pixels.
        longest_side: Refuse pictures with a longer side, in pixels.
        kinds: Refuse other kinds of files than these.

    Returns:
        (H, W, 3) uint8, BGR; transparency is dropped.

    Raises:
        Problem: `wrong-type`, `too-many-pixels` or `unreadable`.
    """
    header = read_header(content, kinds)
    _check_size(header, most_pixels, longest_side)
    if header.kind in ("HEIC", "AVIF"):
        return _decode_heif(header, most_pixels, longest_side)
    if header.kind == "PNG":
        check_pixels(header.picture)
    try:
        image = decode_by_opencv(header.picture)
    except cv2.error:
        image = None
    if image is None or {*image.shape[:2]} != {header.width, header.height}:
        raise _damaged(header)
    return to_bgr_u8(image)


def _decode_heif(header: Header, most_pixels: int, longest_side: int) -> NDArray[np.uint8]:
    if header.kind == "HEIC" and find_spec("pillow_heif") is None:
        raise Problem(
            "wrong-type",
            "This is a HEIC picture, which this server does not read: run  pip install "
            "'mien[heic]'  there, or send it as JPEG.",
        )
    command = [sys.executable, "-m", "mien.serve.pictures.heif_process"]
    command += [header.kind, str(most_pixels), str(longest_side)]
    try:
        ended = subprocess.run(
            command,
            input=header.picture,
            capture_output=True,
            timeout=_HEIF_S,
            env=environment_for_children(),
        )
    except subprocess.TimeoutExpired:
        raise Problem(
            "unreadable", f"Decoding the {header.kind} picture took more than {_HEIF_S:g} s."
        ) from None
    if ended.returncode != 0 or len(ended.stdout) < 8:
        raise _damaged(header)
    width, height = struct.unpack_from("<II", ended.stdout)
    # Its frames may be larger than the file says.
    _check_size(replace(header, width=width, height=height), most_pixels, longest_side)
    # A copy can be drawn on.
    return np.frombuffer(ended.stdout, np.uint8, offset=8).reshape(height, width, 3).copy()


def _damaged(header: Header) -> Problem:
    return Problem(
        "unreadable", f"This is no whole {header.kind} picture: it is damaged. Save it again."
    )


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
    if header.scans * width * height > _USUAL_SCANS * most_pixels:
        raise Problem(
            "too-many-pixels",
            f"The picture has {width} by {height} pixels in {header.scans} scans; save it again as "
            "a baseline JPEG.",
        )
