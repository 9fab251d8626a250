"""From a Keras network to ONNX, if both give the same answers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from scipy.special import expit

from mien.core.artifact import (
    ARTIFACT_NAME,
    Artifact,
    Framing,
    apply_temperature,
    load_artifact,
    write_artifact,
)
from mien.core.errors import ModelError
from mien.core.labels import EMOTIONS
from mien.core.preprocess import FACE_SIZE
from mien.evaluation.calibration import measure_calibration
from mien.evaluation.keras_file import experiment_of, load_keras_model, run_keras
from mien.export.likeness import add_face_likeness, find_features
from mien.faces.crop import FRAMINGS
from mien.recognizer import LIKENESS_OUTPUT, Recognizer
from mien.training.faces import find_recipe, load_split
from mien.training.temperature import fit_temperature

LARGEST_DIFFERENCE = 1e-4
"""So far may a probability from ONNX Runtime lie from Keras's; else the export is refused."""


def export_model(
    model_or_path: keras.Model | Path,
    out_dir: Path,
    *,
    experiment: str,
    temperature: float = 1.0,
    crop: Mapping[str, Framing] = FRAMINGS,
    metrics: Mapping[str, Any] | None = None,
    real_faces_u8: NDArray[np.uint8] | None = None,
) -> Artifact:
    """Write `emotion.onnx` and `emotion.json`, if ONNX Runtime answers as Keras does.

    The same weights give the same bytes, so that a network keeps its SHA-256.

    Args:
        model_or_path: Maps (N, 48, 48, 1) float32 in [0, 1] to (N, 7) probabilities, and perhaps to
            the likeness to a face, (N, 1), as `mien.export.likeness.add_face_likeness` makes it.
        out_dir: Folder to write to.
        experiment: Name of the experiment that trained it.
        temperature: From `mien.training.temperature.fit_temperature`; it stands in the sidecar
            and the recogniser applies it.
        crop: The framing that the network wants, by the detector's name.
        metrics: What was measured of it, for the sidecar; JSON values only.
        real_faces_u8: (N, 48, 48) uint8 faces to compare the two on, besides random ones.

    Returns:
        The artifact.

    Raises:
        ModelError: if the network is not usable, or the two differ by more than 1e-4 in any
            probability of any face, that of being a face included.
    """
    model = load_keras_model(model_or_path) if isinstance(model_or_path, Path) else model_or_path
    network = _to_onnx(model)
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / ARTIFACT_NAME
        uncalibrated = write_artifact(network, candidate, experiment=experiment)
        for kind, faces_u8 in (("random", _random_faces()), ("real", real_faces_u8)):
            if faces_u8 is not None:
                _check_parity(model, uncalibrated, faces_u8, kind)
    return write_artifact(
        network,
        out_dir / ARTIFACT_NAME,
        experiment=experiment,
        temperature=temperature,
        crop=crop,
        metrics=metrics,
    )


def export_file(keras_path: Path, out_dir: Path, *, training_data: Path) -> Artifact:
    """Export a trained file, calibrated on the validation faces that chose its epoch.

    The experiment's name and figures come from the `metrics.json` beside the file, its split from
    the recipe (see `find_recipe`); from the same faces comes the second output, the likeness to a
    face. Where the recipe or the faces are missing, the temperature is 1, there is no second
    output, and Keras and ONNX are compared on random faces only; that is said, and no artifact that
    is there already is replaced by such a one.

    Args:
        keras_path: A `.keras` file.
        out_dir: Folder to write to.
        training_data: `train.csv`, or another file of `mien.data.fer2013.load_dataset`.

    Raises:
        ModelError: as `export_model`, or if there is an artifact and its successor cannot be
            calibrated.
        DataError: if the faces are there and not usable.
    """
    model = load_keras_model(keras_path)
    experiment = experiment_of(keras_path)
    metrics = _figures_beside(keras_path)
    recipe = find_recipe(keras_path.parent, experiment)
    if not (recipe.is_file() and training_data.exists()):
        missing = training_data if recipe.is_file() else recipe
        _refuse_to_replace(out_dir / ARTIFACT_NAME, missing)
        print(
            f"There is no {missing}: not calibrated (temperature 1), does not tell faces from "
            "other things, no real faces compared"
        )
        return export_model(model, out_dir, experiment=experiment, metrics=metrics)
    training, validation = load_split(recipe, training_data)
    own = run_keras(model, validation.faces_u8)
    temperature = fit_temperature(own, validation.labels)
    before = measure_calibration(own, validation.labels)
    after = measure_calibration(apply_temperature(own, temperature), validation.labels)
    print(
        f"Temperature {temperature:.3f}: expected calibration error on the "
        f"{len(own):,} validation faces {before.expected_error:.3f} before, "
        f"{after.expected_error:.3f} after"
    )
    features = find_features(model)
    if features is None:
        print("It has no layer `probabilities`: does not tell faces from other things")
    else:
        model = add_face_likeness(model, features, training.faces_u8, validation.faces_u8)
    return export_model(
        model,
        out_dir,
        experiment=experiment,
        temperature=temperature,
        metrics=metrics
        | {
            "validation_calibration_error_before": before.expected_error,
            "validation_calibration_error": after.expected_error,
        },
        real_faces_u8=validation.faces_u8,
    )


