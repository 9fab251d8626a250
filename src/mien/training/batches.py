"""Augmented batches that depend on nothing but the seed, the epoch and the batch's index.

Every batch has a random generator of its own, so that a resumed run sees the very batches of an
uninterrupted one without any state to save.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.preprocess import FACE_SIZE
from mien.data.disturb import TRAINING
from mien.training.augment import augment_faces, draw_changes
from mien.training.config import AugmentationConfig
from mien.training.device_augment import pack_for_device


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
        on_device: bool = False,
    ) -> None:
        """Keep the faces.

        Args:
            faces_u8: (N, 48, 48) uint8.
            targets: (N, C) float32.
            batch_size: Faces in a batch.
            augmentation: How faces are varied.
            seed: Source of their order and their changes.
            side: Height and width of the faces that are shown, in pixels.
            on_device: Leave the changes to `mien.training.device_augment`.
        """
        super().__init__()
        self.side = side
        self._faces_u8 = faces_u8
        self._targets = targets
        self._batch_size = batch_size
        self._augmentation = augmentation
        self._seed = seed
        self._on_device = on_device
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """The epoch, from 0, that the batches belong to."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._order = np.random.default_rng((self._seed, epoch)).permutation(len(self._faces_u8))

    def __len__(self) -> int:
        """Return the number of whole batches; the order changes, so none is left out for long."""
        return max(1, len(self._faces_u8) // self._batch_size)

    def __getitem__(self, batch: int) -> tuple[Any, NDArray[np.float32]]:
        """Return a batch: faces (B, side, side, 1) float32 in [0, 1] and targets (B, C).

        On a device, what `pack_for_device` returns is instead of the faces.
        """
        chosen = self._order[batch * self._batch_size : (batch + 1) * self._batch_size]
        random = np.random.default_rng((self._seed, self._epoch, batch))
        faces_u8 = self._faces_u8[chosen]
        if probability := self._augmentation.spoiled_probability:
            faces_u8 = TRAINING.spoil_some(faces_u8, probability, random)
        changes = draw_changes(len(faces_u8), self._augmentation, random, side=self.side)
        targets = self._targets[chosen]
        share = np.float32(1)
        if alpha := self._augmentation.mixup_alpha:
            share = np.float32(random.beta(alpha, alpha))
            targets = share * targets + (1 - share) * targets[::-1]
        if self._on_device:
            packed = pack_for_device(faces_u8, changes, own_share=float(share), side=self.side)
            return packed, targets
        faces = augment_faces(faces_u8, changes, side=self.side)
        if alpha:
            faces = share * faces + (1 - share) * faces[::-1]
        return faces, targets
