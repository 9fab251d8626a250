"""The loop over the epochs of a run, which goes on where the run was stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from mien.training.callbacks import (
    BestAccuracy,
    EpochOfBatches,
    FiniteLoss,
    ProgressLine,
    RunState,
)
from mien.training.job import TrainingJob
from mien.training.tensorboard_log import TensorBoardLog
from mien.training.weight_average import WeightAverage


def run_epochs(
    model: keras.Model,
    stages: Sequence[tuple[keras.utils.PyDataset, int]],
    job: TrainingJob,
    *,
    validation_data: tuple[NDArray[np.float32], NDArray[np.float32]],
    class_weight: Mapping[int, float] | None = None,
) -> dict[str, list[float]]:
    """Train from the newest snapshot, or from the start, and leave the best weights.

    Each stage is a call of Keras' `fit` of its own, as Keras fixes the shape of a call's batches;
    it goes on from the snapshot of the one before.

    Args:
        model: Compiled, its optimizer built.
        stages: One after the other, batches and the number of their epochs.
        job: What is trained.
        validation_data: Inputs, and their targets.
        class_weight: By label; None where all weigh the same.

    Returns:
        The history, one list entry an epoch.
    """
    training = job.experiment.training
    callbacks = _make_callbacks(job)
    state = RunState(job.run, callbacks)
    if state.epochs_done:
        job.say(f"going on after epoch {state.epochs_done}, from {job.run.state}")
    progress = ProgressLine(training.sides, job.say)
    last_epoch = 0
    for batches, epochs in stages:
        last_epoch += epochs
        first_epoch = state.epochs_done
        model.fit(
            batches,
            validation_data=validation_data,
            validation_batch_size=256,
            class_weight=class_weight,
            initial_epoch=first_epoch,
            epochs=first_epoch if state.stopped_early else max(first_epoch, last_epoch),
            callbacks=[EpochOfBatches(batches, training.seed), *callbacks, state, progress],
            # The batches are shuffled already; Keras would shuffle their order by a random state
            # that a resumed run does not have.
            shuffle=False,
            verbose=0,
        )
    return state.history


def _make_callbacks(job: TrainingJob) -> list[keras.callbacks.Callback]:
    """Make the callbacks that watch the figures.

    The validation loss lowers the learning rate, stops the run and chooses its epoch: on a few
    thousand faces it is far less noisy than the accuracy.
    """
    training = job.experiment.training
    callbacks: list[keras.callbacks.Callback] = [
        FiniteLoss(),  # the first: of an epoch that has none nothing is kept
        BestAccuracy(job.run.best_accuracy_weights),
        keras.callbacks.EarlyStopping(
            monitor="val_loss",
            min_delta=training.early_stopping_min_delta,
            patience=training.early_stopping_patience,
            restore_best_weights=True,
        ),
        TensorBoardLog(job.log_folder),
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
        callbacks.append(WeightAverage())
    return callbacks