def has_calibrated_export(keras_path: Path, folder: Path) -> bool:
    """Say whether a folder holds a calibrated artifact of the network in a Keras file.

    Two networks are the same if they answer alike, to within 1e-4, on random faces.

    Raises:
        ModelError: if the Keras file is not usable.
    """
    try:
        artifact = load_artifact(folder / ARTIFACT_NAME)
    except ModelError:
        return False
    if artifact.temperature == 1.0:
        return False
    differences = _differences(load_keras_model(keras_path), artifact, _random_faces())
    return bool(differences.max() <= LARGEST_DIFFERENCE)


def _refuse_to_replace(onnx_path: Path, missing: Path) -> None:
    """Refuse to write an artifact that cannot be calibrated in the place of one that is there."""
    present = [path for path in (onnx_path, onnx_path.with_suffix(".json")) if path.exists()]
    if present:
        raise ModelError(
            f"There is no {missing}, so that the export would not be calibrated, and it would "
            f"replace {present[0]}. Expected the recipe (experiment.toml beside the Keras file, or "
            "experiments/<name>.toml) and the faces that the network was trained on: name these "
            "with --data (`mien data download` fetches FER2013), or write to another folder."
        )


def _figures_beside(keras_path: Path) -> dict[str, Any]:
    """Return the single figures of `metrics.json`; tables stay where they are."""
    path = keras_path.with_name("metrics.json")
    if not path.is_file():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in content.items() if isinstance(value, int | float)}


def _to_onnx(model: keras.Model) -> bytes:
    # Keras exports only what has been called.
    model(np.zeros((1, FACE_SIZE, FACE_SIZE, 1), np.float32), training=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ARTIFACT_NAME
        model.export(path, format="onnx", verbose=False)
        network = onnx.load(path)
    _name_in_order(network.graph)
    # It names the temporary folder.
    network.graph.doc_string = ""
    onnx.checker.check_model(network, full_check=True)
    return network.SerializeToString(deterministic=True)


def _name_in_order(graph: onnx.GraphProto) -> None:
    """Give the network's input and output mien's names, and all else names in order of use.

    The exporter's own names and order count what was built before in the same process.
    """
    weights = {tensor.name: tensor for tensor in graph.initializer}
    names = {graph.input[0].name: "faces"}
    # The exporter sorts the outputs as it likes.
    graph.output.sort(key=_width, reverse=True)
    for value, name in zip(graph.output, ("probabilities", LIKENESS_OUTPUT), strict=False):
        names[value.name] = name
    used: list[onnx.TensorProto] = []
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for name in node.input:
            if name in weights and name not in names:
                names[name] = f"weights_{len(used)}"
                used.append(weights[name])
        for index, name in enumerate(node.output):
            names.setdefault(name, f"{node.name}_{index}")
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for value in (*graph.input, *graph.output, *used):
        value.name = names[value.name]
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    tensors = [tensor.SerializeToString(deterministic=True) for tensor in used]
    del graph.initializer[:], graph.value_info[:]
    for tensor in tensors:
        graph.initializer.add().ParseFromString(tensor)


def _width(value: onnx.ValueInfoProto) -> int:
    return int(value.type.tensor_type.shape.dim[-1].dim_value)


def _random_faces() -> NDArray[np.uint8]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (64, FACE_SIZE, FACE_SIZE), dtype=np.uint8)


def _check_parity(
    model: keras.Model, artifact: Artifact, faces_u8: NDArray[np.uint8], kind: str
) -> None:
    difference = _differences(model, artifact, faces_u8)
    # A NaN is no small difference.
    if not difference.max() <= LARGEST_DIFFERENCE:
        face, label = np.unravel_index(difference.argmax(), difference.shape)
        raise ModelError(
            f"ONNX Runtime and Keras differ by {difference.max():.2g} in the probability of "
            f"{(*EMOTIONS, 'a face')[label]} on {kind} face {face} of {len(faces_u8)}; expected at "
            f"most {LARGEST_DIFFERENCE:g}. The artifact was not written."
        )


def _differences(
    model: keras.Model, artifact: Artifact, faces_u8: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return how far the two lie apart in each face's probabilities, (N, 7) or (N, 8).

    The eighth is that of being a face, where `model` tells it. The temperature is applied to both.
    """
    found, likeness = Recognizer(artifact, detector="haar").classify_with_likeness(faces_u8)
    expected = [
        run_keras(keras.Model(model.inputs[0], output), faces_u8) for output in model.outputs
    ]
    expected[0] = apply_temperature(expected[0], artifact.temperature)
    if len(expected) > 1:
        found = np.column_stack([found, expit(likeness)])
        expected[1] = expit(expected[1])
    difference: NDArray[np.float32] = np.abs(found - np.concatenate(expected, axis=1))
    return difference
