"""Pictures of any depth and number of channels as what the rest of mien works on: BGR, 8 bits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError


def to_bgr_u8(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn a grey, colour or transparent picture of 8 or 16 bits into BGR of 8 bits.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3) in BGR or (H, W, 4) in BGRA order; uint8 or uint16.
            Transparency is dropped.

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
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or channels not in (1, 3, 4) or image.size == 0:
        raise SourceError(
            f"Found a picture of shape {image.shape}; expected (height, width), "
            "(height, width, 3) in BGR or (height, width, 4) in BGRA order, with no side of 0."
        )
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise SourceError(
            f"Found a picture of type {image.dtype}; expected uint8 (0 to 255) or uint16 "
            "(0 to 65535). Scale it and convert it with  image.astype('uint8')  first."
        )
    if channels == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(image[..., :3])


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read a picture file, turned as its EXIF orientation says.

    Args:
        path: A file in any format that OpenCV reads (PNG, JPEG, WebP, TIFF, BMP, …), of any
            depth and number of channels.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        SourceError: if the file is missing, empty, no picture or too large a one.
    """
    try:
        if path.exists() and not path.is_file():
            raise SourceError(f"{path} is not a file; a folder or pipe is no picture.")
        # imread cannot open paths outside the code page on Windows; imdecode has no path.
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise SourceError(f"The picture {path} cannot be read: {error.strerror}.") from None
    if content.size == 0:
        raise SourceError(f"The picture {path} is empty (0 bytes): copy it again.")
    # IMREAD_UNCHANGED would ignore the EXIF orientation.
    try:
        with quiet_opencv():
            image = cv2.imdecode(content, cv2.IMREAD_COLOR)
    except cv2.error:
        raise SourceError(
            f"The picture {path} cannot be decoded: it is damaged, or larger than the memory or "
            "OpenCV's limit of 2^30 pixels. Copy it again, or make it smaller."
        ) from None
    if image is None:
        raise SourceError(
            f"{path} is not a picture that OpenCV can read: expected a whole PNG, JPEG, WebP, TIFF "
            "or BMP file."
        )
    return to_bgr_u8(image)


def with_even_sides(image_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture with its last row or column repeated where its number is odd.

    Video encoders need even sides: they refuse others, or cut them off.
    """
    height, width = image_bgr.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return image_bgr
    return np.pad(image_bgr, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


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


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV from writing to standard error what a `SourceError` says better."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
