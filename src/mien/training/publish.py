"""Put a finished run where the repository shows its selected network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mien.core.artifact import ARTIFACT_NAME, load_artifact
from mien.core.errors import ModelError
from mien.core.files import write_atomically

_PUBLISHED = (
    "final_emotion_model.keras",
    ARTIFACT_NAME,
    "emotion.json",
    "final_emotion_model_arch.txt",
    "learning_curves.png",
)

CONFUSION_MATRIX = "final_test_confusion_matrix.png"
RELIABILITY_DIAGRAM = "reliability_diagram.png"
"""What `mien evaluate` draws of a network, beside the key `test` of its `metrics.json`."""


def publish_run(run_folder: Path, results: Path) -> None:
    """Copy what a finished run left, file by file, to `results`.

    What `mien evaluate` wrote there, numbers and pictures, stays if it is of the same network;
    else it goes.

    Args:
        run_folder: The folder of a finished and exported run.
        results: The folder to show it in, such as `results/model`.

    Raises:
        ModelError: if the run's artifact is not usable, or is not calibrated and would replace one.
    """
    artifact = load_artifact(run_folder / ARTIFACT_NAME)
    shown = results / ARTIFACT_NAME
    if artifact.temperature == 1.0 and shown.exists():
        raise ModelError(
            f"{artifact.onnx_path} is not calibrated (its temperature is 1) and would replace "
            f"{shown}: give the faces that it was trained on with --data (`mien data download` "
            "fetches FER2013)."
        )
    metrics = _read_json(run_folder / "metrics.json")
    tested = _read_json(results / "metrics.json").get("test")
    if tested and tested["sha256"] == artifact.sha256:
        metrics["test"] = tested
    else:
        for name in (CONFUSION_MATRIX, RELIABILITY_DIAGRAM):
            (results / name).unlink(missing_ok=True)
    for name in _PUBLISHED:
        write_atomically(results / name, (run_folder / name).read_bytes())
    write_atomically(results / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    print(f"published {metrics['experiment']} in {results}")


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
