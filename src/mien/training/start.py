"""A run that starts from the weights of finished ones instead of random ones (a warm restart)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError


def start_from(model: keras.Model, finished: Sequence[Path]) -> None:
    """Give a network the mean weights of finished runs of the same network.

    Its vote head stays as it is: a finished run keeps only a part of its own.

    Args:
        model: A network of `mien.models.build_network`.
        finished: The finished runs' `.keras` files, one or more.

    Raises:
        ModelError: if a file is missing, or is another network.
    """
    target = _weighted_layers(model)
    shapes = [_shapes(weights) for _, weights in target]
    runs = []
    for path in finished:
        if not path.is_file():
            raise ModelError(f"There is no {path} to start from: train its experiment first.")
        weights = [
            weights for _, weights in _weighted_layers(keras.models.load_model(path, compile=False))
        ]
        if [_shapes(arrays) for arrays in weights] != shapes:
            raise ModelError(
                f"{path} is another network than this experiment's: give both the same [network]."
            )
        runs.append(weights)
    for (layer, _), *of_runs in zip(target, *runs, strict=True):
        layer.set_weights([np.mean(arrays, axis=0) for arrays in zip(*of_runs, strict=True)])


def _weighted_layers(
    model: keras.Model,
) -> list[tuple[keras.layers.Layer, list[NDArray[np.float32]]]]:
    """The layers that have weights, from the faces to the emotions, and these."""
    emotions = keras.Model(model.input, model.get_layer("probabilities").output)
    pairs = [(layer, layer.get_weights()) for layer in emotions.layers]
    return [(layer, weights) for layer, weights in pairs if weights]


def _shapes(weights: list[NDArray[np.float32]]) -> list[tuple[int, ...]]:
    return [array.shape for array in weights]
