"""From an artifact in float32 to one that computes in 8-bit integers."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from mien.classifier.classifier import Classifier
from mien.classifier.reading import read
from mien.core.artifact import ARTIFACT_NAME, Artifact, Reading, load_artifact, write_artifact
from mien.core.errors import OutputError
from mien.core.files import refuse_overwriting, write_atomically
from mien.core.preprocess import NetworkInput, to_network_input
from mien.data.infer_classes import load_any_faces
from mien.evaluation.network import fit_faces
from mien.models.heads import VOTE_HEAD
from mien.training.faces import LabelledFaces, load_faces_of, split_faces
from mien.training.provenance import check_data, data_of_run
from mien.training.readings import LABELS, truth_of
from mien.training.run_folder import RunFolder
from mien.training.temperature import fit_temperature

CALIBRATION_FACES = 1024
"""About so many training faces show the ranges of the activations."""


def quantise_file(
    onnx_path: Path | None,
    out: Path,
    *,
    training_data: Path | None,
    votes_file: Path,
    say: Callable[[str], None],
) -> Artifact:
    """Quantise an artifact to INT8, and say what that costs and gains.

    The activations' ranges come from training faces, the temperatures from validation faces; both
    networks are compared on the latter. Without the recipe nobody knows which faces are which: the
    ranges come from all, the temperatures stay, and what is said is how often the two agree.

    Args:
        onnx_path: The artifact to quantise; None for the one that ships with mien.
        out: The `.onnx` file to write; its sidecar goes beside it, and the artifact's recipe and
            `data.json` where they are known: which faces a network has learnt, and what they are
            called, holds for its quantised copy too.
        training_data: What it was trained on, or without a recipe any faces; see
            `mien.data.fer2013.load_dataset`. None for what its run names, else `data/train.csv`.
        votes_file: FER+'s `fer2013new.csv`; read only if the network has a vote head.
        say: Called with each line for the user.

    Raises:
        OutputError: if `out` or its sidecar would take the place of a file that is read, or lies
            in the folder of another run.
        ModelError: if the artifact is not usable, or its run was on other faces.
        DataError: if the faces or votes are not usable.
    """
    source = load_artifact(onnx_path)
    run = RunFolder(source.onnx_path.parent)
    recipe = run.find_recipe(source.experiment)
    training_data = training_data or data_of_run(run)
    refuse_overwriting(
        [source.onnx_path, source.onnx_path.with_suffix(".json"), training_data, votes_file],
        [out, out.with_suffix(".json")],
    )
    beside = RunFolder(out.parent)
    if not _is_same(beside, run) and (beside.is_finished or beside.state.exists()):
        raise OutputError(
            f"{out} would lie in the folder of another run than {run.path}, whose recipe would be "
            "taken for its own: name another folder with --out."
        )
    if not recipe.is_file():
        dataset = load_any_faces(training_data)
        if (skipped := dataset.told_of_skipped()) is not None:
            say(skipped)
        faces_u8 = fit_faces(dataset.faces_u8, source.input)
        say(
            f"There is no {recipe}: the ranges come from the {len(faces_u8):,} faces of "
            f"{training_data}, the temperatures stay as they are"
        )
        quantised = _quantise_uncalibrated(source, out, faces_u8, say)
        _keep_origin(run, beside)
        return quantised
    faces, split = load_faces_of(
        recipe, training_data, votes_file if VOTE_HEAD in source.heads else None
    )
    check_data(faces, run)
    if faces.told_of_skipped:
        say(faces.told_of_skipped)
    quantised = _quantise_calibrated(source, out, *split_faces(faces, split), say)
    _keep_origin(run, beside)
    return quantised


def _is_same(first: RunFolder, second: RunFolder) -> bool:
    return first.path.resolve() == second.path.resolve()


def _keep_origin(run: RunFolder, beside: RunFolder) -> None:
    """Copy what tells which faces a network has learnt, or remove what told it of another."""
    if _is_same(run, beside):
        return
    for known, copy in ((run.recipe, beside.recipe), (run.data, beside.data)):
        if known.is_file():
            write_atomically(copy, known.read_text(encoding="utf-8"))
        else:
            copy.unlink(missing_ok=True)


def _quantise_uncalibrated(
    source: Artifact, out: Path, faces_u8: NDArray[np.uint8], say: Callable[[str], None]
) -> Artifact:
    with _quantised(source, faces_u8) as quantised:
        readings = {
            name: replace(reading, temperature=source.readings[name].temperature)
            for name, reading in quantised.readings.items()
        }
        quantised = _moved(quantised, out, readings)
    say(compare(source, quantised, faces_u8))
    return quantised


def _quantise_calibrated(
    source: Artifact,
    out: Path,
    training: LabelledFaces,
    validation: LabelledFaces,
    say: Callable[[str], None],
) -> Artifact:
    validation_u8 = fit_faces(validation.faces_u8, source.input)
    with _quantised(source, fit_faces(training.faces_u8, source.input)) as quantised:
        heads = Classifier(quantised).classify(validation_u8).heads
        readings = {
            name: _calibrated(name, reading, heads, quantised, validation)
            for name, reading in quantised.readings.items()
        }
        quantised = _moved(quantised, out, readings)
    say(compare(source, quantised, validation_u8, validation.labels))
    return quantised


@contextlib.contextmanager
def _quantised(source: Artifact, faces_u8: NDArray[np.uint8]) -> Iterator[Artifact]:
    """Quantise aside: no artifact takes another's place before it is calibrated."""
    with tempfile.TemporaryDirectory() as folder:
        yield quantise(source, _some(faces_u8), Path(folder) / ARTIFACT_NAME)


