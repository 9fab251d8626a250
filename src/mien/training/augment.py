"""Augmented batches that depend on nothing but the seed, the epoch and the batch's index.

Keras' augmentation layers carry a random state through the run and resample the picture once a
layer. Here all geometry of a face is one affine warp, so it is resampled once, and every batch
has a random generator of its own, so that a resumed run sees the very batches of an uninterrupted
one without any state to save.
"""

from __future__ import annotations

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.preprocess import FACE_SIZE, scale_pixels
from mien.data.disturb import TRAINING
from mien.training.config import AugmentationConfig


def augment_faces(
    faces_u8: NDArray[np.uint8],
    config: AugmentationConfig,
    random: np.random.Generator,
    *,
    side: int = FACE_SIZE,
) -> NDArray[np.float32]:
    """Augment a batch of faces.

    Args:
        faces_u8: (N, 48, 48) uint8.
        config: What may change, and how far.
        random: Source of every choice.
        side: Height and width of the result, in pixels.

    Returns:
        (N, side, side, 1) float32 in [0, 1].
    """
    faces = scale_pixels(warp_faces(faces_u8, config, random, side=side))
    count = len(faces)
    if config.contrast:
        factor = 1 + random.uniform(-config.contrast, config.contrast, (count, 1, 1, 1))
        mean = faces.mean(axis=(1, 2), keepdims=True)
        faces = (faces - mean) * factor.astype(np.float32) + mean
    if config.brightness:
        offset = random.uniform(-config.brightness, config.brightness, (count, 1, 1, 1))
        faces = faces + offset.astype(np.float32)
    np.clip(faces, 0, 1, out=faces)
    for index in np.flatnonzero(random.random(count) < config.erasing_probability):
        _erase_rectangle(faces[index], random)
    return faces


def warp_faces(
    faces_u8: NDArray[np.uint8],
    config: AugmentationConfig,
    random: np.random.Generator,
    *,
    side: int = FACE_SIZE,
) -> NDArray[np.uint8]:
    """Flip, rotate, zoom and shift each face, and resize it to `side`, in one resampling."""
    count = len(faces_u8)
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
    matrices = np.concatenate([linear * reduction, offset[..., np.newaxis]], axis=2)
    warped = np.empty((count, side, side), np.uint8)
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


def _erase_rectangle(face: NDArray[np.float32], random: np.random.Generator) -> None:
    """Replace 2 % to 25 % of one (H, W, 1) face by uniform noise, in place."""
    side_y, side_x = face.shape[:2]
    area = random.uniform(0.02, 0.25) * side_y * side_x
    aspect = np.exp(random.uniform(np.log(0.3), np.log(1 / 0.3)))
    height = min(side_y, max(1, round(np.sqrt(area * aspect))))
    width = min(side_x, max(1, round(np.sqrt(area / aspect))))
    y, x = random.integers(side_y - height + 1), random.integers(side_x - width + 1)
    face[y : y + height, x : x + width] = random.random((height, width, 1), dtype=np.float32)


class FaceBatches(keras.utils.PyDataset):
    """Shuffled, augmented batches of one epoch; set `epoch` before each."""

    def __init__(
        self,
        faces_u8: NDArray[np.uint8],
        targets: NDArray[np.float32],
        *,
        batch_size: int,
        augmentation: AugmentationConfig,
        seed: int,
        side: int = FACE_SIZE,
    ) -> None:
        """Keep the faces, (N, 48, 48) uint8, and their targets, (N, C) float32."""
        super().__init__()
        self.epoch = 0
        self.side = side
        self._faces_u8 = faces_u8
        self._targets = targets
        self._batch_size = batch_size
        self._augmentation = augmentation
        self._seed = seed

    def __len__(self) -> int:
        """Return the number of whole batches; the order changes, so none is left out for long."""
        return max(1, len(self._faces_u8) // self._batch_size)

    def __getitem__(self, batch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return one batch: faces (B, side, side, 1) float32 in [0, 1] and targets (B, C)."""
        order = np.random.default_rng((self._seed, self.epoch)).permutation(len(self._faces_u8))
        chosen = order[batch * self._batch_size : (batch + 1) * self._batch_size]
        random = np.random.default_rng((self._seed, self.epoch, batch))
        faces_u8 = self._faces_u8[chosen]
        if probability := self._augmentation.spoiled_probability:
            faces_u8 = TRAINING.spoil_some(faces_u8, probability, random)
        faces = augment_faces(faces_u8, self._augmentation, random, side=self.side)
        targets = self._targets[chosen]
        alpha = self._augmentation.mixup_alpha
        if alpha:
            share = np.float32(random.beta(alpha, alpha))
            faces = share * faces + (1 - share) * faces[::-1]
            targets = share * targets + (1 - share) * targets[::-1]
        return faces, targets
