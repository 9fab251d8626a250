"""The average of the weights is validated and kept, and the training goes on with the weights."""

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.training.training_model import TrainingModel
from mien.training.weight_average import WeightAverage

DECAY = 0.9
STEPS = 30


@pytest.fixture(scope="module")
def watched():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    normalized = keras.layers.BatchNormalization()(inputs)
    network = keras.Model(inputs, keras.layers.Dense(3)(normalized))
    first = network.get_weights()
    model = TrainingModel(network, average_decay=DECAY)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    random = np.random.default_rng(0)
    faces, targets = random.normal(1, 2, (8 * STEPS, 4)), random.normal(size=(8 * STEPS, 3))
    trained, validated = [], []
    watch: Any = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **__: trained.append(watch.model.get_weights()),
        on_test_batch_end=lambda *_, **__: validated.extend(watch.model.get_weights()),
    )
    model.fit(
        faces,
        targets,
        batch_size=8,
        validation_data=(faces[:8], targets[:8]),
        callbacks=[WeightAverage(), watch],
        verbose=0,
    )
    return first, trained, validated, model


def test_what_is_validated_is_the_average_of_all_weights(watched):
    average, trained, validated, _ = watched
    assert len(trained) == STEPS
    for step, weights in enumerate(trained, 1):
        decay = min(DECAY, (1 + step) / (10 + step))
        average = [
            decay * old + (1 - decay) * new.astype(np.float64)
            for old, new in zip(average, weights, strict=True)
        ]
    for found, expected, last in zip(validated, average, trained[-1], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        assert not np.allclose(found, last, rtol=1e-3)


def test_training_goes_on_with_the_weights(watched):
    _, trained, _, model = watched
    for found, last in zip(model.get_weights(), trained[-1], strict=True):
        np.testing.assert_array_equal(found, last)


def test_the_average_is_none_of_the_weights(watched):
    first, _, _, model = watched
    assert [weight.shape for weight in model.weights] == [weight.shape for weight in first]
