"""Train one experiment, from its file to its run folder; a run that was killed goes on.

    mien train experiments/003_spatial_dropout.toml

A run folder, `results/runs/<experiment>/`, holds:

    experiment.toml              the recipe as it was run
    environment.json             versions, precision and processor
    state/                       the newest snapshot, until the run has finished
    history.json                 every epoch's losses, accuracies, learning rate and seconds
    metrics.json                 the chosen epoch, its validation figures, size and cost
    final_emotion_model.keras    the chosen weights, in plain Keras layers and float32
    final_emotion_model_arch.txt architecture, decisions, hyper-parameters, iteration history
    learning_curves.png
"""

from __future__ import annotations

import importlib
import json
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError, ModelError
from mien.core.files import write_atomically
from mien.core.labels import EMOTIONS
from mien.core.preprocess import to_network_input
from mien.data.fer2013 import Dataset, load_dataset, split_train_validation
from mien.models import build_network, count_multiply_adds, to_plain_float32
from mien.training.architecture import write_architecture_report
from mien.training.augment import FaceBatches
from mien.training.callbacks import EpochOfBatches, ProgressLine, RunState
from mien.training.config import Experiment, TrainingConfig, load_experiment
from mien.training.curves import draw_learning_curves

MODEL_NAME = "final_emotion_model.keras"


@dataclass(frozen=True, slots=True)
class Split:
    """Training and validation faces, with one-hot targets.

    Attributes:
        training_faces_u8: (N, 48, 48) uint8.
        training_targets: (N, 7) float32.
        validation_faces_u8: (M, 48, 48) uint8.
        validation_targets: (M, 7) float32.
    """

    training_faces_u8: NDArray[np.uint8]
    training_targets: NDArray[np.float32]
    validation_faces_u8: NDArray[np.uint8]
    validation_targets: NDArray[np.float32]


def train(
    experiment_path: Path,
    *,
    training_data: Path,
    run_folder: Path,
    log_folder: Path,
    restart: bool = False,
) -> Path:
    """Train an experiment, or go on with it where it was stopped.

    Args:
        experiment_path: The experiment's TOML file.
        training_data: Labelled faces, in any format of `mien.data.fer2013.load_dataset`.
        run_folder: Where everything of the run is kept.
        log_folder: TensorBoard's folder for this run.
        restart: Throw away what an earlier run left in `run_folder`.

    Returns:
        The file of the trained model, in `run_folder`.

    Raises:
        ModelError: if the experiment is not valid, or `run_folder` belongs to another recipe.
        DataError: if the faces cannot be read or have no labels.
    """
    experiment = load_experiment(experiment_path)
    prepare_run_folder(experiment_path, run_folder, log_folder, restart=restart)
    keras.utils.set_random_seed(experiment.training.seed)
    split = split_dataset(load_dataset(training_data), experiment)
    print(
        f"{len(split.training_faces_u8)} faces to train on, "
        f"{len(split.validation_faces_u8)} to choose the epoch by"
    )
    model = build_network(experiment.network, precision=best_precision())
    _write_json(run_folder / "environment.json", describe_environment(model))
    history = fit(model, split, experiment, run_folder, log_folder)
    return write_results(model, history, split, experiment, experiment_path, run_folder)


def prepare_run_folder(
    experiment_path: Path, run_folder: Path, log_folder: Path, *, restart: bool
) -> None:
    """Make the run folder, and see that a run to go on with has the same recipe.

    Raises:
        ModelError: if the folder holds a run of another recipe.
    """
    if restart:
        shutil.rmtree(run_folder, ignore_errors=True)
        shutil.rmtree(log_folder, ignore_errors=True)
    run_folder.mkdir(parents=True, exist_ok=True)
    recipe = run_folder / "experiment.toml"
    if recipe.exists() and _recipe(recipe) != _recipe(experiment_path):
        raise ModelError(
            f"{run_folder} holds a run of another recipe than {experiment_path}: "
            "rename the experiment, or throw that run away with --restart."
        )
    shutil.copyfile(experiment_path, recipe)


def _recipe(path: Path) -> dict[str, Any]:
    return load_experiment(path).model_dump(
        include={"network", "augmentation", "split", "training"}
    )


def split_dataset(dataset: Dataset, experiment: Experiment) -> Split:
    """Split labelled faces into training and validation.

    Raises:
        DataError: if the faces have no labels.
    """
    if dataset.labels is None:
        raise DataError(
            f"{dataset.source} has no column 'emotion'; training needs labels: give train.csv."
        )
    targets = np.eye(len(EMOTIONS), dtype=np.float32)[dataset.labels]
    training, validation = split_train_validation(
        dataset.labels,
        dataset.faces_u8,
        experiment.split.validation_fraction,
        experiment.split.seed,
    )
    return Split(
        dataset.faces_u8[training],
        targets[training],
        dataset.faces_u8[validation],
        targets[validation],
    )


def best_precision() -> str:
    """Return "mixed_bfloat16" where the processor multiplies bfloat16 matrices, else "float32"."""
    cpuinfo = Path("/proc/cpuinfo")
    return (
        "mixed_bfloat16"
        if cpuinfo.exists() and "amx_bf16" in cpuinfo.read_text(encoding="utf-8")
        else "float32"
    )


