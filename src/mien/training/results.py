"""What a finished run leaves behind: its figures, its curves, its network in plain Keras layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mien.classifier.reading import read
from mien.core.artifact import Reading
from mien.core.preprocess import to_network_input
from mien.models.build import build_network, count_multiply_adds, to_plain_float32
from mien.models.keras_file import heads_of, save_network
from mien.training.architecture import write_architecture_report
from mien.training.curves import chosen_epoch, draw_learning_curves
from mien.training.faces import LabelledFaces
from mien.training.job import TrainingJob
from mien.training.readings import LABELS, figures_of, fit_readings
from mien.training.recall import mean_recall
from mien.training.run_folder import write_json
from mien.training.temperature import negative_log_likelihood


def write_results(
    network: keras.Model,
    history: dict[str, list[float]],
    validation: LabelledFaces,
    held_out: LabelledFaces | None,
    job: TrainingJob,
) -> Path:
    """Write what the run leaves behind, and drop its snapshots."""
    experiment, run = job.experiment, job.run
    classes = len(validation.classes.names)
    # In float32 and for 48 × 48, whatever it was trained in: every figure is of what is kept.
    kept = build_network(
        experiment.network, classes=classes, vote_head=validation.votes is not None
    )
    kept.set_weights(network.get_weights())
    final = to_plain_float32(kept)
    readings, figures = _measure(final, validation)
    metrics = {
        "experiment": job.recipe.name,
        **figures,
        **({} if held_out is None else _score(final, readings[LABELS], held_out)),
        "epochs": len(history["epoch"]),
        "chosen_epoch": chosen_epoch(history, experiment.training.early_stopping_min_delta),
        "training_minutes": round(sum(history["seconds"]) / 60, 1),
        "parameters": final.count_params(),
        "multiply_adds": count_multiply_adds(final),
    }
    write_json(run.history, history)
    run.write_metrics(metrics)
    draw_learning_curves(history, run.learning_curves, experiment.training)
    write_architecture_report(final, experiment, metrics, run, experiments=job.recipe.folder)
    save_network(final, run.network)  # last: a run that has its network has finished
    run.drop_snapshots()
    job.say(
        f"chosen epoch's validation accuracy {figures['validation_accuracy']:.4f}, "
        f"loss {figures['validation_loss']:.4f}; wrote {run.network}"
    )
    return run.network


def _measure(
    network: keras.Model, validation: LabelledFaces
) -> tuple[dict[str, Reading], dict[str, float]]:
    """Return the readings, and the figures of `labels` with what chose the heads' shares."""
    outputs = network.predict(to_network_input(validation.faces_u8), batch_size=256, verbose=0)
    classes = heads_of(network, validation.classes.names)
    readings = fit_readings(outputs, classes, validation)
    own = read(outputs, replace(readings[LABELS], temperature=1.0), classes)
    return readings, {
        "validation_accuracy": float(np.mean(own.argmax(axis=1) == validation.labels)),
        "validation_loss": negative_log_likelihood(own, validation.labels),
        **figures_of(readings),
    }


def _score(network: keras.Model, reading: Reading, held_out: LabelledFaces) -> dict[str, Any]:
    """Score a reading on faces that neither trained the network nor chose its epoch or shares."""
    outputs = network.predict(to_network_input(held_out.faces_u8), batch_size=256, verbose=0)
    classes = heads_of(network, held_out.classes.names)
    predicted = read(outputs, reading, classes).argmax(axis=1)
    return {
        "held_out_faces": len(held_out.labels),
        "held_out_accuracy": float(np.mean(predicted == held_out.labels)),
        "held_out_mean_recall": mean_recall(predicted, held_out.labels),
    }
