"""One picture, however somebody has it: a path, an array of OpenCV's, or Pillow's own object."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.media.image import to_bgr_u8
from mien.media.local_path import local_path
from mien.media.picture_files import read_image
from mien.media.source import without_secrets

if TYPE_CHECKING:
    from PIL.Image import Image

Picture: TypeAlias = "NDArray[Any] | str | os.PathLike[str] | Image"
"""A picture's file, an array as `mien.media.image.to_bgr_u8` takes it, or a `PIL.Image.Image`."""

_EXPECTED = (
    "expected a picture's path, an array of (height, width, 3) in BGR as cv2.imread gives it, or a "
    "PIL picture"
)


def load_picture(picture: Picture, bits: int | None = None) -> NDArray[np.uint8]:
    """Return any picture as (H, W, 3) uint8 in BGR; turned as its EXIF orientation says.

    Args:
        picture: A path may begin with `~`, and be a `file://` address.
        bits: The depth of an array of uint16; see `mien.media.image.to_bgr_u8`.

    Raises:
        SourceError: if it is something else, or cannot be read.
    """
    if isinstance(picture, np.ndarray) or picture is None:
        return to_bgr_u8(picture, bits)
    if isinstance(picture, str | os.PathLike):
        path = local_path(picture)
        if path is None:
            raise SourceError(
                f"Found the address {without_secrets(str(picture))}; {_EXPECTED}. Download it, or "
                "read it with  mien.open_frames"
            )
        return read_image(path)
    if is_pillow(picture):
        return _from_pillow(picture)
    raise SourceError(f"Found {type(picture).__name__}; {_EXPECTED}.{_hint(picture)}")


def is_one_picture(value: object) -> bool:
    """Whether a value is a single picture, as against several in a row."""
    if isinstance(value, np.ndarray):
        return value.ndim == 2 or (value.ndim == 3 and value.shape[2] in (1, 3, 4))
    return isinstance(value, str | os.PathLike) or is_pillow(value)


def is_pillow(value: object) -> TypeGuard[Image]:
    """Whether a value is a picture of Pillow's, which need not be installed."""
    return any(
        base.__module__ == "PIL.Image" and base.__name__ == "Image" for base in type(value).__mro__
    )


def _hint(value: object) -> str:
    if isinstance(value, list | tuple):
        return " Several pictures are recognised one by one."
    if isinstance(value, bytes | bytearray | memoryview):
        return (
            " What a file holds becomes an array with"
            "  cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)"
        )
    if hasattr(value, "read"):
        return (
            " What an open file holds becomes an array with"
            "  cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)"
        )
    if hasattr(value, "__array__"):
        return (
            " Turn it into an array of uint8, in height, width, channel order, with numpy.asarray."
        )
    return ""


def _from_pillow(picture: Image) -> NDArray[np.uint8]:
    from PIL import ImageOps

    try:
        try:
            upright = ImageOps.exif_transpose(picture)
        except SyntaxError:  # So Pillow answers of an EXIF block that is none.
            upright = picture
        if upright.mode.startswith("I;16"):
            return to_bgr_u8(np.asarray(upright).astype(np.uint16))
        if upright.mode in ("I", "F"):
            raise SourceError(
                f"Found a PIL picture of the mode {upright.mode!r}, whose values have no usual "
                "range: scale them to 0 to 255 and convert it to 'L' first."
            )
        rgb = np.asarray(upright.convert("RGB"))
    except (OSError, RuntimeError, SyntaxError) as error:  # The last two of damaged AVIF files.
        raise SourceError(f"The PIL picture cannot be decoded: {error}.") from None
    except (AssertionError, ValueError) as error:
        # So Pillow answers of a closed one, without a word or with one.
        raise SourceError(
            f"The PIL picture cannot be decoded{f': {error}' if str(error) else ''}: it may have "
            "been closed. Recognise it inside its `with`, or call its load() there."
        ) from None
    if rgb.size == 0:
        raise SourceError(f"Found a PIL picture of {picture.width} by {picture.height} pixels.")
    return np.ascontiguousarray(rgb[..., ::-1])
