"""From grey faces to the network's input: the one function that training and recognition share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError

FACE_SIZE = 48
"""Side of a face picture in pixels: FER2013's, and the network's input."""


def check_faces(faces_u8: NDArray[np.uint8]) -> None:
    """Raise DataError unless `faces_u8` is (N, 48, 48) uint8."""
    if (
        faces_u8.dtype != np.uint8
        or faces_u8.ndim != 3
        or faces_u8.shape[1:] != (FACE_SIZE, FACE_SIZE)
    ):
        raise DataError(
            f"Found faces of shape {faces_u8.shape} and type {faces_u8.dtype}; expected "
            f"(N, {FACE_SIZE}, {FACE_SIZE}) uint8: grey faces, one after another. "
            "Use mien.faces.crop.crop_face to cut them out of a picture."
        )


def to_network_input(faces_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scale grey faces to what the network reads.

    Args:
        faces_u8: (N, 48, 48) uint8, 0 is black.

    Returns:
        (N, 48, 48, 1) float32 in [0, 1].

    Raises:
        DataError: if the shape or type is another one.
    """
    check_faces(faces_u8)
    return scale_pixels(faces_u8)


def scale_pixels(faces_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scale grey pictures of any size, (N, H, W) uint8, to (N, H, W, 1) float32 in [0, 1]."""
    return faces_u8[..., np.newaxis].astype(np.float32) / np.float32(255)
