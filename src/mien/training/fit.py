"""Train one experiment, from its file to its run folder; a run that was killed goes on.

    mien train experiments/003_spatial_dropout.toml

What a run leaves, and where, is `mien.training.run_folder.RunFolder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import OutputError
from mien.core.labels import EMOTIONS
from mien.core.preprocess import to_network_input
from mien.core.sidecar import bundled
from mien.models.build import build_network, join_heads, load_pretrained, take_statistics
from mien.models.keras_file import load_network
from mien.training.ancestors import (
    ancestors_of,
    check_knows_no_validation,
    told_of_near_copies,
)
from mien.training.architecture import write_architecture_report
from mien.training.batches import FaceBatches
from mien.training.callbacks import free_bytes
from mien.training.config import (
    SHIPPED,
    SplitConfig,
    TrainingConfig,
)
from mien.training.device import augments_on_device, best_precision, compiles_with_xla, export_needs
from mien.training.distill import ask_teachers
from mien.training.faces import (
    LabelledFaces,
    check_enough,
    copies_of_validation,
    held_out_faces,
    load_faces,
    missing_classes,
    split_faces,
)
from mien.training.job import (
    TrainingJob,
    check_folders,
    check_recipe,
    describe_environment,
    keep_recipe,
    prepare_run_folder,
)
from mien.training.lock import locked
from mien.training.loop import run_epochs
from mien.training.objective import (
    class_weights,
    make_accuracy,
    make_loss,
    make_optimizer,
    make_targets,
)
from mien.training.provenance import check_data, describe_data, told_of_test_faces
from mien.training.results import write_results
from mien.training.run_folder import RunFolder, write_json
from mien.training.snapshots import damaged_snapshots, newest_of
from mien.training.start import check_finished, check_teachers, runs_needed, start_from
from mien.training.training_model import TrainingModel

_COPIES_ON_DISK = 12
"""Two snapshots and the one being written, each of the weights, two moments of the optimizer and
the best weights so far: the room that a run asks for where it begins, in the network's float32
weights."""


def train(job: TrainingJob) -> Path:
    """Train an experiment, or go on with it where it was stopped.

    Of a run that has finished, only the architecture report is written again, as its iteration
    history may tell of experiments since.

    Args:
        job: What to train, on what, and where to.

    Returns:
        The file of the trained network, in the run's folder.

    Raises:
        SettingError: if the run's folders are not free for it (`mien.training.job.check_folders`).
        ModelError: if the folder belongs to another recipe or other faces, another process trains
            it, a run that this one needs has not finished, or the loss is no longer finite.
        DataError: if the faces cannot be read, have no labels or are too few.
        OutputError: if the disk has no room.
    """
    check_folders(job)
    if not job.restart:
        check_recipe(job)
        if job.run.is_finished:
            return _show_finished(job)
    with locked(job.run):
        return _train(job)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a run needs, all of it there."""

    faces: LabelledFaces
    training: LabelledFaces
    validation: LabelledFaces
    network: keras.Model
    told_of_near_copies: str | None


def _train(job: TrainingJob) -> Path:
    experiment, run = job.experiment, job.run
    # Whatever may be missing is looked for before an earlier run is thrown away.
    found = _find(job)
    prepare_run_folder(job)
    write_json(run.data, describe_data(found.faces))
    held_out = held_out_faces(found.faces, experiment.split)
    parts = (found.training, found.validation, held_out)
    job.say(_describe_split(found.faces, *parts, experiment.split))
    remarks = (
        found.faces.told_of_skipped,
        found.faces.told_of_shared_groups,
        missing_classes(found.validation, "choose the epoch"),
        None if held_out is None else missing_classes(held_out, "are held out"),
        *_shortened(experiment.training),
        export_needs(),
        found.told_of_near_copies,
        told_of_test_faces(found.training),
    )
    for remark in remarks:
        if remark is not None:
            job.say(remark)
    for snapshot in damaged_snapshots(run.state):
        job.say(f"{snapshot} is damaged: going on from the one before")
    targets = make_training_targets(found.training, job)
    write_json(run.environment, describe_environment(found.network))
    history = _fit(found, targets, job)
    return write_results(found.network, history, found.validation, held_out, job)


def _find(job: TrainingJob) -> _Found:
    """Find and check everything that a run needs; what takes long comes last."""
    experiment, run = job.experiment, job.run
    runs = run.path.parent
    needed = [RunFolder(runs / name) for name in runs_needed(experiment, run, restart=job.restart)]
    check_finished(needed)
    check_teachers(experiment, needed)
    ancestors = ancestors_of(needed)
    with_votes = experiment.training.vote_weight > 0
    faces = load_faces(
        job.training_data,
        job.votes_file if with_votes else None,
        experiment.class_table,
        experiment.data.groups,
    )
    check_knows_no_validation(experiment, ancestors, faces)
    if not job.restart:
        check_data(faces, run)
    keras.utils.set_random_seed(experiment.training.seed)
    network = build_network(
        experiment.network,
        precision=best_precision(),
        classes=len(faces.classes.names),
        vote_head=with_votes,
        any_size=experiment.training.early_epochs > 0,
    )
    begins = job.restart or newest_of(run.state, run.paused) is None
    if begins:
        _check_room(network, run)
        load_pretrained(network, experiment.network)
        if start := experiment.training.start_from:
            finished = shipped_network() if start == SHIPPED else RunFolder(runs / start).network
            start_from(network, finished, faces.classes.names)
    training, validation = split_faces(faces, experiment.split)
    check_enough(training, validation)
    if begins:
        take_statistics(network, experiment.network, training.faces_u8)
    told = told_of_near_copies(experiment, ancestors, faces)
    return _Found(faces, training, validation, network, told)


