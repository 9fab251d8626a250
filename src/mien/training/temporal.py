"""Train a temporal network: `mien train` with a recipe whose family is `temporal`.

It learns from what the face artifact says of faces, moment after moment, and belongs to that
artifact and the reading: another one says other things. The loop, the snapshots and the run's files
are those of every experiment.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from mien.data.array_cache import SEQUENCES_CACHE
from mien.data.clips import ClipSet
from mien.data.face_sequences import FaceSequence
from mien.data.made_sequences import DisturbedFaces
from mien.models.config import TemporalConfig
from mien.models.keras_file import save_network
from mien.models.temporal import build_temporal
from mien.recognizer import Recognizer
from mien.training.ancestors import check_shipped_knows_no_validation
from mien.training.curves import chosen_epoch, draw_learning_curves
from mien.training.face_sequences import (
    SequenceSplit,
    emotion_of,
    load_faces_or_clips,
    split_sequences,
)
from mien.training.job import (
    TrainingJob,
    check_folders,
    check_recipe,
    describe_environment,
    prepare_run_folder,
)
from mien.training.lock import locked
from mien.training.loop import run_epochs
from mien.training.objective import make_optimizer
from mien.training.provenance import (
    check_data,
    check_same_input,
    describe_data,
    told_of_test_faces,
)
from mien.training.run_folder import write_json
from mien.training.sequence_batches import (
    SequenceBatches,
    accuracy,
    observed_of,
    sequence_loss,
    targets_of,
)
from mien.training.training_model import TrainingModel


def train_temporal(job: TrainingJob) -> Path:
    """Train a temporal network, or go on with it where it was stopped.

    Args:
        job: What to train, on FER2013's faces, to make sequences of, or on clips; and where to.
            The votes, for the reading `raters`, are read if they are there.

    Returns:
        The file of the trained network, in the run's folder.

    Raises:
        SettingError: if the run's folders are not free for it (`mien.training.job.check_folders`).
        ModelError: if the folder belongs to another recipe, artifact, or other data, or the network
            that ships has learnt the faces that would choose the epoch or judge.
        DataError: if there is nothing to learn from.
    """
    run = job.run
    check_folders(job)
    if not job.restart:
        check_recipe(job)
        if run.is_finished:
            if run.data.is_file() and job.training_data.exists():
                check_data(load_faces_or_clips(job.training_data, job.votes_file), run)
            job.say(f"{run.path} holds this run, finished; --restart trains it again")
            return run.network
    with locked(run):
        return _train(job)


def _train(job: TrainingJob) -> Path:
    experiment, run = job.experiment, job.run
    network_config = experiment.network
    assert isinstance(network_config, TemporalConfig)
    assert experiment.sequences is not None
    recognizer = Recognizer(reading=experiment.sequences.reading or None, threads=1)
    classifier = recognizer.classifier
    source = load_faces_or_clips(job.training_data, job.votes_file)
    if not isinstance(source, ClipSet):
        check_shipped_knows_no_validation(source, experiment.split)
    known = {"face_artifact_sha256": classifier.artifact.sha256, "reading": classifier.reading_name}
    if isinstance(source, ClipSet):
        known["detector"] = recognizer.detector.name
    if not job.restart:
        check_data(source, run)
        check_same_input(known, run)
    cache = job.training_data.parent / SEQUENCES_CACHE
    split = split_sequences(source, experiment, recognizer, cache, job.say)
    keras.utils.set_random_seed(experiment.training.seed)
    features = split.validation[0].features.shape[1]
    network = build_temporal(network_config, features, len(classifier.labels))
    network.get_layer("seen").adapt(_features_of(split.training))
    # Whatever may be missing was looked for before an earlier run is thrown away.
    prepare_run_folder(job)
    told = {"known_clips": list(split.known_clips), "choosing_clips": list(split.choosing_clips)}
    of_clips = told if isinstance(source, ClipSet) else {}
    write_json(run.data, {**describe_data(source), **known, **of_clips})
    if not isinstance(source, ClipSet):
        if source.votes is None and job.votes_file.is_file():
            job.say(f"{job.votes_file} holds votes for other faces: not used")
        remarks = (
            source.told_of_skipped,
            source.told_of_shared_groups,
            told_of_test_faces(source),
        )
        for remark in remarks:
            if remark is not None:
                job.say(remark)
    write_json(run.environment, describe_environment(network))
    history = _fit(network, split, job)
    metrics = {
        "experiment": job.recipe.name,
        "face_artifact_sha256": classifier.artifact.sha256,
        "face_artifact": classifier.artifact.experiment,
        "reading": classifier.reading_name,
        "labels": list(classifier.labels),
        **_measure(network, split.validation, "validation"),
        **({} if split.held_out is None else _measure(network, split.held_out, "held_out")),
        "epochs": len(history["epoch"]),
        "chosen_epoch": chosen_epoch(history, experiment.training.early_stopping_min_delta),
        "training_minutes": round(sum(history["seconds"]) / 60, 1),
        "parameters": network.count_params(),
        "multiply_adds": _multiply_adds(network),
    }
    write_json(run.history, history)
    run.write_metrics(metrics)
    draw_learning_curves(history, run.learning_curves, experiment.training)
    save_network(network, run.network)  # last: a run that has its network has finished
    run.drop_snapshots()
    job.say(
        f"chosen epoch: {metrics['validation_accuracy']:.4f} of the time steps and "
        f"{metrics['validation_clip_accuracy']:.4f} of the sequences right; wrote {run.network}"
    )
    return run.network


def _features_of(training: DisturbedFaces | Sequence[FaceSequence]) -> NDArray[np.float32]:
    if isinstance(training, DisturbedFaces):
        return training.features.reshape(-1, training.features.shape[-1])
    return np.concatenate([sequence.features for sequence in training])


def _fit(network: keras.Model, split: SequenceSplit, job: TrainingJob) -> dict[str, list[float]]:
    training, wanted = job.experiment.training, job.experiment.sequences
    assert wanted is not None
    batches = SequenceBatches(
        split.training,
        batch_size=training.batch_size,
        per_epoch=wanted.per_epoch,
        steps=wanted.steps,
        clip_weight=wanted.clip_weight,
        seed=training.seed,
    )
    model = TrainingModel(network, average_decay=training.average_decay)
    model.compile(
        optimizer=make_optimizer(training, model, steps_per_epoch=len(batches)),
        loss=sequence_loss,
        metrics=[accuracy],
    )
    model.optimizer.build(model.trainable_variables)
    return run_epochs(
        model,
        [(batches, training.epochs)],
        job,
        validation_data=(
            observed_of(split.validation),
            targets_of(split.validation, wanted.clip_weight),
        ),
    )


def _measure(
    network: keras.Model, sequences: Sequence[FaceSequence], what: str
) -> dict[str, float]:
    """Return the loss on sequences, and the parts of their moments and of them that are right."""
    logits = network.predict(observed_of(sequences), batch_size=256, verbose=0)
    labels = sequences[0].truth.shape[1]
    hits, clips = [], []
    for sequence, row in zip(sequences, logits, strict=True):
        truth = emotion_of(sequence)
        said = row[: len(truth), :labels].argmax(axis=1)
        hits.append((said == truth)[truth >= 0])
        clips.append(row[len(truth) - 1, labels:].argmax() == sequence.clip_truth.argmax())
    targets = targets_of(sequences, 0.0)
    return {
        f"{what}_accuracy": float(np.concatenate(hits).mean()),
        f"{what}_loss": float(np.mean(keras.ops.convert_to_numpy(sequence_loss(targets, logits)))),
        f"{what}_clip_accuracy": float(np.mean(clips)),
    }


def _multiply_adds(network: keras.Model) -> int:
    """Of one moment of one face: each weight of a matrix is used once."""
    return sum(
        int(np.prod(weight.shape)) for weight in network.trainable_weights if len(weight.shape) == 2
    )
