"""Targets, losses and the optimizer's options do what an experiment file asks for."""

from typing import Any, Literal

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.training.config import TrainingConfig
from mien.training.objective import (
    class_weights,
    make_accuracy,
    make_loss,
    make_optimizer,
    make_targets,
)


def test_smoothed_targets_still_sum_to_one() -> None:
    targets = make_targets(np.array([3, 0]), None, label_smoothing=0.1)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    assert targets[0, 3] == pytest.approx(0.9 + 0.1 / 7)


def test_votes_become_shares_beside_the_label() -> None:
    votes = np.zeros((1, 10), np.float32)
    votes[0, 1], votes[0, 2] = 6, 2
    targets = make_targets(np.array([3]), votes, label_smoothing=0)
    np.testing.assert_allclose(targets[0, 7:10], [0, 0.75, 0.25])


def test_the_vote_head_adds_its_weighted_cross_entropy() -> None:
    targets, outputs = np.zeros((1, 17), np.float32), np.full((1, 17), 0.1, np.float32)
    targets[0, 0] = targets[0, 8] = 1
    outputs[0, :7], outputs[0, 0] = 0.5 / 6, 0.5
    loss = make_loss(vote_weight=2)
    assert callable(loss)
    found = keras.ops.convert_to_numpy(loss(targets, outputs))
    assert found[0] == pytest.approx(-np.log(0.5) - 2 * np.log(0.1), rel=1e-3)


def test_accuracy_looks_at_the_emotions_only() -> None:
    targets, outputs = np.zeros((2, 17), np.float32), np.zeros((2, 17), np.float32)
    targets[:, 3] = outputs[0, 3] = outputs[1, 4] = 0.6
    outputs[:, 16] = targets[:, 10] = 0.9
    np.testing.assert_array_equal(make_accuracy()(targets, outputs), [1, 0])


def test_class_weights_make_every_class_count_alike() -> None:
    labels = np.repeat(np.arange(7), [10, 1, 5, 20, 5, 5, 4])
    weights = class_weights(labels)
    total = [weights[label] * np.sum(labels == label) for label in range(7)]
    np.testing.assert_allclose(total, total[0])
    assert np.mean([weights[label] for label in labels.tolist()]) == pytest.approx(1)


def test_cosine_rises_in_the_warm_up_and_ends_at_zero() -> None:
    training = TrainingConfig(
        epochs=10, optimizer="sgd", learning_rate=0.2, schedule="cosine", warmup_epochs=2
    )
    optimizer = make_optimizer(training, small_network(), steps_per_epoch=100)
    rates = []
    for step in (0, 100, 200, 600, 1000):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(rates, [0, 0.1, 0.2, 0.1, 0], atol=1e-6)


def test_weight_decay_spares_biases_and_batch_normalization() -> None:
    inputs = keras.Input((3,))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(inputs))
    model = keras.Model(inputs, x)
    optimizer = make_optimizer(
        TrainingConfig(optimizer="sgd", learning_rate=0.1, weight_decay=0.5),
        model,
        steps_per_epoch=1,
    )
    before = [weights + 1 for weights in model.get_weights()]
    model.set_weights(before)
    gradients = [keras.ops.zeros_like(variable) for variable in model.trainable_variables]
    optimizer.apply(gradients, model.trainable_variables)
    kernel, bias, gamma, beta = model.get_weights()[:4]
    np.testing.assert_allclose(kernel, before[0] * 0.95, rtol=1e-5)
    for found, kept in zip((bias, gamma, beta), before[1:4], strict=True):
        np.testing.assert_array_equal(found, kept)


def small_network() -> Any:
    inputs = keras.Input((3,))
    x = keras.layers.Dense(4, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="second")(x)
    return keras.Model(inputs, keras.layers.Dense(7, "softmax", name="probabilities")(x))


def first_weights(model: Any) -> list[float]:
    return [weights.numpy().flat[0] for weights in model.trainable_weights]


def steps_of(training: TrainingConfig, steps: int) -> list[list[float]]:
    """How far the first weight of each trainable variable moves in each step of gradient 1."""
    model = small_network()
    optimizer = make_optimizer(training, model, steps_per_epoch=2)
    gradients = [keras.ops.ones_like(variable) for variable in model.trainable_variables]
    moves = []
    for _ in range(steps):
        before = first_weights(model)
        optimizer.apply(gradients, model.trainable_variables)
        after = first_weights(model)
        moves.append([float(b - a) for a, b in zip(after, before, strict=True)])
    return moves


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_heads_learn_alone_at_first(optimizer: Literal["adam", "sgd"]) -> None:
    training = TrainingConfig(epochs=2, optimizer=optimizer, learning_rate=0.1, head_epochs=1)
    first, second, third = steps_of(training, 3)
    for alone in (first, second):
        assert alone[:4] == [0, 0, 0, 0]
        assert min(alone[4:]) > 0.05
    assert min(third) > 0.05


def test_learning_rates_fall_towards_the_input() -> None:
    training = TrainingConfig(learning_rate=0.1, input_rate_factor=0.25)
    (moves,) = steps_of(training, 1)
    # Kernel and bias, gamma and beta, kernel and bias; Adam's first step is the learning rate.
    np.testing.assert_allclose(moves, [0.025, 0.025, 0.05, 0.05, 0.1, 0.1], rtol=1e-3)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_weight_decay_follows_each_layers_rate(optimizer: Literal["adam", "sgd"]) -> None:
    training = TrainingConfig(
        epochs=2,
        optimizer=optimizer,
        learning_rate=0.1,
        weight_decay=0.5,
        input_rate_factor=0.25,
        head_epochs=1,
    )
    model = small_network()
    optimizer_of_layers = make_optimizer(training, model, steps_per_epoch=1)
    still = [keras.ops.zeros_like(variable) for variable in model.trainable_variables]
    left = []
    for _ in range(2):
        before = [weights.numpy() for weights in model.trainable_weights]
        optimizer_of_layers.apply(still, model.trainable_variables)
        after = [weights.numpy() for weights in model.trainable_weights]
        left.append(
            [float(a.sum() / b.sum()) for a, b in zip(after, before, strict=True) if b.any()]
        )
    # The kernel, gamma and the head's kernel: at first the head alone, and never gamma.
    np.testing.assert_allclose(left[0], [1, 1, 0.95], rtol=1e-5)
    np.testing.assert_allclose(left[1], [0.9875, 1, 0.95], rtol=1e-5)
