"""The files of a run: every name once, and what other modules read of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.core.artifact import ARTIFACT_NAME, load_artifact
from mien.core.errors import ModelError
from mien.core.files import write_atomically
from mien.core.labels import EMOTIONS
from mien.training.config import load_experiment

_OF_NETWORKS_OVER_TIME = (
    "experiment",
    "face_artifact",
    "face_artifact_sha256",
    "reading",
    "labels",
)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run, `results/runs/<experiment>/`, or one that shows a run's results.

    Attributes:
        path: The folder; it need not exist.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        """The experiment's TOML file as it was run."""
        return self.path / "experiment.toml"

    @property
    def data(self) -> Path:
        """Which faces it was trained on: where they lay, how many, their fingerprint (JSON)."""
        return self.path / "data.json"

    @property
    def environment(self) -> Path:
        """Versions, precision and processor (JSON)."""
        return self.path / "environment.json"

    @property
    def state(self) -> Path:
        """Folder of the newest snapshot, until the run has finished."""
        return self.path / "state"

    @property
    def answers(self) -> Path:
        """What teachers answered, while the run goes on."""
        return self.state / "taught.npy"

    @property
    def best_accuracy_weights(self) -> Path:
        """The weights of the epoch with the highest validation accuracy, while the run goes on."""
        return self.state / "best_validation_accuracy.weights.h5"

    @property
    def paused(self) -> Path:
        """Folder of a snapshot in half precision, where `mien pause` was called."""
        return self.path / "paused"

    @property
    def paused_answers(self) -> Path:
        """What teachers answered, beside the paused snapshot."""
        return self.paused / self.answers.name

    @property
    def history(self) -> Path:
        """Every epoch's losses, accuracies, learning rate and seconds (JSON)."""
        return self.path / "history.json"

    @property
    def epochs_table(self) -> Path:
        """Every epoch's losses and accuracies, written while the run goes on (CSV)."""
        return self.path / "epochs.csv"

    @property
    def metrics(self) -> Path:
        """The chosen epoch, its validation figures, size and cost; later the test's (JSON)."""
        return self.path / "metrics.json"

    @property
    def network(self) -> Path:
        """The chosen weights, in plain Keras layers and float32."""
        return self.path / "final_emotion_model.keras"

    @property
    def architecture(self) -> Path:
        """Architecture, decisions, hyper-parameters and iteration history, as text."""
        return self.path / "final_emotion_model_arch.txt"

    @property
    def learning_curves(self) -> Path:
        """Picture of the history."""
        return self.path / "learning_curves.png"

    @property
    def artifact(self) -> Path:
        """What `mien export` makes of the network; its sidecar lies beside it."""
        return self.path / ARTIFACT_NAME

    @property
    def sidecar(self) -> Path:
        """The artifact's sidecar."""
        return self.artifact.with_suffix(".json")

    @property
    def predictions(self) -> Path:
        """A row for every face that `mien evaluate` scored (CSV); not to be published."""
        return self.path / "predictions.csv"

    @property
    def confusion_matrix(self) -> Path:
        """Picture that `mien evaluate` draws, of the reading for the data's labels."""
        return self.path / "final_test_confusion_matrix.png"

    @property
    def reliability_diagram(self) -> Path:
        """Picture that `mien evaluate` draws, of the reading for the data's labels."""
        return self.path / "reliability_diagram.png"

    @property
    def raters_confusion_matrix(self) -> Path:
        """Picture that `mien evaluate` draws where FER+'s votes are known."""
        return self.path / "raters_confusion_matrix.png"

    @property
    def raters_reliability_diagram(self) -> Path:
        """Picture that `mien evaluate` draws where FER+'s votes are known."""
        return self.path / "raters_reliability_diagram.png"

    @property
    def test_pictures(self) -> tuple[Path, ...]:
        """Every picture that `mien evaluate` draws."""
        return (
            self.confusion_matrix,
            self.reliability_diagram,
            self.raters_confusion_matrix,
            self.raters_reliability_diagram,
        )

    @property
    def is_finished(self) -> bool:
        """Whether the run has left its network."""
        return self.network.is_file()

    def read_metrics(self) -> dict[str, Any]:
        """Return the content of `metrics`; nothing where there is no such file.

        Raises:
            ModelError: if it is not a JSON object.
        """
        if not self.metrics.is_file():
            return {}
        try:
            content = json.loads(self.metrics.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelError(f"{self.metrics} is not a JSON file: {error}.") from None
        if not isinstance(content, dict):
            raise ModelError(f"{self.metrics} holds no JSON object; expected the run's figures.")
        return content

    def read_metrics_over_time(self) -> dict[str, Any]:
        """Return the content of `metrics` of a temporal network.

        Raises:
            ModelError: if it does not say which face network the temporal network belongs to.
        """
        metrics = self.read_metrics()
        if missing := [name for name in _OF_NETWORKS_OVER_TIME if name not in metrics]:
            raise ModelError(
                f"{self.metrics} does not say {', '.join(missing)}: expected the file that "
                "`mien train` writes beside a temporal network. Bring it back, or train the run "
                "again with --restart."
            )
        return metrics

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Write `metrics` as a whole."""
        write_json(self.metrics, metrics)

    @property
    def shown_sha256(self) -> str | None:
        """SHA-256 of the artifact whose figures lie here, by its sidecar; None without one.

        The sidecar is committed with the figures, the artifact is not.
        """
        if not self.sidecar.is_file():
            return None
        try:
            return str(json.loads(self.sidecar.read_text(encoding="utf-8"))["sha256"])
        except (ValueError, KeyError, TypeError):
            raise ModelError(
                f"{self.sidecar} names no SHA-256: expected the sidecar of an artifact, as "
                "`mien export` writes it."
            ) from None

    def find_recipe(self, experiment: str) -> Path:
        """Return `recipe` where it is there, else `experiments/<name>.toml`.

        The latter is seen from the working folder, and need not exist.
        """
        return self.recipe if self.recipe.is_file() else Path("experiments") / f"{experiment}.toml"

    def drop_snapshots(self) -> None:
        """Remove what a finished run no longer needs."""
        shutil.rmtree(self.state, ignore_errors=True)
        shutil.rmtree(self.paused, ignore_errors=True)


def newest_run(runs: Path) -> RunFolder | None:
    """Return the run that has left a network last; None if there is none in this folder.

    Networks are not committed: those that are there were trained here.
    """
    finished = [run for run in map(RunFolder, runs.glob("*/")) if run.is_finished]
    return max(finished, key=lambda run: run.network.stat().st_mtime_ns, default=None)


def figures_beside(keras_path: Path) -> dict[str, Any]:
    """Return what is known of a Keras file: its experiment, figures and shares of the heads.

    Args:
        keras_path: The file. `metrics.json` beside it tells, or the artifact of the same name (the
            shipped `emotion.keras` lies beside `emotion.onnx` and `emotion.json`).

    Returns:
        As `RunFolder.read_metrics`; of an unknown file the experiment alone, "unknown".

    Raises:
        ModelError: if the file beside it cannot be read.
    """
    figures = RunFolder(keras_path.parent).read_metrics()
    onnx_path = keras_path.with_suffix(".onnx")
    if not figures and onnx_path.is_file():
        artifact = load_artifact(onnx_path)
        figures = {**artifact.metrics, "experiment": artifact.experiment}
    return {"experiment": "unknown"} | figures


def labels_beside(path: Path) -> tuple[str, ...]:
    """Return what a network tells apart, by the recipe beside its file.

    Args:
        path: A `.keras` or `.onnx` file.

    Returns:
        The names of the recipe's classes; FER2013's seven emotions where there is no recipe.

    Raises:
        ModelError: if the recipe is not valid.
    """
    recipe = RunFolder(path.parent).recipe
    return load_experiment(recipe).class_table.names if recipe.is_file() else EMOTIONS


def write_json(path: Path, content: Any) -> None:
    """Write JSON values as a whole, an entry a line."""
    write_atomically(path, json.dumps(content, indent=1) + "\n")
