"""What a run takes from finished ones: weights to start from (a warm restart), and teachers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.core.labels import EMOTIONS
from mien.models.heads import FEATURES
from mien.models.keras_file import heads_of, load_network
from mien.training.config import SHIPPED, Experiment, load_experiment
from mien.training.run_folder import RunFolder, labels_beside
from mien.training.snapshots import newest_of


def runs_needed(experiment: Experiment, run: RunFolder, *, restart: bool) -> list[str]:
    """Name the finished runs that a run needs from here on.

    One that goes on has its first weights behind it, and keeps what its teachers answered.

    Args:
        experiment: Its experiment.
        run: Its folder.
        restart: What it has done so far will be thrown away.

    Raises:
        ModelError: if all of its snapshots are damaged.
    """
    start, distillation = experiment.training.start_from, experiment.distillation
    started = not restart and newest_of(run.state, run.paused) is not None
    taught = not restart and (run.answers.exists() or run.paused_answers.exists())
    needed = [start] if start and start != SHIPPED and not started else []
    return [*needed, *(distillation.teachers if distillation and not taught else [])]


def check_finished(runs: Sequence[RunFolder]) -> None:
    """See that runs have finished.

    Raises:
        ModelError: if one has not.
    """
    for run in runs:
        if not run.is_finished:
            raise ModelError(
                f"There is no {run.network}: train experiments/{run.path.name}.toml first."
            )


def check_teachers(experiment: Experiment, runs: Sequence[RunFolder]) -> None:
    """See that the teachers among finished runs tell FER2013's emotions apart, in their order.

    Raises:
        ModelError: if one does not.
    """
    teachers = experiment.distillation.teachers if experiment.distillation else []
    for run in runs:
        if run.path.name not in teachers or not run.recipe.is_file():
            continue
        recipe = load_experiment(run.recipe)
        names = recipe.class_table.names
        if recipe.is_temporal or names != EMOTIONS:
            found = "is a temporal network" if names == EMOTIONS else f"tells {', '.join(names)}"
            raise ModelError(
                f"{run.path.name} cannot teach: it {found}; expected a network of faces with "
                f"{', '.join(EMOTIONS)}, in this order."
            )


def start_from(
    network: keras.Model,
    finished: Path,
    labels: tuple[str, ...] = EMOTIONS,
) -> None:
    """Give a network the weights of a finished run, whose network has the same shapes.

    A head starts from the finished run's if both tell the same classes apart (the vote head of
    files of mien 0.1 had seven of its ten), else from its own weights.

    Args:
        network: A network of `mien.models.build.build_network`.
        finished: The finished run's `.keras` file, or the one that ships.
        labels: What the network's label head tells apart.

    Raises:
        ModelError: if its weights have other shapes.
    """
    start = load_network(finished)
    known, wanted = heads_of(start, labels_beside(finished)), heads_of(network, labels)
    same = [FEATURES, *(head for head in wanted if wanted[head] == known.get(head))]
    if FEATURES not in start.output:
        same.remove(FEATURES)
    source, target = _weighted_layers(start, same), _weighted_layers(network, same)
    if [_shapes(weights) for _, weights in source] != [_shapes(weights) for _, weights in target]:
        raise ModelError(
            f"{finished} has weights of other shapes than this experiment's network: give both the "
            "same [network], but for the activation and the dropout."
        )
    for (_, weights), (layer, _) in zip(source, target, strict=True):
        layer.set_weights(weights)


def _weighted_layers(
    network: keras.Model, outputs: list[str]
) -> list[tuple[keras.layers.Layer, list[NDArray[np.float32]]]]:
    """The layers that have weights, from the faces to these outputs, and the weights."""
    part = keras.Model(network.inputs[0], {name: network.output[name] for name in outputs})
    pairs = [(layer, layer.get_weights()) for layer in part.layers]
    return [(layer, weights) for layer, weights in pairs if weights]


def _shapes(weights: list[NDArray[np.float32]]) -> list[tuple[int, ...]]:
    return [array.shape for array in weights]
