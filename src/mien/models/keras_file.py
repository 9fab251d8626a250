"""Keras files: written, opened in safe mode, and run."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

import mien.models.normalization
import mien.models.temporal  # noqa: F401  (both register mien's own layers with Keras)
from mien.core.artifact import MOST_LABELS
from mien.core.errors import ModelError, OutputError
from mien.core.labels import EMOTIONS
from mien.core.preprocess import FACE_SIZE
from mien.models.heads import FEATURES, HEADS, LABEL_HEAD, VOTE_HEAD


def save_network(network: keras.Model, path: Path) -> None:
    """Write a network of `mien.models.build.to_plain_float32` to a `.keras` file, whole or not.

    Raises:
        OutputError: if it cannot be written.
    """
    partial = path.with_name(f"partial_{path.name}")
    try:
        network.save(partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        # h5py raises both where a disk is full.
        partial.unlink(missing_ok=True)
        raise OutputError(f"{path} cannot be written: {error}.") from error


def open_keras_file(path: Path) -> keras.Model:
    """Open a `.keras` file of Keras 3, without running code that it may hold.

    Raises:
        ModelError: if it is missing or damaged.
    """
    if not path.is_file():
        raise ModelError(
            f"There is no network {path}: `mien train` with its recipe writes one. The repository "
            "keeps the figures of runs, and of networks the one that ships, src/mien/assets."
        )
    if not zipfile.is_zipfile(path):
        raise ModelError(
            f"{path} is not a .keras file of Keras 3 (a zip archive), or it is cut short."
        )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"Keras {keras.__version__} cannot load {path}: {error}") from error


def load_network(path: Path) -> keras.Model:
    """Open the `.keras` file of a network of faces, and name its outputs.

    Args:
        path: A file of Keras 3, of `save_network` or with one output, (N, C) for 2 to 16 classes.

    Returns:
        A model from (N, 48, 48, 1) to named outputs as `mien.models.build.build_network` makes it;
        perhaps without `FEATURES` and `VOTE_HEAD`.

    Raises:
        ModelError: if the file is missing, is damaged, or its network reads or gives other shapes.
    """
    model = open_keras_file(path)
    outputs = _name_outputs(model)
    shapes = {name: tensor.shape for name, tensor in outputs.items() if name in HEADS}
    of_labels = shapes.get(LABEL_HEAD, (None, None))
    if (
        model.input_shape != (None, FACE_SIZE, FACE_SIZE, 1)
        or len(of_labels) != 2
        or of_labels[1] not in range(2, MOST_LABELS + 1)
    ):
        raise ModelError(
            f"{path} maps {model.input_shape} to {model.output_shape}; expected (None, "
            f"{FACE_SIZE}, {FACE_SIZE}, 1) to (None, C) with 2 to {MOST_LABELS} classes, or to "
            f"named outputs with {LABEL_HEAD} among them."
        )
    # A copied network wants its one input as a list, and warns at each call without.
    return keras.Model(model.inputs[0], outputs, name=model.name)


def _name_outputs(model: keras.Model) -> dict[str, keras.KerasTensor]:
    if isinstance(model, keras.Sequential):
        return {LABEL_HEAD: model.outputs[0]}
    if isinstance(model.output, dict):
        known = (FEATURES, *HEADS)
        return {name: tensor for name, tensor in model.output.items() if name in known}
    # Up to mien 0.1 a file had one output, the mean of both heads that shipped, and of the votes'
    # head the seven emotions. The heads are there as layers.
    layers = {layer.name: layer for layer in model.layers}
    labels = layers.get("probabilities")
    if labels is None:
        return {LABEL_HEAD: model.outputs[0]}
    outputs = {FEATURES: labels.input, LABEL_HEAD: labels.output}
    if "votes_for_emotions" in layers:
        outputs[VOTE_HEAD] = layers["votes_for_emotions"].output
    return outputs


def heads_of(
    network: keras.Model, labels: tuple[str, ...] = EMOTIONS
) -> dict[str, tuple[str, ...]]:
    """Return the classes of each head of a network of `load_network`.

    The vote head has seven in files of mien 0.1 and ten in all others.

    Args:
        network: The network; a Keras file does not name its classes.
        labels: What its label head tells apart (see `mien.training.run_folder.labels_beside`).

    Raises:
        ModelError: if the head has another number of classes.
    """
    found = network.output[LABEL_HEAD].shape[-1]
    if found != len(labels):
        raise ModelError(
            f"The network tells {found} classes apart, and {len(labels)} are named "
            f"({', '.join(labels)}): expected experiment.toml, the recipe of its run, beside its "
            "file."
        )
    heads = {LABEL_HEAD: labels}
    if VOTE_HEAD in network.output:
        votes = HEADS[VOTE_HEAD]
        heads[VOTE_HEAD] = votes if network.output[VOTE_HEAD].shape[-1] == len(votes) else EMOTIONS
    return heads


class KerasBackend:
    """Runs a network of `load_network` for `mien.classifier.classifier.Classifier`."""

    def __init__(self, network: keras.Model) -> None:
        """Keep the network."""
        self._network = network

    def run(self, pixels: NDArray[np.float32], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Run the network; see `mien.classifier.backend.Backend`."""
        found = self._network(pixels, training=False)
        return [np.asarray(keras.ops.convert_to_numpy(found[name])) for name in outputs]
