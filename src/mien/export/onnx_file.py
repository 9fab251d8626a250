"""From a Keras network to ONNX, if both give the same answers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from mien.classifier.backend import OnnxBackend, outputs_of
from mien.classifier.reading import read
from mien.core.artifact import ARTIFACT_NAME, Artifact, Reading, load_artifact, write_artifact
from mien.core.errors import ModelError
from mien.core.preprocess import FACE_SIZE, to_network_input
from mien.evaluation.calibration import measure_calibration
from mien.evaluation.keras_network import describe
from mien.export.keras_graph import to_bytes, to_onnx_graph
from mien.export.likeness import add_face_likeness
from mien.models.heads import FACE_LIKENESS, VOTE_HEAD
from mien.models.keras_file import KerasBackend, heads_of, load_network
from mien.training.faces import LabelledFaces, load_faces_of, split_faces
from mien.training.provenance import check_data, data_of_run
from mien.training.publish import GAIN_OVER_CHANCE, is_better_than_chance, is_calibrated
from mien.training.readings import LABELS, fit_readings, truth_of
from mien.training.run_folder import RunFolder, figures_beside, labels_beside
from mien.training.temperature import negative_log_likelihood

LARGEST_DIFFERENCE = 1e-4
"""So far may an output of ONNX Runtime lie from Keras's (of numbers above 1: so large a part of
them); else the export is refused."""


def export_file(
    keras_path: Path,
    out_dir: Path,
    *,
    training_data: Path | None,
    votes_file: Path,
    say: Callable[[str], None],
) -> Artifact:
    """Export a trained file, its readings chosen on the validation faces that chose its epoch.

    The experiment's name and figures come from what lies beside the file (`figures_beside`), its
    split from the recipe (see `RunFolder.find_recipe`); from the same faces comes the likeness to a
    face. Where the recipe, the faces or the votes of a network that learnt them are missing, the
    temperatures are 1, there is no likeness, and Keras and ONNX are compared on random faces only;
    that is said, and no artifact that is there already is replaced by such a one.

    Args:
        keras_path: A `.keras` file.
        out_dir: Folder to write to.
        training_data: What the network was trained on; None for what its run names, else
            `data/train.csv`.
        votes_file: FER+'s `fer2013new.csv`; read only if the network has a vote head.
        say: Called with each line for the user.

    Raises:
        ModelError: as `export_network`; if the run was on other faces; or if there is an artifact
            and its successor cannot be calibrated.
        DataError: if the faces are there and not usable.
    """
    network = load_network(keras_path)
    figures = figures_beside(keras_path)
    experiment = figures["experiment"]
    labels = labels_beside(keras_path)
    artifact = describe(network, out_dir / ARTIFACT_NAME, experiment, figures, labels)
    run = RunFolder(keras_path.parent)
    recipe = run.find_recipe(experiment)
    training_data = training_data or data_of_run(run)
    with_votes = VOTE_HEAD in artifact.heads
    needed = [recipe, training_data, *([votes_file] if with_votes else [])]
    missing = next((path for path in needed if not path.exists()), None)
    if missing is not None:
        _refuse_to_replace(artifact.onnx_path, missing)
        say(
            f"There is no {missing}: not calibrated (temperature 1), does not tell faces from "
            "other things, no real faces compared"
        )
        return export_network(network, artifact)
    faces, split = load_faces_of(recipe, training_data, votes_file if with_votes else None)
    check_data(faces, run)
    training, validation = split_faces(faces, split)
    outputs = network.predict(to_network_input(validation.faces_u8), batch_size=256, verbose=0)
    readings = fit_readings(outputs, artifact.heads, validation)
    readings[LABELS] = _with_gain_over_chance(readings[LABELS], outputs, artifact, validation)
    readings = {
        name: _with_calibration(reading, name, outputs, artifact, validation)
        for name, reading in readings.items()
    }
    for name, reading in readings.items():
        say(_calibration_line(name, reading, len(validation.labels)))
    if not is_better_than_chance(readings[LABELS]):
        above = -readings[LABELS].metrics[GAIN_OVER_CHANCE]
        say(
            f"It is no better than chance on the {len(validation.labels):,} validation faces: its "
            f"log-loss is {above:.3f} above that of answering with how common the labels are. "
            "Train longer, on more faces, or at another learning rate."
        )
    if artifact.features is None:
        say("It has no named features: does not tell faces from other things")
    else:
        network = add_face_likeness(network, training.faces_u8, validation.faces_u8)
        artifact = replace(artifact, face_likeness=FACE_LIKENESS)
    artifact = replace(artifact, readings=readings)
    return export_network(network, artifact, real_faces_u8=validation.faces_u8)


def export_network(
    network: keras.Model, artifact: Artifact, *, real_faces_u8: NDArray[np.uint8] | None = None
) -> Artifact:
    """Write a network as ONNX, with its sidecar, if ONNX Runtime answers as Keras does.

    On one machine the same weights give the same bytes. On another processor they may not, as its
    rounding goes into what is folded: networks are known again by what they answer.

    Args:
        network: Maps (N, 48, 48, 1) to the outputs that `artifact` names.
        artifact: What the sidecar is to say, and where to write both.
        real_faces_u8: (N, 48, 48) uint8 faces to compare the two on, besides random ones.

    Returns:
        The artifact as it was written.

    Raises:
        ModelError: if the two differ by more than 1e-4 in any output of any face.
    """
    graph = _to_onnx(network)
    with tempfile.TemporaryDirectory() as folder:
        candidate = write_artifact(graph, replace(artifact, onnx_path=Path(folder) / ARTIFACT_NAME))
        for kind, faces_u8 in (("random", _random_faces()), ("real", real_faces_u8)):
            if faces_u8 is not None:
                _check_parity(network, candidate, faces_u8, kind)
    return write_artifact(graph, artifact)


def has_calibrated_export(keras_path: Path, onnx_path: Path) -> bool:
    """Say whether a file is a calibrated artifact of the network in a Keras file.

    Two networks are the same if they answer alike, to within 1e-4, on random faces.

    Raises:
        ModelError: if the Keras file is not usable.
    """
    try:
        artifact = load_artifact(onnx_path)
    except ModelError:
        return False
    network = load_network(keras_path)
    heads = heads_of(network, labels_beside(keras_path))
    if not is_calibrated(artifact) or artifact.heads != heads:
        return False
    differences = _differences(network, artifact, _random_faces(), list(artifact.heads))
    return max(float(each.max()) for each in differences.values()) <= LARGEST_DIFFERENCE


def _with_calibration(
    reading: Reading,
    name: str,
    outputs: Mapping[str, NDArray[np.float32]],
    artifact: Artifact,
    validation: LabelledFaces,
) -> Reading:
    """Add the calibration error on the reading's own truth, without and with its temperature."""
    truth, known = truth_of(name, validation)
    errors = {
        key: measure_calibration(read(outputs, each, artifact.heads)[known], truth[known])
        for key, each in (
            ("validation_calibration_error_before", replace(reading, temperature=1.0)),
            ("validation_calibration_error", reading),
        )
    }
    measured = {key: error.expected_error for key, error in errors.items()}
    return replace(reading, metrics={**reading.metrics, **measured})


