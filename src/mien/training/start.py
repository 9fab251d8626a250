"""What a run takes from finished ones: weights to start from (a warm restart), and teachers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.training.config import SplitConfig, load_experiment

MODEL_NAME = "final_emotion_model.keras"


def check_predecessors(runs: Sequence[Path], split: SplitConfig) -> None:
    """See that runs have finished, and never trained on the validation faces of another run.

    Of two splits with the same seed, the one with the smaller fraction has the other's validation
    faces in part, and no more.

    Args:
        runs: Folders of the runs that the other one needs.
        split: The other one's split.

    Raises:
        ModelError: if one has not finished, or has trained on faces of that validation.
    """
    for run in runs:
        if not (run / MODEL_NAME).is_file():
            raise ModelError(
                f"There is no {run / MODEL_NAME}: train experiments/{run.name}.toml first."
            )
        other = load_experiment(run / "experiment.toml").split
        if other.seed != split.seed or other.validation_fraction < split.validation_fraction:
            raise ModelError(
                f"{run.name} has trained on faces that would choose this run's epoch: its [split] "
                f"has validation_fraction = {other.validation_fraction} and seed = {other.seed}, "
                f"this one's {split.validation_fraction} and {split.seed}. Give the same seed, and "
                "at most its fraction."
            )


def start_from(model: keras.Model, finished: Path) -> None:
    """Give a network the weights of a finished run, whose network has the same shapes.

    Its vote head stays as it is: a finished run keeps only a part of its own.

    Args:
        model: A network of `mien.models.build_network`.
        finished: The finished run's `.keras` file.

    Raises:
        ModelError: if its weights have other shapes.
    """
    source = _weighted_layers(keras.models.load_model(finished, compile=False))
    target = _weighted_layers(model)
    if [_shapes(weights) for _, weights in source] != [_shapes(weights) for _, weights in target]:
        raise ModelError(
            f"{finished} has weights of other shapes than this experiment's network: give both the "
            "same [network], but for the activation and the dropout."
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