def _moved(artifact: Artifact, out: Path, readings: Mapping[str, Reading]) -> Artifact:
    content = artifact.onnx_path.read_bytes()
    return write_artifact(content, replace(artifact, onnx_path=out, readings=dict(readings)))


def _some(faces_u8: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return faces_u8[:: max(len(faces_u8) // CALIBRATION_FACES, 1)]


def _calibrated(
    name: str,
    reading: Reading,
    heads: Mapping[str, NDArray[np.float32]],
    artifact: Artifact,
    validation: LabelledFaces,
) -> Reading:
    """Fit a reading's temperature again, to the truth that it is about."""
    truth, known = truth_of(name, validation)
    own = read(heads, reading, artifact.heads)
    return replace(reading, temperature=fit_temperature(own[known], truth[known]))


def quantise(
    source: Artifact, calibration_faces_u8: NDArray[np.uint8], onnx_path: Path
) -> Artifact:
    """Write a copy of an artifact that computes in 8-bit integers.

    Weights take 7 bits, one scale a channel: with 8, the 16-bit sums of AVX2 processors without
    VNNI overflow.

    Args:
        source: The artifact in float32.
        calibration_faces_u8: (N, *source.input.crop_shape) uint8 training faces, to find the
            activations' ranges.
        onnx_path: The file to write; its sidecar goes beside it.

    Returns:
        The new artifact; its readings have temperature 1 and no metrics, which do not hold for it.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantised = Path(folder) / "prepared.onnx", Path(folder) / ARTIFACT_NAME
        quant_pre_process(source.onnx_path, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantised,
            _CalibrationFaces(calibration_faces_u8, source.input),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
        )
        readings = {
            name: replace(reading, temperature=1.0, metrics={})
            for name, reading in source.readings.items()
        }
        artifact = replace(source, onnx_path=onnx_path, readings=readings, metrics={})
        return write_artifact(quantised.read_bytes(), artifact)


class _CalibrationFaces(CalibrationDataReader):
    def __init__(self, faces_u8: NDArray[np.uint8], expected: NetworkInput) -> None:
        self._input_name = expected.name
        starts = range(0, len(faces_u8), 64)
        self._batches = (
            to_network_input(faces_u8[start : start + 64], expected) for start in starts
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {self._input_name: batch}


def compare(
    float32: Artifact,
    int8: Artifact,
    faces_u8: NDArray[np.uint8],
    labels: NDArray[np.int64] | None = None,
) -> str:
    """Describe accuracy, size and speed of two artifacts, in lines of text.

    The times are medians of alternating runs on one thread.

    Args:
        float32: The one.
        int8: The other.
        faces_u8: (N, *crop_shape) uint8 faces; validation faces where they have labels.
        labels: (N,) what they show; None where that is not known: then it is said how often the two
            agree.
    """
    # The validation faces' labels are those of the data.
    reading = LABELS if LABELS in float32.readings else None
    classifiers = [Classifier(a, reading=reading, threads=1) for a in (float32, int8)]
    answers = [classifier.classify(faces_u8).probabilities for classifier in classifiers]
    if labels is None:
        same = np.mean(answers[0].argmax(axis=1) == answers[1].argmax(axis=1))
        quality = f"Both say the same of {same:.2%} of {len(faces_u8):,} faces"
    else:
        exact, rounded = (float(np.mean(each.argmax(axis=1) == labels)) for each in answers)
        quality = (
            f"Accuracy on {len(labels):,} validation faces: {exact:.2%} in float32, {rounded:.2%} "
            f"in INT8 ({100 * (rounded - exact):+.2f} points)"
        )
    lines = [
        quality,
        f"Size: {float32.onnx_path.stat().st_size / 1e6:.1f} MB in float32, "
        f"{int8.onnx_path.stat().st_size / 1e6:.1f} MB in INT8",
    ]
    for count in (1, 8):
        slow, fast = _milliseconds(classifiers, faces_u8[:count])
        lines.append(
            f"{count} at once: {slow / count:.2f} ms a face in float32, {fast / count:.2f} in INT8 "
            f"({slow / fast:.2f} times as fast)"
        )
    return "\n".join(lines)


def _milliseconds(classifiers: list[Classifier], faces_u8: NDArray[np.uint8]) -> list[float]:
    rounds = []
    for _ in range(100):
        times = [time.perf_counter()]
        for classifier in classifiers:
            classifier.classify(faces_u8)
            times.append(time.perf_counter())
        rounds.append(np.diff(times))
    return [1000 * float(seconds) for seconds in np.median(rounds, axis=0)]