def _with_gain_over_chance(
    reading: Reading,
    outputs: Mapping[str, NDArray[np.float32]],
    artifact: Artifact,
    validation: LabelledFaces,
) -> Reading:
    """Add how much the reading knows of the labels beyond how common they are, in nats a face.

    Where the faces are of one class, nobody can tell.
    """
    if len(np.unique(validation.labels)) < 2:
        return reading
    loss = negative_log_likelihood(read(outputs, reading, artifact.heads), validation.labels)
    shares = np.bincount(validation.labels) / len(validation.labels)
    chance = float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
    return replace(reading, metrics={**reading.metrics, GAIN_OVER_CHANCE: chance - loss})


def _calibration_line(name: str, reading: Reading, faces: int) -> str:
    return (
        f"Reading {name}: share of the vote head {reading.shares.get(VOTE_HEAD, 0.0):g}, "
        f"temperature {reading.temperature:.3f}, expected calibration error on the {faces:,} "
        f"validation faces {reading.metrics['validation_calibration_error_before']:.3f} before, "
        f"{reading.metrics['validation_calibration_error']:.3f} after"
    )


def _refuse_to_replace(onnx_path: Path, missing: Path) -> None:
    """Refuse to write an artifact that cannot be calibrated instead of one that is there."""
    present = [path for path in (onnx_path, onnx_path.with_suffix(".json")) if path.exists()]
    if present:
        raise ModelError(
            f"There is no {missing}, so that the export would not be calibrated, and it would "
            f"replace {present[0]}. Expected the recipe (experiment.toml beside the Keras file, or "
            "experiments/<name>.toml), the faces that the network was trained on and FER+'s votes: "
            "name these with --data and --votes (`mien data download` fetches both), or write to "
            "another folder."
        )


