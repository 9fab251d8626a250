"""From an artifact in float32 to one that computes in 8-bit integers."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from mien.core.artifact import ARTIFACT_NAME, Artifact, load_artifact, write_artifact
from mien.core.errors import ModelError
from mien.core.preprocess import to_network_input
from mien.evaluation.metrics import score
from mien.recognizer import Recognizer
from mien.training.faces import LabelledFaces, find_recipe, load_split
from mien.training.temperature import fit_temperature

CALIBRATION_FACES = 1024
"""About so many training faces show the ranges of the activations."""


def quantise_file(onnx_path: Path | None, out: Path, *, training_data: Path) -> Artifact:
    """Quantise an artifact to INT8, and print what that costs and gains.

    The activations' ranges come from training faces, the temperature from validation faces; both
    networks are compared on the latter.

    Args:
        onnx_path: The artifact to quantise; None for the one that ships with mien.
        out: The `.onnx` file to write; its sidecar goes beside it.
        training_data: `train.csv`, or another file of `mien.data.fer2013.load_dataset`.

    Raises:
        ModelError: if the artifact is not usable, is `out` itself, or its recipe is not there.
        DataError: if the faces are not usable.
    """
    source = load_artifact(onnx_path)
    if source.onnx_path.resolve() == out.resolve():
        raise ModelError(f"{out} is the network to quantise itself: name another file to write.")
    recipe = find_recipe(source.onnx_path.parent, source.experiment)
    training, validation = load_split(recipe, training_data)
    every = max(len(training.labels) // CALIBRATION_FACES, 1)
    quantised = quantise(source, training.faces_u8[::every], out)
    own = Recognizer(quantised, detector="haar").classify(validation.faces_u8)
    quantised = write_artifact(
        out.read_bytes(),
        out,
        experiment=source.experiment,
        temperature=fit_temperature(own, validation.labels),
        crop=source.crop,
    )
    print(compare(source, quantised, validation))
    return quantised


def quantise(
    source: Artifact, calibration_faces_u8: NDArray[np.uint8], onnx_path: Path
) -> Artifact:
    """Write a copy of an artifact that computes in 8-bit integers.

    Weights take 7 bits, one scale a channel: with 8, the 16-bit sums of AVX2 processors without
    VNNI overflow.

    Args:
        source: The artifact in float32.
        calibration_faces_u8: (N, 48, 48) uint8 training faces, to find the activations' ranges.
        onnx_path: The file to write; its sidecar goes beside it.

    Returns:
        The new artifact, of temperature 1 and without metrics: the old ones do not hold for it.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantised = Path(folder) / "prepared.onnx", Path(folder) / ARTIFACT_NAME
        quant_pre_process(source.onnx_path, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantised,
            _CalibrationFaces(calibration_faces_u8),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
        )
        return write_artifact(
            quantised.read_bytes(), onnx_path, experiment=source.experiment, crop=source.crop
        )


class _CalibrationFaces(CalibrationDataReader):
    def __init__(self, faces_u8: NDArray[np.uint8]) -> None:
        starts = range(0, len(faces_u8), 64)
        self._batches = (to_network_input(faces_u8[start : start + 64]) for start in starts)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"faces": batch}


def compare(float32: Artifact, int8: Artifact, validation: LabelledFaces) -> str:
    """Describe accuracy, size and speed of two artifacts, in lines of text.

    The times are medians of alternating runs on one thread.
    """
    recognizers = [Recognizer(a, detector="haar", threads=1) for a in (float32, int8)]
    accuracies = [
        score(recognizer.classify(validation.faces_u8), validation.labels).accuracy.value
        for recognizer in recognizers
    ]
    lines = [
        f"Accuracy on {len(validation.labels):,} validation faces: {accuracies[0]:.2%} in float32, "
        f"{accuracies[1]:.2%} in INT8 ({100 * (accuracies[1] - accuracies[0]):+.2f} points)",
        f"Size: {float32.onnx_path.stat().st_size / 1e6:.1f} MB in float32, "
        f"{int8.onnx_path.stat().st_size / 1e6:.1f} MB in INT8",
    ]
    for count in (1, 8):
        slow, fast = _milliseconds(recognizers, validation.faces_u8[:count])
        lines.append(
            f"{count} at once: {slow / count:.2f} ms a face in float32, {fast / count:.2f} in INT8 "
            f"({slow / fast:.2f} times as fast)"
        )
    return "\n".join(lines)


def _milliseconds(recognizers: list[Recognizer], faces_u8: NDArray[np.uint8]) -> list[float]:
    rounds = []
    for _ in range(100):
        times = [time.perf_counter()]
        for recognizer in recognizers:
            recognizer.classify(faces_u8)
            times.append(time.perf_counter())
        rounds.append(np.diff(times))
    return [1000 * float(seconds) for seconds in np.median(rounds, axis=0)]
