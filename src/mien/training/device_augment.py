"""The changes of `mien.training.augment`, applied by the backend as a part of its compiled step.

On a GPU a step is over sooner than OpenCV has changed the faces of the next. There the batches hold
the faces as they are, one byte a pixel, and what is to change of them; on a processor OpenCV is the
faster of the two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from mien.training.augment import Changes

Tensor = Any


def pack_for_device(
    faces_u8: NDArray[np.uint8], changes: Changes, *, own_share: float, side: int
) -> dict[str, NDArray[Any]]:
    """Write faces and their changes as arrays of one row a face.

    Args:
        faces_u8: (N, 48, 48) uint8.
        changes: What changes, drawn for N faces and this side.
        own_share: Of a face in what is shown; the rest is the face as far from the batch's end as
            it is from its beginning.
        side: Height and width of what is shown, in pixels.

    Returns:
        What `augment_on_device` takes: `faces_u8`; `places`, (N, 2, 3) float32, from a place in the
        result to that in the face; `contrasts`, `brightnesses` and `own_shares`, (N,) float32; and
        `noise_u8`, (N, side, side) uint8, from 1 for black to 255 for white, 0 where nothing is
        erased.
    """
    count = len(faces_u8)
    inverse = np.linalg.inv(changes.matrices[:, :, :2])
    places = np.concatenate([inverse, -inverse @ changes.matrices[:, :, 2:]], axis=2)
    noise_u8 = np.zeros((count, side, side), np.uint8)
    for erased in changes.erased:
        height, width = erased.noise.shape
        part = noise_u8[erased.face, erased.y : erased.y + height, erased.x : erased.x + width]
        part[:] = 1 + np.floor(255 * erased.noise)
    contrasts, brightnesses = changes.contrasts, changes.brightnesses
    per_face = {
        "contrasts": np.ones(count) if contrasts is None else contrasts,
        "brightnesses": np.zeros(count) if brightnesses is None else brightnesses,
        "own_shares": np.full(count, own_share),
        "places": places,
    }
    return {
        "faces_u8": faces_u8,
        "noise_u8": noise_u8,
        **{name: values.astype(np.float32) for name, values in per_face.items()},
    }


def augment_on_device(batch: dict[str, Tensor]) -> Tensor:
    """Show the faces of a batch of `pack_for_device`.

    Returns:
        (N, side, side, 1) float32 in [0, 1], up to rounding what `augment_faces` returns.
    """
    given = {name: ops.convert_to_tensor(value) for name, value in batch.items()}
    # TensorFlow compiles one step for all sides: there the side is a tensor, not a number.
    side = ops.shape(given["noise_u8"])[1]
    faces = _resample(given["faces_u8"], given["places"], side) / 255
    mean = ops.mean(faces, axis=(1, 2), keepdims=True)
    faces = (faces - mean) * _of_faces(given["contrasts"]) + mean
    faces = ops.clip(faces + _of_faces(given["brightnesses"]), 0.0, 1.0)
    noise = ops.cast(given["noise_u8"], "float32")
    faces = ops.where(noise > 0, (noise - 1) / 254, faces)
    own_shares = _of_faces(given["own_shares"])
    faces = own_shares * faces + (1 - own_shares) * ops.flip(faces, axis=0)
    return faces[..., None]


def _resample(faces_u8: Tensor, places: Tensor, side: Any) -> Tensor:
    """Read the faces, (N, H, W), at the places of (N, side, side) pixels, bilinearly."""
    height, width = faces_u8.shape[1:]
    pixel = ops.arange(side * side)
    x, y = ops.cast(pixel % side, "float32"), ops.cast(pixel // side, "float32")
    # Not by a matrix product, which a GPU may round to ten bits.
    at = places[:, :, 0:1] * x + places[:, :, 1:2] * y + places[:, :, 2:3]
    corner = ops.floor(at)
    right, down = ops.unstack(at - corner, axis=1)
    column, row = ops.unstack(ops.cast(corner, "int32"), axis=1)
    pixels = ops.cast(ops.reshape(faces_u8, (-1, height * width)), "float32")

    def line(row: Tensor) -> Tensor:
        start = _mirrored(row, height) * width
        left = ops.take_along_axis(pixels, start + _mirrored(column, width), axis=1)
        other = ops.take_along_axis(pixels, start + _mirrored(column + 1, width), axis=1)
        return left + right * (other - left)

    upper, lower = line(row), line(row + 1)
    return ops.reshape(upper + down * (lower - upper), (-1, side, side))


def _mirrored(index: Tensor, size: int) -> Tensor:
    """Fold indices back at the first and the last pixel, as OpenCV's BORDER_REFLECT_101 does."""
    last = size - 1
    return last - ops.abs(ops.mod(index, 2 * last) - last)


def _of_faces(values: Tensor) -> Tensor:
    return ops.reshape(values, (-1, 1, 1))
