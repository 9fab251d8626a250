"""Train one experiment, from its file to its run folder; a run that was killed goes on.

    mien train experiments/003_spatial_dropout.toml

A run folder, `results/runs/<experiment>/`, holds:

    experiment.toml              the recipe as it was run
    environment.json             versions, precision and processor
    state/                       the newest snapshot, until the run has finished
    paused/                      the same in half precision, where `mien pause` was called
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
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.core.files import write_atomically
from mien.core.labels import EMOTIONS
from mien.core.preprocess import to_network_input
from mien.models import build_network, count_multiply_adds, to_plain_float32
from mien.training.architecture import write_architecture_report
from mien.training.augment import FaceBatches
from mien.training.blend import choose_vote_share
from mien.training.callbacks import EpochOfBatches, ProgressLine, RunState, WeightAverage
from mien.training.config import Experiment, TrainingConfig, load_experiment
from mien.training.curves import chosen_epoch, draw_learning_curves
from mien.training.distill import ask_teachers
from mien.training.faces import LabelledFaces, load_faces, split_faces
from mien.training.objective import (
    accuracy,
    class_weights,
    make_loss,
    make_optimizer,
    make_targets,
)
from mien.training.pause import ANSWERS, PAUSED, take_up_run
from mien.training.start import MODEL_NAME, check_predecessors, start_from


def train(
    experiment_path: Path,
    *,
    training_data: Path,
    votes_file: Path,
    run_folder: Path,
    log_folder: Path,
    restart: bool = False,
) -> Path:
    """Train an experiment, or go on with it where it was stopped.

    Of a run that has finished, only the architecture report is written anew, as its iteration
    history may tell of experiments since.

    Args:
        experiment_path: The experiment's TOML file.
        training_data: Labelled faces, in any format of `mien.data.fer2013.load_dataset`.
        votes_file: FER+'s `fer2013new.csv`; read only if the recipe has a vote head.
        run_folder: Where everything of the run is kept.
        log_folder: TensorBoard's folder for this run.
        restart: Throw away what an earlier run left in `run_folder`.

    Returns:
        The file of the trained model, in `run_folder`.

    Raises:
        ModelError: if the experiment is not valid, `run_folder` belongs to another recipe, or a run
            that this one needs has not finished.
        DataError: if the faces cannot be read or have no labels.
    """
    experiment = load_experiment(experiment_path)
    recipe = run_folder / "experiment.toml"
    if recipe.exists() and not restart and _recipe(load_experiment(recipe)) != _recipe(experiment):
        raise ModelError(
            f"{run_folder} holds a run of another recipe than {experiment_path}: "
            "rename the experiment, or throw that run away with --restart."
        )
    final_model = run_folder / MODEL_NAME
    if final_model.exists() and not restart:
        _keep_recipe(experiment_path, recipe)
        print(f"{run_folder} holds this run, finished; --restart trains it anew")
        write_architecture_report(
            keras.models.load_model(final_model, compile=False),
            experiment,
            json.loads((run_folder / "metrics.json").read_text(encoding="utf-8")),
            run_folder,
            experiments=experiment_path.parent,
        )
        return final_model
    # Whatever may be missing is looked for before an earlier run is thrown away.
    check_predecessors(
        [run_folder.parent / name for name in experiment.predecessors], experiment.split
    )
    with_votes = experiment.training.vote_weight > 0
    faces = load_faces(training_data, votes_file if with_votes else None)
    training, validation = split_faces(faces, experiment.split)
    prepare_run_folder(experiment_path, run_folder, log_folder, restart=restart)
    keras.utils.set_random_seed(experiment.training.seed)
    print(
        f"{len(training.labels)} faces to train on, {len(validation.labels)} to choose the epoch by"
    )
    targets = make_training_targets(training, experiment, run_folder)
    model = build_network(
        experiment.network,
        precision=best_precision(),
        vote_head=with_votes,
        any_size=experiment.training.early_epochs > 0,
    )
    if experiment.training.start_from:
        start_from(model, run_folder.parent / experiment.training.start_from / MODEL_NAME)
    _write_json(run_folder / "environment.json", describe_environment(model))
    history = fit(model, training, targets, validation, experiment, run_folder, log_folder)
    return write_results(model, history, validation, experiment, experiment_path, run_folder)


def prepare_run_folder(
    experiment_path: Path, run_folder: Path, log_folder: Path, *, restart: bool
) -> None:
    """Make the run folder, or leave in it what a run of the same recipe can go on with."""
    if restart:
        shutil.rmtree(run_folder, ignore_errors=True)
        shutil.rmtree(log_folder, ignore_errors=True)
    run_folder.mkdir(parents=True, exist_ok=True)
    _keep_recipe(experiment_path, run_folder / "experiment.toml")
    take_up_run(run_folder)


def _keep_recipe(experiment_path: Path, recipe: Path) -> None:
    write_atomically(recipe, experiment_path.read_text(encoding="utf-8"))


def _recipe(experiment: Experiment) -> dict[str, Any]:
    return experiment.model_dump(
        include={"network", "augmentation", "split", "training", "distillation"}
    )


def best_precision() -> str:
    """Return "mixed_bfloat16" where the processor multiplies bfloat16 numbers, else "float32"."""
    cpuinfo = Path("/proc/cpuinfo")
    instructions = set(cpuinfo.read_text(encoding="utf-8").split()) if cpuinfo.exists() else set()
    return "mixed_bfloat16" if instructions & {"amx_bf16", "avx512_bf16"} else "float32"


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


def make_training_targets(
    faces: LabelledFaces, experiment: Experiment, run_folder: Path
) -> NDArray[np.float32]:
    """Return the targets of the training faces, those of the teachers mixed in if there are any."""
    targets = make_targets(faces.labels, faces.votes, experiment.training.label_smoothing)
    distillation = experiment.distillation
    if distillation is None:
        return targets
    taught = ask_teachers(
        [run_folder.parent / name / MODEL_NAME for name in distillation.teachers],
        faces.faces_u8,
        experiment.augmentation,
        views=distillation.views,
        label_heads=distillation.label_heads,
        seed=experiment.training.seed,
        cache=run_folder / "state" / ANSWERS,
    )
    emotions = targets[:, : len(EMOTIONS)]
    emotions += distillation.weight * (taught - emotions)
    return targets


def fit(
    model: keras.Model,
    faces: LabelledFaces,
    targets: NDArray[np.float32],
    validation: LabelledFaces,
    experiment: Experiment,
    run_folder: Path,
    log_folder: Path,
) -> dict[str, list[float]]:
    """Run the loop from the newest snapshot, or from the start, and leave the best weights.

    Each size of faces is a call of Keras' `fit` of its own, as Keras fixes the shape of a call's
    batches; it goes on from the snapshot of the one before.

    Returns:
        The history, one list entry an epoch.
    """
    training = experiment.training
    stages = [
        FaceBatches(
            faces.faces_u8,
            targets,
            batch_size=training.batch_size,
            augmentation=experiment.augmentation,
            seed=training.seed,
            side=side,
        )
        for side in dict.fromkeys(training.sides)
    ]
    model.compile(
        optimizer=make_optimizer(training, steps_per_epoch=len(stages[0])),
        loss=make_loss(training.vote_weight),
        metrics=[accuracy],
        # XLA halves the speed of convolutions on a CPU.
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    callbacks = make_callbacks(training, run_folder, log_folder)
    state = RunState(run_folder / "state", callbacks)
    if state.epochs_done:
        print(f"going on after epoch {state.epochs_done}, from {run_folder / 'state'}")
    validation_data = (
        to_network_input(validation.faces_u8),
        make_targets(validation.labels, validation.votes, label_smoothing=0),
    )
    weights = class_weights(faces.labels) if training.class_weights else None
    progress = ProgressLine(training.sides)
    last_epoch = 0
    for batches in stages:
        last_epoch += training.sides.count(batches.side)
        first_epoch = state.epochs_done
        model.fit(
            batches,
            validation_data=validation_data,
            validation_batch_size=256,
            class_weight=weights,
            initial_epoch=first_epoch,
            epochs=first_epoch if state.stopped_early else max(first_epoch, last_epoch),
            callbacks=[EpochOfBatches(batches), *callbacks, state, progress],
            # The batches are shuffled faces already; Keras would shuffle their order by a random
            # state that a resumed run does not have.
            shuffle=False,
            verbose=0,
        )
    return state.history


def make_callbacks(
    training: TrainingConfig, run_folder: Path, log_folder: Path
) -> list[keras.callbacks.Callback]:
    """Make Keras' own callbacks.

    The validation loss lowers the learning rate, stops the run and chooses its epoch: on a few
    thousand faces it is far less noisy than the accuracy.
    """
    callbacks: list[keras.callbacks.Callback] = [
        keras.callbacks.ModelCheckpoint(
            run_folder / "state" / "best_validation_accuracy.weights.h5",
            monitor="val_accuracy",
            mode="max",
            save_best_only=True,
            save_weights_only=True,
        ),
        keras.callbacks.EarlyStopping(
            monitor="val_loss",
            min_delta=training.early_stopping_min_delta,
            patience=training.early_stopping_patience,
            restore_best_weights=True,
        ),
        keras.callbacks.TensorBoard(log_folder, histogram_freq=1, write_graph=False),
    ]
    # Keras refuses to lower the rate of an optimizer that follows a schedule.
    if training.schedule == "plateau":
        plateau = keras.callbacks.ReduceLROnPlateau(
            monitor="val_loss",
            factor=training.plateau_factor,
            patience=training.plateau_patience,
            cooldown=training.plateau_cooldown,
            min_lr=training.plateau_min_learning_rate,
        )
        callbacks.append(plateau)
    if training.average_decay:
        callbacks.append(WeightAverage(training.average_decay))
    return callbacks


def _choose_heads(model: keras.Model, validation: LabelledFaces) -> tuple[float, dict[str, float]]:
    """Return the share of the vote head and the figures that chose it; 0 and none without one."""
    if validation.votes is None:
        return 0.0, {}
    outputs = model.predict(to_network_input(validation.faces_u8), batch_size=256, verbose=0)
    share, figures = choose_vote_share(outputs, validation.labels, validation.votes)
    return share, {"vote_share": share, **figures}


def _write_json(path: Path, content: Any) -> None:
    write_atomically(path, json.dumps(content, indent=1) + "\n")


def write_results(
    model: keras.Model,
    history: dict[str, list[float]],
    validation: LabelledFaces,
    experiment: Experiment,
    experiment_path: Path,
    run_folder: Path,
) -> Path:
    """Write what the run leaves behind, and drop its snapshot."""
    # In float32 and for 48 × 48, whatever it was trained in: every figure is of what is kept.
    kept = build_network(experiment.network, vote_head=validation.votes is not None)
    kept.set_weights(model.get_weights())
    vote_share, heads = _choose_heads(kept, validation)
    final = to_plain_float32(kept, vote_share=vote_share)
    final.compile(loss="categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    validation_loss, validation_accuracy = final.evaluate(
        to_network_input(validation.faces_u8),
        make_targets(validation.labels, votes=None, label_smoothing=0),
        batch_size=256,
        verbose=0,
    )
    metrics = {
        "experiment": experiment_path.stem,
        "validation_accuracy": float(validation_accuracy),
        "validation_loss": float(validation_loss),
        "epochs": len(history["epoch"]),
        "chosen_epoch": chosen_epoch(history, experiment.training.early_stopping_min_delta),
        "training_minutes": round(sum(history["seconds"]) / 60, 1),
        "parameters": final.count_params(),
        "multiply_adds": count_multiply_adds(final),
        **heads,
    }
    _write_json(run_folder / "history.json", history)
    _write_json(run_folder / "metrics.json", metrics)
    draw_learning_curves(history, run_folder / "learning_curves.png", experiment.training)
    partial = run_folder / f"partial_{MODEL_NAME}"
    final.save(partial)
    partial.replace(run_folder / MODEL_NAME)
    write_architecture_report(
        final, experiment, metrics, run_folder, experiments=experiment_path.parent
    )
    shutil.rmtree(run_folder / "state")
    shutil.rmtree(run_folder / PAUSED, ignore_errors=True)
    print(
        f"chosen epoch's validation accuracy {validation_accuracy:.4f}, "
        f"loss {validation_loss:.4f}; "
        f"wrote {run_folder / MODEL_NAME}"
    )
    return run_folder / MODEL_NAME
