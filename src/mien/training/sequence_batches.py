"""Batches of sequences for a temporal network, and what it is to say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from mien.data.face_sequences import FaceSequence
from mien.data.made_sequences import DisturbedFaces, make_sequence
from mien.models.temporal import LONGEST_ELAPSED_MS


def observed_of(sequences: Sequence[FaceSequence]) -> NDArray[np.float32]:
    """Return what a temporal network reads of sequences, the shorter ones padded by zeros.

    Returns:
        (N, T, F + C + 4 + 1) float32; see `mien.models.temporal.build_temporal`.
    """
    rows = [
        np.concatenate(
            [
                sequence.features,
                sequence.probabilities,
                sequence.quality,
                np.minimum(sequence.elapsed_ms, LONGEST_ELAPSED_MS)[:, np.newaxis],
            ],
            axis=1,
            dtype=np.float32,
        )
        for sequence in sequences
    ]
    return _padded(rows)


def targets_of(sequences: Sequence[FaceSequence], clip_weight: float) -> NDArray[np.float32]:
    """Return what is to be said of sequences.

    Args:
        sequences: N sequences.
        clip_weight: How much the answer for the whole counts against all moments together.

    Returns:
        (N, T, 2 · C) float32: the truth of each moment over the number of moments, and, at the last
        one alone, `clip_weight` times that of the whole; zeros where there is no truth.
    """
    rows = []
    for sequence in sequences:
        known = max(int(sequence.truth.any(axis=1).sum()), 1)
        whole = np.zeros_like(sequence.truth)
        whole[-1] = clip_weight * sequence.clip_truth
        rows.append(np.concatenate([sequence.truth / known, whole], axis=1, dtype=np.float32))
    return _padded(rows)


def sequence_loss(targets: Any, logits: Any) -> Any:
    """Return the cross-entropy of (N, T, 2 · C) logits with `targets_of`, (N,)."""
    moments, clips = ops.split(logits, 2, axis=-1)
    each = ops.concatenate(
        [ops.log_softmax(moments, axis=-1), ops.log_softmax(clips, axis=-1)], axis=-1
    )
    return -ops.sum(targets * each, axis=(1, 2))


def accuracy(targets: Any, logits: Any) -> Any:
    """Return the part of the moments of each sequence whose label is right, (N,)."""
    truth, _ = ops.split(targets, 2, axis=-1)
    said, _ = ops.split(logits, 2, axis=-1)
    hits = ops.equal(ops.argmax(truth, axis=-1), ops.argmax(said, axis=-1))
    known = ops.sum(truth, axis=-1) > 0
    count = ops.sum(ops.cast(known, "float32"), axis=1)
    right = ops.sum(ops.cast(ops.logical_and(hits, known), "float32"), axis=1)
    return right / ops.maximum(count, 1.0)


class SequenceBatches(keras.utils.PyDataset):
    """Batches of one epoch; set `epoch` before each. They follow from the seed and the epoch alone.

    Args:
        source: Faces to make sequences of, or sequences to take in another order each epoch.
        batch_size: Sequences a step.
        per_epoch: How many sequences an epoch has, of made ones.
        steps: How many moments a made sequence has; the longest part that is taken of another.
        clip_weight: See `targets_of`.
        seed: Of all choices.
    """

    def __init__(
        self,
        source: DisturbedFaces | Sequence[FaceSequence],
        *,
        batch_size: int,
        per_epoch: int,
        steps: int,
        clip_weight: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.epoch = 0
        self._source = source
        self._batch_size = batch_size
        self._per_epoch = per_epoch if isinstance(source, DisturbedFaces) else len(source)
        self._steps = steps
        self._clip_weight = clip_weight
        self._seed = seed

    def __len__(self) -> int:
        """Return the number of batches."""
        return max(1, self._per_epoch // self._batch_size)

    def __getitem__(self, batch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return one batch: what is observed, and what is to be said of it."""
        sequences = self._sequences(batch)
        return observed_of(sequences), targets_of(sequences, self._clip_weight)

    def _sequences(self, batch: int) -> list[FaceSequence]:
        random = np.random.default_rng((self._seed, self.epoch, batch))
        if isinstance(self._source, DisturbedFaces):
            return [
                make_sequence(self._source, self._steps, random) for _ in range(self._batch_size)
            ]
        order = np.random.default_rng((self._seed, self.epoch)).permutation(len(self._source))
        chosen = order[batch * self._batch_size : (batch + 1) * self._batch_size]
        return [_part(self._source[index], self._steps, random) for index in chosen]


def _part(sequence: FaceSequence, steps: int, random: np.random.Generator) -> FaceSequence:
    """A part of a long sequence, at random; the answer for the whole is taken for that of it."""
    surplus = len(sequence.timestamps_ms) - steps
    if surplus <= 0:
        return sequence
    return sequence.between(begin := int(random.integers(surplus + 1)), begin + steps)


def _padded(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    longest = max(map(len, rows))
    padded = np.zeros((len(rows), longest, rows[0].shape[1]), np.float32)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return padded
