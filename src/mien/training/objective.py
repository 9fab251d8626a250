"""What is minimised, how, and for which targets."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from mien.core.labels import EMOTIONS
from mien.training.config import TrainingConfig
from mien.training.layer_rates import (
    NOT_DECAYED,
    LayerRateAdam,
    LayerRateSGD,
    are_of_heads,
    falling_rates,
)


def make_targets(
    labels: NDArray[np.int64],
    votes: NDArray[np.float32] | None,
    label_smoothing: float,
    classes: int = len(EMOTIONS),
) -> NDArray[np.float32]:
    """Build the targets that the network's outputs are compared with.

    Args:
        labels: (N,) labels, from 0.
        votes: (N, 10) counts of FER+'s votes in the order of `VOTE_CLASSES`, or None.
        label_smoothing: Share of a label's certainty that is spread over all classes.
        classes: How many there are.

    Returns:
        (N, C) float32 that sum to 1; with votes (N, C + 10), these and then the share of each vote.
    """
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    targets = one_hot * (1 - label_smoothing) + label_smoothing / classes
    if votes is None:
        return targets
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    return np.concatenate([targets, shares.astype(np.float32)], axis=1)


def make_loss(vote_weight: float) -> keras.losses.Loss | Callable[..., keras.KerasTensor]:
    """Return the cross-entropy of the emotions, plus `vote_weight` times that of the votes."""
    if not vote_weight:
        return keras.losses.CategoricalCrossentropy()

    def loss(targets: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.KerasTensor:
        count = len(EMOTIONS)
        emotions = ops.categorical_crossentropy(targets[:, :count], outputs[:, :count])
        votes = ops.categorical_crossentropy(targets[:, count:], outputs[:, count:])
        return emotions + vote_weight * votes

    return loss


def make_accuracy(classes: int = len(EMOTIONS)) -> Callable[..., keras.KerasTensor]:
    """Return the metric `accuracy`: whether the likeliest label is that of the target.

    Of a validation face that is its label. A training face's target can hold teachers' opinions,
    and be mixed with another's.

    Args:
        classes: How many labels there are; what stands behind them are votes.

    Returns:
        A function of targets and outputs, to (N,) float32.
    """

    def accuracy(targets: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.KerasTensor:
        hits = ops.equal(
            ops.argmax(targets[:, :classes], axis=-1), ops.argmax(outputs[:, :classes], axis=-1)
        )
        return ops.cast(hits, "float32")

    return accuracy


def make_optimizer(
    training: TrainingConfig, model: keras.Model, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """Build the optimizer; weight decay spares biases and batch normalization.

    The decay is decoupled from the gradient (Loshchilov and Hutter 2019, arXiv 1711.05101).
    """
    rate: float | keras.optimizers.schedules.LearningRateSchedule = training.learning_rate
    if training.schedule == "cosine":
        warmup = training.rising_epochs * steps_per_epoch
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else training.learning_rate,
            warmup_target=training.learning_rate if warmup else None,
            warmup_steps=warmup,
            decay_steps=training.epochs * steps_per_epoch - warmup,
        )
    by_layer = training.head_epochs > 0 or training.input_rate_factor < 1
    decay = None if by_layer else training.weight_decay or None
    if training.optimizer == "adam":
        adam = LayerRateAdam if by_layer else keras.optimizers.Adam
        optimizer = adam(rate, weight_decay=decay)
    else:
        sgd = LayerRateSGD if by_layer else keras.optimizers.SGD
        optimizer = sgd(rate, momentum=0.9, nesterov=True, weight_decay=decay)
    if by_layer:
        factors = falling_rates(model, training.input_rate_factor)
        head_steps = training.head_epochs * steps_per_epoch
        optimizer.follow(factors, are_of_heads(model), head_steps, training.weight_decay)
    if decay:
        optimizer.exclude_from_weight_decay(var_names=list(NOT_DECAYED))
    return optimizer


def class_weights(labels: NDArray[np.int64], classes: int = len(EMOTIONS)) -> dict[int, float]:
    """Weigh classes, of which each has a face, by their inverse frequency: 1 a face on average."""
    counts = np.bincount(labels, minlength=classes)
    return {label: float(len(labels) / (classes * count)) for label, count in enumerate(counts)}
