"""From crops of faces to the network's input: what training and recognition share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError, ModelError

FACE_SIZE = 48
"""Side of FER2013's faces in pixels, and of the input of mien's own networks."""

LARGEST_SIDE = 1024
"""No network for faces reads more pixels than this a side."""


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """What a network reads: float32 (N, side, side, channels), (pixel - mean) * scale.

    The defaults are those of mien's own networks: grey, 48 pixels, 0 to 1.

    Attributes:
        name: Name of the graph's input.
        side: Side of a crop in pixels.
        channels: 1 for grey, 3 for RGB.
        mean: One a channel: what is subtracted from a pixel, 0 to 255.
        scale: One a channel: what the difference is multiplied by.

    Raises:
        ModelError: if a value is not valid; the message begins with the input's name.
    """

    name: str = "faces"
    side: int = FACE_SIZE
    channels: int = 1
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1 / 255,)

    def __post_init__(self) -> None:
        where = f"The input {self.name!r}"
        if not self.name:
            raise ModelError("The network's input has no name; expected that of the graph's input.")
        if not 1 <= self.side <= LARGEST_SIDE:
            raise ModelError(f"{where} has a side of {self.side}; expected 1 to {LARGEST_SIDE}.")
        if self.channels not in (1, 3):
            raise ModelError(f"{where} has {self.channels} channels; expected 1 (grey) or 3 (RGB).")
        for name, values in (("mean", self.mean), ("scale", self.scale)):
            if len(values) != self.channels or not all(map(math.isfinite, values)):
                raise ModelError(
                    f"{where} has the {name} {list(values)}; expected {self.channels} numbers, one "
                    "a channel."
                )
        if 0 in self.scale:
            raise ModelError(f"{where} has a scale of 0, which makes all crops alike.")

    @property
    def crop_shape(self) -> tuple[int, ...]:
        """The shape of one crop, uint8: (side, side) where it is grey, (side, side, 3) for RGB."""
        return (self.side, self.side) if self.channels == 1 else (self.side, self.side, 3)


FER2013_INPUT = NetworkInput()
"""FER2013's faces as they are: what mien's own networks read."""


def check_crops(crops_u8: NDArray[np.uint8], expected: NetworkInput = FER2013_INPUT) -> None:
    """Raise DataError unless `crops_u8` is (N, *expected.crop_shape) uint8."""
    if not isinstance(crops_u8, np.ndarray):
        raise DataError(
            f"Found {type(crops_u8).__name__} as faces; expected one array of them all: "
            "np.stack(crops)."
        )
    if crops_u8.dtype != np.uint8 or crops_u8.shape[1:] != expected.crop_shape:
        shape = ", ".join(map(str, ("N", *expected.crop_shape)))
        kind = "grey" if expected.channels == 1 else "RGB"
        raise DataError(
            f"Found faces of shape {crops_u8.shape} and type {crops_u8.dtype}; expected "
            f"({shape}) uint8: {kind} faces, one after another. "
            "Use mien.faces.crop.crop_face to cut them out of a picture."
        )


def to_network_input(
    crops_u8: NDArray[np.uint8], expected: NetworkInput = FER2013_INPUT
) -> NDArray[np.float32]:
    """Scale crops to what the network reads.

    Args:
        crops_u8: (N, side, side) uint8 grey, 0 is black, or (N, side, side, 3) uint8 RGB; see
            `NetworkInput.crop_shape`.
        expected: What the network reads.

    Returns:
        (N, side, side, channels) float32.

    Raises:
        DataError: if the shape or type is another one.
    """
    check_crops(crops_u8, expected)
    return scale_pixels(crops_u8, expected)


def scale_pixels(
    crops_u8: NDArray[np.uint8], expected: NetworkInput = FER2013_INPUT
) -> NDArray[np.float32]:
    """Scale pictures of any size, (N, H, W) or (N, H, W, 3) uint8, to (N, H, W, C) float32."""
    pixels = (crops_u8[..., np.newaxis] if expected.channels == 1 else crops_u8).astype(np.float32)
    if any(expected.mean):
        pixels -= np.array(expected.mean, np.float32)
    if expected.channels == 1:
        pixels *= np.float32(expected.scale[0])
    else:
        pixels *= np.array(expected.scale, np.float32)
    return pixels
