"""The architecture report: what the network is, why, and what was tried on the way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import keras

from mien.core.files import write_atomically
from mien.training.config import Experiment, load_experiment

_SUMMARY_COLUMNS = 120


def write_architecture_report(
    model: keras.Model,
    experiment: Experiment,
    metrics: dict[str, Any],
    run_folder: Path,
    *,
    experiments: Path,
) -> None:
    """Write architecture, decisions, hyper-parameters and iteration history as plain text.

    The file is `final_emotion_model_arch.txt` in the run folder.

    Args:
        model: The trained network.
        experiment: Its recipe.
        metrics: The content of the run's `metrics.json`.
        run_folder: The run's folder, beside those of the other runs.
        experiments: Folder of all experiment files, and of the ledger `test_scores.jsonl`.
    """
    sections = [
        experiment.title,
        f"Experiment {metrics['experiment']}: {metrics['parameters']:,} parameters, "
        f"{metrics['multiply_adds'] / 1e6:.1f} million multiply-adds a face.",
        _headed("Why", [experiment.rationale.strip()]),
        _headed("Architecture", _summary(model)),
        _headed("Hyper-parameters", _hyper_parameters(experiment)),
        _headed("Iteration history", iteration_history(experiments, run_folder.parent)),
    ]
    write_atomically(run_folder / "final_emotion_model_arch.txt", "\n\n".join(sections) + "\n")


def _summary(model: keras.Model) -> list[str]:
    """Return Keras' table of the layers, wide enough for what each is connected to."""
    lines: list[str] = []
    # Keras asks for a width, but where it does not print to a terminal rich goes by this alone.
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(_SUMMARY_COLUMNS)
    try:
        model.summary(line_length=_SUMMARY_COLUMNS, print_fn=lines.append)
    finally:
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns
    return lines


def iteration_history(experiments: Path, runs: Path) -> list[str]:
    """Return a table of all experiments, filled from the runs that have really finished."""
    tested = _newest_test_scores(experiments / "test_scores.jsonl")
    rows = [
        f"{'experiment':<32} {'parameters':>10} {'epochs':>6} {'minutes':>7} "
        f"{'validation':>10} {'test':>6} {'macro F1':>8}  decision"
    ]
    for path in sorted(experiments.glob("*.toml")):
        rows.append(_history_row(path, runs / path.stem / "metrics.json", tested.get(path.stem)))
    return rows


def _history_row(path: Path, metrics_path: Path, test: dict[str, Any] | None) -> str:
    experiment = load_experiment(path)
    if not metrics_path.exists():
        return f"{path.stem:<32} {'not run':>10}"
    metrics = json.loads(metrics_path.read_text(encoding="utf-8"))
    accuracy = f"{test['accuracy']:.1%}" if test else "-"
    macro_f1 = f"{test['macro_f1']:.3f}" if test else "-"
    return (
        f"{path.stem:<32} {metrics['parameters']:>10,} {metrics['epochs']:>6} "
        f"{metrics['training_minutes']:>7.1f} {metrics['validation_accuracy']:>10.1%} "
        f"{accuracy:>6} {macro_f1:>8}  {experiment.status}. {experiment.finding}"
    ).rstrip()


def _newest_test_scores(ledger: Path) -> dict[str, dict[str, Any]]:
    if not ledger.exists():
        return {}
    lines = ledger.read_text(encoding="utf-8").splitlines()
    return {entry["experiment"]: entry for entry in map(json.loads, lines)}


def _hyper_parameters(experiment: Experiment) -> list[str]:
    return [
        f"{table}.{name} = {value}"
        for table, values in experiment.model_dump().items()
        if isinstance(values, dict)
        for name, value in values.items()
    ]


def _headed(title: str, lines: list[str]) -> str:
    return "\n".join([title, "=" * len(title), *lines])
