"""Pictures of any depth and number of channels as what the rest of mien works on: BGR, 8 bits."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError


def to_bgr_u8(image: NDArray[Any], bits: int | None = None) -> NDArray[np.uint8]:
    """Turn a grey, colour or transparent picture of 8 to 16 bits into BGR of 8 bits.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) in BGR or (H, W, 4) in BGRA order; uint8 or uint16.
            Transparency is dropped. Of the depths in use (8, 10, 12, 14 and 16 bits), the values of
            a uint16 picture are taken for those of the least that holds them all: industrial
            cameras put 10 or 12 bits, and careless programs 8, into 16.
        bits: The depth of a uint16 picture where it is known, as of a frame from those before it.

    Returns:
        (H, W, 3) uint8; `image` itself where it is that already.

    Raises:
        SourceError: if it is None, the shape or type is another one, or a side is 0.
    """
    if image is None:
        raise SourceError(
            "Found None instead of a picture: did cv2.imread find the file? It returns None for a "
            "file that it cannot read, without an error."
        )
    image = np.asarray(image)  # a matrix, of np.asmatrix, keeps two dimensions whatever is done
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or channels not in (1, 3, 4) or image.size == 0:
        raise SourceError(
            f"Found a picture of shape {image.shape}; expected (height, width), "
            "(height, width, 3) in BGR or (height, width, 4) in BGRA order, with no side of 0."
        )
    if _is_uint16(image):
        image = _upper_8_bits(image, bits or bits_of(image))
    elif image.dtype != np.uint8:
        raise SourceError(
            f"Found a picture of type {image.dtype}; expected uint8 (0 to 255) or uint16 "
            "(0 to 65535). Scale it and convert it with  image.astype('uint8')  first."
        )
    if channels == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(image[..., :3])


def bits_of(image: NDArray[Any]) -> int:
    """Return the least depth in use that holds all values of a picture; 8 of other than uint16."""
    if not _is_uint16(image) or image.size == 0:
        return 8
    largest = int(image.max())
    return next(bits for bits in (8, 10, 12, 14, 16) if largest < 2**bits)


def _is_uint16(image: NDArray[Any]) -> bool:
    return image.dtype.newbyteorder("=") == np.uint16


def _upper_8_bits(image: NDArray[np.uint16], bits: int) -> NDArray[np.uint8]:
    upper = np.empty(image.shape, dtype=np.uint8)
    # Into bytes at once: shifted first, a picture of 50 megapixels would take 300 MB more.
    np.right_shift(image, bits - 8, out=upper, casting="unsafe")
    return upper


def rotate(image_bgr: NDArray[np.uint8], degrees: int) -> NDArray[np.uint8]:
    """Turn a picture clockwise.

    Args:
        image_bgr: (H, W, 3) uint8.
        degrees: 0, 90, 180 or 270.
    """
    if degrees == 0:
        return image_bgr
    turns = {
        90: cv2.ROTATE_90_CLOCKWISE,
        180: cv2.ROTATE_180,
        270: cv2.ROTATE_90_COUNTERCLOCKWISE,
    }
    return np.asarray(cv2.rotate(image_bgr, turns[degrees]), dtype=np.uint8)


def scale_square(square_u8: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Scale a square picture, (S, S) or (S, S, 3), to (side, side) or (side, side, 3)."""
    # INTER_LINEAR skips pixels when it shrinks by more than two, and so makes up edges.
    interpolation = cv2.INTER_AREA if square_u8.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square_u8, (side, side), interpolation=interpolation), np.uint8)


def with_even_sides(image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture with its last row or column repeated where its number is odd.

    Video encoders need even sides: they refuse others, or cut them off.
    """
    height, width = image_bgr.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return image_bgr
    return np.pad(image_bgr, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def fit_between_bars(image_bgr: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the picture at `size` (width, height), with black bars where its shape differs."""
    width, height = size
    if image_bgr.shape[:2] == (height, width):
        return image_bgr
    scale = min(width / image_bgr.shape[1], height / image_bgr.shape[0])
    inner = (
        max(min(round(image_bgr.shape[1] * scale), width), 1),
        max(min(round(image_bgr.shape[0] * scale), height), 1),
    )
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        image_bgr, inner, interpolation=cv2.INTER_AREA
    )
    return canvas


def opencv_name(path: Path) -> str:
    """Return the name by which OpenCV can open a video file.

    Raises:
        SourceError: if the name is not UTF-8: OpenCV would end the process.
    """
    # Absolute: FFmpeg takes 12:30:00.mp4 for an address.
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SourceError(
            f"{path} has a name, or lies in a folder, that is not UTF-8, which OpenCV cannot open: "
            "rename it."
        ) from None
    return name


class _OpencvLog:
    """OpenCV's log, which all threads share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silencers = 0
        self._level_before = 0

    def silence(self) -> None:
        with self._lock:
            if self._silencers == 0:
                self._level_before = cv2.utils.logging.getLogLevel()
                cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            self._silencers += 1

    def restore(self) -> None:
        with self._lock:
            self._silencers -= 1
            if self._silencers == 0:
                cv2.utils.logging.setLogLevel(self._level_before)


_log = _OpencvLog()


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from writing to standard error what a `SourceError` says better.

    The log is silent until the last of the threads that are in here has left.
    """
    _log.silence()
    try:
        yield
    finally:
        _log.restore()