def describe_environment(model: keras.Model) -> dict[str, str]:
    """Say which software and arithmetic made the weights."""
    backend = importlib.import_module(keras.backend.backend())
    return {
        "python": platform.python_version(),
        "platform": platform.system() + " " + platform.machine(),
        "keras": keras.__version__,
        "backend": f"{backend.__name__} {backend.__version__}",
        "numpy": np.__version__,
        "precision": model.layers[1].dtype_policy.name,
    }


def fit(
    model: keras.Model, split: Split, experiment: Experiment, run_folder: Path, log_folder: Path
) -> dict[str, list[float]]:
    """Run the loop from the newest snapshot, or from the start, and leave the best weights.

    Returns:
        The history, one list entry an epoch.
    """
    training = experiment.training
    # XLA halves the speed of convolutions on a CPU; it pays on a GPU only.
    model.compile(
        optimizer=keras.optimizers.Adam(training.learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    batches = FaceBatches(
        split.training_faces_u8,
        split.training_targets,
        batch_size=training.batch_size,
        augmentation=experiment.augmentation,
        seed=training.seed,
    )
    callbacks = make_callbacks(training, run_folder, log_folder)
    state = RunState(run_folder / "state", callbacks)
    first_epoch = state.epochs_done
    if first_epoch:
        print(f"going on after epoch {first_epoch}, from {run_folder / 'state'}")
    model.fit(
        batches,
        validation_data=(to_network_input(split.validation_faces_u8), split.validation_targets),
        validation_batch_size=256,
        class_weight=class_weights(split.training_targets) if training.class_weights else None,
        initial_epoch=first_epoch,
        epochs=first_epoch if state.stopped_early else training.epochs,
        callbacks=[EpochOfBatches(batches), *callbacks, state, ProgressLine()],
        verbose=0,
    )
    return state.history


def make_callbacks(
    training: TrainingConfig, run_folder: Path, log_folder: Path
) -> list[keras.callbacks.Callback]:
    """Make Keras' own callbacks.

    Validation accuracy, what the network is chosen by, stops the run and names its epoch. The
    learning rate follows the validation loss, which is less noisy.
    """
    return [
        keras.callbacks.ReduceLROnPlateau(
            monitor="val_loss",
            factor=training.plateau_factor,
            patience=training.plateau_patience,
            cooldown=training.plateau_cooldown,
            min_lr=training.plateau_min_learning_rate,
        ),
        keras.callbacks.ModelCheckpoint(
            run_folder / "state" / "best_validation_accuracy.weights.h5",
            monitor="val_accuracy",
            save_best_only=True,
            save_weights_only=True,
        ),
        keras.callbacks.EarlyStopping(
            monitor="val_accuracy",
            min_delta=training.early_stopping_min_delta,
            patience=training.early_stopping_patience,
            restore_best_weights=True,
        ),
        keras.callbacks.TensorBoard(log_folder, histogram_freq=1, write_graph=False),
    ]


def class_weights(targets: NDArray[np.float32]) -> dict[int, float]:
    """Weigh classes by their inverse frequency, so that the mean weight of a face is 1."""
    counts = targets.sum(axis=0)
    return {
        label: float(len(targets) / (len(counts) * max(count, 1)))
        for label, count in enumerate(counts)
    }


def _write_json(path: Path, content: Any) -> None:
    write_atomically(path, json.dumps(content, indent=1) + "\n")


def write_results(
    model: keras.Model,
    history: dict[str, list[float]],
    split: Split,
    experiment: Experiment,
    experiment_path: Path,
    run_folder: Path,
) -> Path:
    """Write what the run leaves behind, and drop its snapshot."""
    final = to_plain_float32(model)
    final.compile(loss="categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    loss, accuracy = final.evaluate(
        to_network_input(split.validation_faces_u8),
        split.validation_targets,
        batch_size=256,
        verbose=0,
    )
    metrics = {
        "experiment": experiment_path.stem,
        "validation_accuracy": float(accuracy),
        "validation_loss": float(loss),
        "epochs": len(history["epoch"]),
        "training_minutes": round(sum(history["seconds"]) / 60, 1),
        "parameters": final.count_params(),
        "multiply_adds": count_multiply_adds(final),
    }
    _write_json(run_folder / "history.json", history)
    _write_json(run_folder / "metrics.json", metrics)
    draw_learning_curves(
        history, run_folder / "learning_curves.png", epochs=experiment.training.epochs
    )
    partial = run_folder / f"partial_{MODEL_NAME}"
    final.save(partial)
    partial.replace(run_folder / MODEL_NAME)
    write_architecture_report(
        final,
        experiment,
        metrics,
        run_folder / "final_emotion_model_arch.txt",
        experiments=experiment_path.parent,
        runs=run_folder.parent,
    )
    shutil.rmtree(run_folder / "state")
    print(
        f"chosen epoch's validation accuracy {accuracy:.4f}, loss {loss:.4f}; "
        f"wrote {run_folder / MODEL_NAME}"
    )
    return run_folder / MODEL_NAME
