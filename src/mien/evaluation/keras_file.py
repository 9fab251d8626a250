"""Keras files: loaded, checked, and traced to their experiment."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

import mien.models  # noqa: F401  (registers mien's own layers with Keras)
from mien.core.errors import ModelError
from mien.core.labels import EMOTIONS
from mien.core.preprocess import FACE_SIZE, to_network_input

_BATCH = 256


def load_keras_model(path: Path) -> keras.Model:
    """Load a `.keras` file and check that it classifies faces.

    Args:
        path: A file of Keras 3.

    Raises:
        ModelError: if the file is missing, is damaged, or its network does not map
            (N, 48, 48, 1) to (N, 7).
    """
    if not path.is_file():
        raise ModelError(f"There is no network {path}: `mien train` writes one.")
    if not zipfile.is_zipfile(path):
        raise ModelError(
            f"{path} is not a .keras file of Keras 3 (a zip archive), or it is cut short."
        )
    try:
        model = keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ModelError(f"Keras {keras.__version__} cannot load {path}: {error}") from error
    shapes = (model.input_shape, model.output_shape)
    if shapes != ((None, FACE_SIZE, FACE_SIZE, 1), (None, len(EMOTIONS))):
        raise ModelError(
            f"{path} maps {shapes[0]} to {shapes[1]}; expected (None, {FACE_SIZE}, {FACE_SIZE}, 1) "
            f"to (None, {len(EMOTIONS)})."
        )
    # A copied network wants its one input as a list, and warns at each call without.
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def run_keras(model: keras.Model, faces_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Run a Keras network, in batches.

    Args:
        model: Maps (N, 48, 48, 1) float32 in [0, 1] to (N, C): probabilities, or other outputs.
        faces_u8: (N, 48, 48) uint8, N at least 1.

    Returns:
        (N, C) float32.
    """
    batches = [
        keras.ops.convert_to_numpy(
            model(to_network_input(faces_u8[start : start + _BATCH]), training=False)
        )
        for start in range(0, len(faces_u8), _BATCH)
    ]
    return np.concatenate(batches)


def experiment_of(path: Path) -> str:
    """Name the experiment that trained `path`, from the `metrics.json` beside it.

    Returns:
        The name, or "unknown" where there is no such file or it names none.
    """
    metrics = path.with_name("metrics.json")
    if not metrics.is_file():
        return "unknown"
    return str(json.loads(metrics.read_text(encoding="utf-8")).get("experiment", "unknown"))
