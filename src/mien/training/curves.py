"""Learning curves."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mien.core.errors import DataError
from mien.core.files import refuse_overwriting
from mien.data.figure_file import write_figure
from mien.training.config import TrainingConfig, load_experiment
from mien.training.run_folder import RunFolder

_DRAWN = ("epoch", "accuracy", "val_accuracy", "loss", "val_loss", "learning_rate")


def redraw_learning_curves(run: RunFolder, path: Path | None = None) -> Path:
    """Draw a finished run's curves again from its `history.json`; return the picture's path.

    Args:
        run: The run.
        path: The PNG file to write; None for the run's own.

    Raises:
        DataError: if the folder holds no finished run, or its history is damaged.
        OutputError: if the picture would take the place of a file that is read.
    """
    if not run.history.is_file():
        raise DataError(
            f"There is no {run.history}: expected the folder of a finished run, as `mien train` "
            "leaves it in results/runs/."
        )
    path = path or run.learning_curves
    refuse_overwriting([run.history, run.recipe], [path])
    history = _read_history(run)
    draw_learning_curves(history, path, load_experiment(run.recipe).training)
    return path


def _read_history(run: RunFolder) -> dict[str, list[float]]:
    try:
        history: dict[str, list[float]] = json.loads(run.history.read_text(encoding="utf-8"))
        lengths = {len(history[name]) for name in _DRAWN}
    except (ValueError, KeyError, TypeError):
        lengths = set()
    if len(lengths) != 1 or 0 in lengths:
        raise DataError(
            f"{run.history} is damaged: expected a JSON object with {', '.join(_DRAWN)}, each of "
            "every epoch. Restore it, or train that run again with --restart."
        )
    return history


def chosen_epoch(history: dict[str, list[float]], min_delta: float) -> int:
    """Return the epoch whose weights a run keeps, from 1.

    Keras' EarlyStopping keeps the last epoch that lowered the lowest validation loss so far by more
    than `min_delta`.
    """
    chosen, lowest = 0, float("inf")
    for index, loss in enumerate(history["val_loss"]):
        if loss + min_delta < lowest:
            chosen, lowest = index, loss
    return chosen + 1


def draw_learning_curves(
    history: dict[str, list[float]], path: Path, training: TrainingConfig
) -> None:
    """Draw accuracy, loss and learning rate over the epochs of a run.

    The chosen epoch is marked, and, where the run ended before its last epoch, the one at which
    early stopping struck. Of a network with a head for FER+'s votes, the accuracy is that of the
    head for the labels, the loss that of both.

    Args:
        history: A list entry an epoch under "epoch", "accuracy", "val_accuracy", "loss",
            "val_loss" and "learning_rate": the content of a run's `history.json`.
        path: The PNG file to write.
        training: How the run was trained.
    """
    epoch = np.asarray(history["epoch"])
    best = chosen_epoch(history, training.early_stopping_min_delta) - 1
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    heads = ("head for the labels", "both heads") if training.vote_weight else ("", "")
    for axes, name, head in zip((left, right), ("accuracy", "loss"), heads, strict=True):
        axes.plot(epoch, history[name], label="training (its targets, augmented, with dropout)")
        axes.plot(epoch, history[f"val_{name}"], label="validation")
        axes.axvline(
            epoch[best], color="tab:green", linestyle="--", label=f"chosen: epoch {epoch[best]:.0f}"
        )
        if len(epoch) < training.epochs:
            axes.axvline(
                epoch[-1],
                color="tab:red",
                linestyle=":",
                label=f"early stopping: epoch {epoch[-1]:.0f}",
            )
        of_head = f", {head}" if head else ""
        axes.set(
            xlabel="Epoch",
            title=f"{name.capitalize()}{of_head}: validation {history[f'val_{name}'][best]:.3f}",
        )
        axes.grid(alpha=0.3)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    rate = right.twinx()
    rate.step(epoch, history["learning_rate"], where="pre", color="grey", alpha=0.5)
    rate.set(yscale="log", ylabel="Learning rate (grey)")
    write_figure(figure, path)
