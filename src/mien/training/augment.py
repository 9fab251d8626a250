"""How training faces are varied: what changes of each is drawn first, and applied then.

Keras' augmentation layers carry a random state through the run and resample the picture once a
layer. Here all geometry of a face is one affine warp, so it is resampled once, and every choice
comes from the generator that is given.

OpenCV applies the changes here; `mien.training.device_augment` applies the same on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.preprocess import FACE_SIZE, scale_pixels
from mien.training.config import AugmentationConfig


@dataclass(frozen=True, slots=True)
class Erased:
    """A rectangle of one face that noise replaces.

    Attributes:
        face: The face's place in the batch.
        y: Its first row.
        x: Its first column.
        noise: (height, width) float32 in [0, 1).
    """

    face: int
    y: int
    x: int
    noise: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Changes:
    """What changes of each of N faces, in this order.

    Attributes:
        matrices: (N, 2, 3) float64, from a place in the face, (x, y, 1) in pixels, to that in the
            result.
        contrasts: (N,) float64, factors on the difference to the face's mean; None for no change.
        brightnesses: (N,) float64, added to all pixels, on the scale [0, 1]; None for no change.
        erased: The rectangles, at most one a face.
    """

    matrices: NDArray[np.float64]
    contrasts: NDArray[np.float64] | None
    brightnesses: NDArray[np.float64] | None
    erased: list[Erased]


def draw_changes(
    count: int, config: AugmentationConfig, random: np.random.Generator, *, side: int = FACE_SIZE
) -> Changes:
    """Draw what changes.

    Args:
        count: Of so many faces.
        config: What may change, and how far.
        random: Source of every choice.
        side: Height and width of the result, in pixels.
    """
    matrices = draw_moves(count, config, random, side=side)
    contrasts = brightnesses = None
    if config.contrast:
        contrasts = 1 + random.uniform(-config.contrast, config.contrast, count)
    if config.brightness:
        brightnesses = random.uniform(-config.brightness, config.brightness, count)
    chosen = np.flatnonzero(random.random(count) < config.erasing_probability)
    return Changes(
        matrices,
        contrasts,
        brightnesses,
        [_draw_erased(int(face), side, random) for face in chosen],
    )


def augment_faces(
    faces_u8: NDArray[np.uint8], changes: Changes, *, side: int = FACE_SIZE
) -> NDArray[np.float32]:
    """Change a batch of faces.

    Args:
        faces_u8: (N, 48, 48) uint8.
        changes: What changes, drawn for N faces and this side.
        side: Height and width of the result, in pixels.

    Returns:
        (N, side, side, 1) float32 in [0, 1].
    """
    faces = scale_pixels(warp_faces(faces_u8, changes.matrices, side=side))
    if changes.contrasts is not None:
        mean = faces.mean(axis=(1, 2), keepdims=True)
        faces = (faces - mean) * _of_faces(changes.contrasts) + mean
    if changes.brightnesses is not None:
        faces = faces + _of_faces(changes.brightnesses)
    np.clip(faces, 0, 1, out=faces)
    for erased in changes.erased:
        height, width = erased.noise.shape
        part = faces[erased.face, erased.y : erased.y + height, erased.x : erased.x + width, 0]
        part[:] = erased.noise
    return faces


def draw_moves(
    count: int, config: AugmentationConfig, random: np.random.Generator, *, side: int = FACE_SIZE
) -> NDArray[np.float64]:
    """Draw how each face is flipped, rotated, zoomed and shifted, and resized to `side`.

    Returns:
        The `Changes.matrices` of so many faces.
    """
    angle = np.deg2rad(random.uniform(-config.rotation_degrees, config.rotation_degrees, count))
    scale = 1 + random.uniform(-config.zoom_fraction, config.zoom_fraction, count)
    shift = FACE_SIZE * random.uniform(-config.shift_fraction, config.shift_fraction, (count, 2))
    mirror = np.where(config.horizontal_flip & (random.random(count) < 0.5), -1.0, 1.0)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.stack([cosine * mirror, -sine, sine * mirror, cosine], axis=1).reshape(-1, 2, 2)
    center = np.full(2, (FACE_SIZE - 1) / 2)
    offset = center + shift - linear @ center
    reduction = side / FACE_SIZE
    # Pixel 0 has its centre at 0.5, whatever the side.
    offset = (offset + 0.5) * reduction - 0.5
    return np.concatenate([linear * reduction, offset[..., np.newaxis]], axis=2)


def warp_faces(
    faces_u8: NDArray[np.uint8], matrices: NDArray[np.float64], *, side: int = FACE_SIZE
) -> NDArray[np.uint8]:
    """Move each face, (N, 48, 48), by its matrix, (N, 2, 3), in one resampling to `side`."""
    warped = np.empty((len(faces_u8), side, side), np.uint8)
    for index, (face, matrix) in enumerate(zip(faces_u8, matrices, strict=True)):
        cv2.warpAffine(
            face,
            matrix,
            (side, side),
            dst=warped[index],
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    return warped


def _draw_erased(face: int, side: int, random: np.random.Generator) -> Erased:
    """Draw a rectangle of 2 % to 25 % of a face, and uniform noise."""
    area = random.uniform(0.02, 0.25) * side * side
    aspect = np.exp(random.uniform(np.log(0.3), np.log(1 / 0.3)))
    height = min(side, max(1, round(np.sqrt(area * aspect))))
    width = min(side, max(1, round(np.sqrt(area / aspect))))
    y, x = random.integers(side - height + 1), random.integers(side - width + 1)
    return Erased(face, int(y), int(x), random.random((height, width), dtype=np.float32))


def _of_faces(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float32)[:, None, None, None]
