"""Put a finished run where the repository shows its selected network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.core.artifact import Artifact, Reading, load_artifact
from mien.core.errors import ModelError
from mien.core.files import write_atomically
from mien.training.final_figures import refresh_final_figures
from mien.training.run_folder import RunFolder

GAIN_OVER_CHANCE = "validation_gain_over_chance"
"""Figure of a reading: the log-loss of the labels' own shares less that of the network, in nats."""


def is_calibrated(artifact: Artifact) -> bool:
    """Whether the temperatures of an artifact were fitted; else all are 1."""
    return any(
        reading.temperature != 1.0 or "validation_calibration_error" in reading.metrics
        for reading in artifact.readings.values()
    )


def is_better_than_chance(reading: Reading) -> bool:
    """Whether it knows more of the labels than how common they are; yes where that is not said."""
    return reading.metrics.get(GAIN_OVER_CHANCE, np.inf) > 0  # A NaN is not above.


def publish_run(run: RunFolder, results: RunFolder) -> None:
    """Copy what a finished run left, file by file, with its recipe and what it says of its faces.

    What `mien evaluate` wrote there, numbers and pictures, stays if it is of the same network;
    else it goes.

    Args:
        run: A finished and exported run.
        results: The folder to show it in, such as `results/model`.

    Raises:
        ModelError: if the run's artifact is not usable, or is not calibrated and would replace one.
    """
    artifact = load_artifact(run.artifact)
    if not is_calibrated(artifact) and results.sidecar.exists():
        raise ModelError(
            f"{artifact.onnx_path} is not calibrated (its temperatures are 1) and would replace "
            f"the one that {results.path} shows: give the faces that it was trained on with --data "
            "(`mien data download` fetches FER2013)."
        )
    metrics = run.read_metrics()
    tested = results.read_metrics().get("test")
    if tested and tested["sha256"] == artifact.sha256:
        metrics["test"] = tested
    else:
        for picture in results.test_pictures:
            picture.unlink(missing_ok=True)
    if not run.data.is_file():
        # An older run, which does not tell its faces; those of the network before are others.
        results.data.unlink(missing_ok=True)
    for source in _published(run):
        write_atomically(results.path / source.name, source.read_bytes())
    results.write_metrics(metrics)
    refresh_final_figures(results)


def _published(run: RunFolder) -> list[Path]:
    files = [run.network, run.artifact, run.sidecar, run.architecture, run.learning_curves]
    return [*files, run.recipe, *([run.data] if run.data.is_file() else [])]