def _to_onnx(network: keras.Model) -> bytes:
    # Keras exports only what has been called.
    network(np.zeros((1, FACE_SIZE, FACE_SIZE, 1), np.float32), training=False)
    model = to_onnx_graph(network)
    _name_in_order(model.graph, list(network.output))
    return to_bytes(model)


def _name_in_order(graph: onnx.GraphProto, outputs: list[str]) -> None:
    """Give the input mien's name, and all names but the outputs' in order of use.

    The exporter names the outputs as Keras does; its other names, and the order of everything,
    count what was built before in the same process.
    """
    weights = {tensor.name: tensor for tensor in graph.initializer}
    names = {name: name for name in outputs} | {graph.input[0].name: "faces"}
    graph.output.sort(key=lambda value: outputs.index(value.name))
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
    for value in (*graph.input, *used):
        value.name = names[value.name]
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    tensors = [tensor.SerializeToString(deterministic=True) for tensor in used]
    del graph.initializer[:], graph.value_info[:]
    for tensor in tensors:
        graph.initializer.add().ParseFromString(tensor)


def _random_faces() -> NDArray[np.uint8]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (64, FACE_SIZE, FACE_SIZE), dtype=np.uint8)


def _check_parity(
    network: keras.Model, artifact: Artifact, faces_u8: NDArray[np.uint8], kind: str
) -> None:
    differences = _differences(network, artifact, faces_u8, list(outputs_of(artifact)))
    for name, difference in differences.items():
        # A NaN is no small difference.
        if not difference.max() <= LARGEST_DIFFERENCE:
            face, column = np.unravel_index(difference.argmax(), difference.shape)
            classes = artifact.heads.get(name)
            raise ModelError(
                f"ONNX Runtime and Keras differ by {difference.max():.2g} in {name} "
                f"({classes[column] if classes else f'column {column}'}) on {kind} face {face} of "
                f"{len(faces_u8)}; expected at most {LARGEST_DIFFERENCE:g}. The artifact was not "
                "written."
            )


def _differences(
    network: keras.Model, artifact: Artifact, faces_u8: NDArray[np.uint8], outputs: list[str]
) -> dict[str, NDArray[np.float32]]:
    """Return how far the two lie apart in each face's outputs; of numbers above 1, in parts."""
    backends = (OnnxBackend(artifact), KerasBackend(network))
    differences: dict[str, list[NDArray[np.float32]]] = {}
    for start in range(0, len(faces_u8), 256):
        pixels = to_network_input(faces_u8[start : start + 256])
        pairs = zip(*(backend.run(pixels, outputs) for backend in backends), strict=True)
        for name, (found, expected) in zip(outputs, pairs, strict=True):
            difference = np.abs(found - expected) / np.maximum(np.abs(expected), 1)
            differences.setdefault(name, []).append(difference)
    return {name: np.concatenate(parts) for name, parts in differences.items()}