def _describe_split(
    faces: LabelledFaces,
    training: LabelledFaces,
    validation: LabelledFaces,
    held_out: LabelledFaces | None,
    split: SplitConfig,
) -> str:
    used = [len(part.labels) for part in (training, validation, held_out) if part is not None]
    line = f"{used[0]} faces to train on, {used[1]} to choose the epoch by"
    if held_out is not None:
        line += f", {used[2]} held out"
    if (left_out := len(faces.labels) - sum(used)) > 0:
        reasons = {
            "as copies of validation faces": copies_of_validation(faces).any(),
            "by near_copies_apart": split.near_copies_apart,
            "by training_part": split.training_part < 1,
        }
        line += (
            f"; {left_out} left out {' and '.join(why for why, is_on in reasons.items() if is_on)}"
        )
    if faces.groups is not None:
        names = np.unique(faces.groups)
        line += f"; {len(names):,} groups, such as {str(names[0])!r}, each on one side"
    return line


def _shortened(training: TrainingConfig) -> list[str]:
    """Say what a part of the epochs means that is as long as the whole run, or longer."""
    meanings = {
        "early_epochs": "only the last epoch sees faces of 48 pixels",
        "warmup_epochs": "the learning rate rises until the last epoch",
        "head_epochs": "only the heads learn",
    }
    return [
        f"{meaning}: {key} = {getattr(training, key)}, epochs = {training.epochs}"
        for key, meaning in meanings.items()
        if getattr(training, key) >= training.epochs
    ]


def shipped_network() -> Path:
    """Return the Keras file of the shipped network."""
    return bundled("emotion.keras")


def _show_finished(job: TrainingJob) -> Path:
    experiment, run = job.experiment, job.run
    if run.data.is_file() and job.training_data.exists():
        faces = load_faces(job.training_data, None, experiment.class_table, experiment.data.groups)
        check_data(faces, run)
    keep_recipe(job)
    job.say(f"{run.path} holds this run, finished; --restart trains it again")
    write_architecture_report(
        load_network(run.network),
        experiment,
        run.read_metrics(),
        run,
        experiments=job.recipe.folder,
    )
    return run.network


def _check_room(network: keras.Model, run: RunFolder) -> None:
    needed = network.count_params() * 4 * _COPIES_ON_DISK
    free = free_bytes(run.path)
    if free is not None and free < needed:
        raise OutputError(
            f"{run.path} has {free / 1e6:,.0f} MB of room; a run of this network needs "
            f"{needed / 1e6:,.0f} MB for its snapshots: make room, or name another folder with "
            "--runs."
        )


def make_training_targets(faces: LabelledFaces, job: TrainingJob) -> NDArray[np.float32]:
    """Return the targets of the training faces, those of the teachers mixed in if there are any."""
    experiment = job.experiment
    targets = make_targets(
        faces.labels,
        faces.votes,
        experiment.training.label_smoothing,
        len(faces.classes.names),
    )
    distillation = experiment.distillation
    if distillation is None:
        return targets
    taught = ask_teachers(
        [RunFolder(job.run.path.parent / name) for name in distillation.teachers],
        faces.faces_u8,
        experiment.augmentation,
        views=distillation.views,
        label_heads=distillation.label_heads,
        seed=experiment.training.seed,
        cache=job.run.answers,
        say=job.say,
    )
    emotions = targets[:, : len(EMOTIONS)]
    emotions += distillation.weight * (taught - emotions)
    return targets


def _fit(found: _Found, targets: NDArray[np.float32], job: TrainingJob) -> dict[str, list[float]]:
    """Train the network, a stage for each size of faces; see `mien.training.loop.run_epochs`."""
    experiment, training = job.experiment, job.experiment.training
    network, faces, validation = found.network, found.training, found.validation
    classes = len(faces.classes.names)
    if training.freeze_normalization:
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    model = TrainingModel(join_heads(network), average_decay=training.average_decay)
    stages = [
        FaceBatches(
            faces.faces_u8,
            targets,
            batch_size=training.batch_size,
            augmentation=experiment.augmentation,
            seed=training.seed,
            side=side,
            on_device=augments_on_device(),
        )
        for side in dict.fromkeys(training.sides)
    ]
    model.compile(
        optimizer=make_optimizer(training, model, steps_per_epoch=len(stages[0])),
        loss=make_loss(training.vote_weight),
        metrics=[make_accuracy(classes)],
        jit_compile=compiles_with_xla(),
    )
    model.optimizer.build(model.trainable_variables)
    model.build_figures(targets)
    return run_epochs(
        model,
        [(batches, training.sides.count(batches.side)) for batches in stages],
        job,
        validation_data=(
            to_network_input(validation.faces_u8),
            make_targets(validation.labels, validation.votes, 0, classes),
        ),
        class_weight=class_weights(faces.labels, classes) if training.class_weights else None,
    )
