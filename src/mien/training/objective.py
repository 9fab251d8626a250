"""What is minimised, how, and for which targets."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from mien.core.labels import EMOTIONS
from mien.training.config import TrainingConfig


def make_targets(
    labels: NDArray[np.int64], votes: NDArray[np.float32] | None, label_smoothing: float
) -> NDArray[np.float32]:
    """Build the targets that the network's outputs are compared with.

    Args:
        labels: (N,) labels, 0 to 6.
        votes: (N, 10) counts of FER+'s votes in the order of `VOTE_CLASSES`, or None.
        label_smoothing: Share of a label's certainty that is spread over all seven.

    Returns:
        (N, 7) float32 that sum to 1; with votes (N, 17), these and then the share of each vote.
    """
    count = len(EMOTIONS)
    one_hot = np.eye(count, dtype=np.float32)[labels]
    targets = one_hot * (1 - label_smoothing) + label_smoothing / count
    if votes is None:
        return targets
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    return np.concatenate([targets, shares.astype(np.float32)], axis=1)


def make_loss(vote_weight: float) -> keras.losses.Loss | str:
    """Return the cross-entropy of the emotions, plus `vote_weight` times that of the votes."""
    if not vote_weight:
        return keras.losses.CategoricalCrossentropy()

    def loss(targets: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.KerasTensor:
        count = len(EMOTIONS)
        emotions = ops.categorical_crossentropy(targets[:, :count], outputs[:, :count])
        votes = ops.categorical_crossentropy(targets[:, count:], outputs[:, count:])
        return emotions + vote_weight * votes

    return loss


def accuracy(targets: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.KerasTensor:
    """Whether the likeliest of the seven emotions is that of the target, (N,) float32.

    Of a validation face that is its label. A training face's target can hold teachers' opinions,
    and be mixed with another's.
    """
    count = len(EMOTIONS)
    hits = ops.equal(
        ops.argmax(targets[:, :count], axis=-1), ops.argmax(outputs[:, :count], axis=-1)
    )
    return ops.cast(hits, "float32")


def make_optimizer(training: TrainingConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Build the optimizer; weight decay spares biases and batch normalization.

    The decay is decoupled from the gradient (Loshchilov and Hutter 2019, arXiv 1711.05101).
    """
    rate: float | keras.optimizers.schedules.LearningRateSchedule = training.learning_rate
    if training.schedule == "cosine":
        warmup = training.warmup_epochs * steps_per_epoch
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else training.learning_rate,
            warmup_target=training.learning_rate if warmup else None,
            warmup_steps=warmup,
            decay_steps=training.epochs * steps_per_epoch - warmup,
        )
    decay = training.weight_decay or None
    if training.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate, weight_decay=decay)
    else:
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def class_weights(labels: NDArray[np.int64]) -> dict[int, float]:
    """Weigh classes by their inverse frequency, so that the mean weight of a face is 1."""
    counts = np.bincount(labels, minlength=len(EMOTIONS))
    return {
        label: float(len(labels) / (len(counts) * max(count, 1)))
        for label, count in enumerate(counts)
    }
