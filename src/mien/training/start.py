"""A run that starts from the weights of a finished one instead of random ones (a warm restart)."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError


def start_from(model: keras.Model, finished: Path) -> None:
    """Give a network the weights of a finished run of the same network.

    Its vote head stays as it is: a finished run keeps only a part of its own.

    Args:
        model: A network of `mien.models.build_network`.
        finished: The finished run's `.keras` file.

    Raises:
        ModelError: if the file is missing, or is another network.
    """
    if not finished.is_file():
        raise ModelError(f"There is no {finished} to start from: train its experiment first.")
    source = _weighted_layers(keras.models.load_model(finished, compile=False))
    target = _weighted_layers(model)
    if [_shapes(weights) for _, weights in source] != [_shapes(weights) for _, weights in target]:
        raise ModelError(
            f"{finished} is another network than this experiment's: give both the same [network]."
        )
    for (_, weights), (layer, _) in zip(source, target, strict=True):
        layer.set_weights(weights)


def _weighted_layers(
    model: keras.Model,
) -> list[tuple[keras.layers.Layer, list[NDArray[np.float32]]]]:
    """The layers that have weights, from the faces to the emotions, and these."""
    emotions = keras.Model(model.input, model.get_layer("probabilities").output)
    pairs = [(layer, layer.get_weights()) for layer in emotions.layers]
    return [(layer, weights) for layer, weights in pairs if weights]


def _shapes(weights: list[NDArray[np.float32]]) -> list[tuple[int, ...]]:
    return [array.shape for array in weights]
