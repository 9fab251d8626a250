"""The architecture report: what the network is, why, and what was tried on the way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras

from mien.core.files import write_atomically
from mien.training.config import SHIPPED, Experiment
from mien.training.final_figures import final_figures, headed
from mien.training.iterations import iteration_history
from mien.training.run_folder import RunFolder

_SUMMARY_COLUMNS = 120


def write_architecture_report(
    model: keras.Model,
    experiment: Experiment,
    metrics: dict[str, Any],
    run: RunFolder,
    *,
    experiments: Path,
) -> None:
    """Write architecture, decisions, hyper-parameters and iteration history as plain text.

    Args:
        model: The trained network.
        experiment: Its recipe.
        metrics: The content of the run's `metrics.json`.
        run: Where the run lies, beside the other runs.
        experiments: Folder of all experiment files, and of the ledger `test_scores.jsonl`.
    """
    sections = [
        experiment.title,
        f"Experiment {metrics['experiment']}: {metrics['parameters']:,} parameters, "
        f"{metrics['multiply_adds'] / 1e6:.1f} million multiply-adds a face.",
        headed("Why", [experiment.rationale.strip()]),
        headed("Key decisions", [f"- {each}" for each in _decisions(experiment)]),
        headed("Architecture", _summary(model)),
        headed("Hyper-parameters", _hyper_parameters(experiment)),
        final_figures(experiment, metrics),
        headed("Iteration history", iteration_history(experiments, run.path.parent)),
    ]
    write_atomically(run.architecture, "\n\n".join(sections) + "\n")


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


def _hyper_parameters(experiment: Experiment) -> list[str]:
    return [
        f"{table}.{name} = {value}"
        for table, values in experiment.model_dump().items()
        if isinstance(values, dict)
        for name, value in values.items()
    ]


def _decisions(experiment: Experiment) -> list[str]:
    lines, training = experiment.network.decisions, experiment.training
    if training.vote_weight > 0:
        lines.append(
            "A head for FER2013's labels and one for FER+'s ten raters on the same features: the "
            "votes teach what one word a face leaves out."
        )
    if training.class_weights:
        lines.append("Every class weighs the same, however many faces it has.")
    if spoiled := experiment.augmentation.spoiled_probability:
        lines.append(
            f"{spoiled:.0%} of the faces are blurred, dim, noisy, compressed or partly covered: as "
            "cameras show them, FER2013 does not."
        )
    if start := training.start_from:
        origin = "the network that ships" if start == SHIPPED else start
        lines.append(f"Its first weights are those of {origin}, a warm restart.")
    if training.head_epochs:
        lines.append(
            f"At first the heads learn alone (head_epochs = {training.head_epochs}), for gradients "
            "of fresh heads undo what the other weights know."
        )
    if training.input_rate_factor < 1:
        lines.append(
            "Learning rates fall towards the input, to "
            f"{training.input_rate_factor:g} of that of the heads: what the first layers know "
            "serves any face."
        )
    if experiment.distillation:
        lines.append(
            "It learns what other networks think of each face, not its label alone: "
            + ", ".join(experiment.distillation.teachers)
        )
    return lines
