"""The sequences of a run over time: made of FER2013's faces, or of clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier
from mien.core.errors import DataError
from mien.data.clip_sequences import read_clips
from mien.data.clip_split import split_clips
from mien.data.clips import Clip, ClipSet, holds_clips, load_clips
from mien.data.disturb import OTHER, TRAINING, Disturbance
from mien.data.face_sequences import FaceSequence
from mien.data.ferplus import agreed_labels
from mien.data.made_sequences import DisturbedFaces, disturb_faces, make_sequence
from mien.recognizer import Recognizer
from mien.training.config import Experiment, SplitConfig
from mien.training.faces import (
    LabelledFaces,
    held_out_faces,
    load_faces,
    split_faces,
    votes_of,
)
from mien.training.readings import truth_of

HELD_OUT_SEED = 7
"""Seed of the validation and test sequences: every network is judged on the same ones."""

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True, eq=False)
class SequenceSplit:
    """What a temporal network learns from, what chooses its epoch, and what judges a fold.

    Attributes:
        training: Faces to make sequences of, or the sequences of clips.
        validation: Sequences.
        held_out: Those of the fold that is held out; None without folds.
        known_clips: The keys of the clips that are not to judge the network any more.
        choosing_clips: The keys of the other clips that choose its epoch.
    """

    training: DisturbedFaces | Sequence[FaceSequence]
    validation: Sequence[FaceSequence]
    held_out: Sequence[FaceSequence] | None
    known_clips: tuple[str, ...] = ()
    choosing_clips: tuple[str, ...] = ()


def load_faces_or_clips(data: Path, votes_file: Path) -> LabelledFaces | ClipSet:
    """Read labelled faces, or find clips; no video is opened.

    Args:
        data: FER2013's faces, or clips: a folder or a manifest, see `mien.data.clips`.
        votes_file: FER+'s `fer2013new.csv`; used if it is there and of these faces.

    Raises:
        DataError: see `mien.training.faces.load_faces` and `mien.data.clips.load_clips`.
    """
    if holds_clips(data):
        return load_clips(data)
    faces = load_faces(data, None)
    if not votes_file.is_file():
        return faces
    return replace(faces, votes=votes_of(faces.labels, votes_file))


def split_sequences(
    source: LabelledFaces | ClipSet,
    experiment: Experiment,
    recognizer: Recognizer,
    cache_folder: Path,
    say: Callable[[str], None],
) -> SequenceSplit:
    """Split faces or clips as a recipe says, and make sequences of them.

    Args:
        source: What `load_faces_or_clips` returned.
        experiment: A recipe with the table [sequences].
        recognizer: Who finds the faces of clips, and says what each face shows.
        cache_folder: Where the cache of made sequences lies.
        say: Called with each line for the user.

    Raises:
        DataError: if a side would be empty, or the reading has other labels.
    """
    if isinstance(source, ClipSet):
        return _split_of_clips(source, experiment.split, recognizer, say)
    wanted = experiment.sequences
    assert wanted is not None
    training, validation = split_faces(source, experiment.split)
    judging = held_out_faces(source, experiment.split)
    say(f"sequences are made of {wanted.faces:,} training faces of {source.source}")

    def held_out(faces: LabelledFaces) -> list[FaceSequence]:
        return held_out_sequences(
            faces,
            recognizer.classifier,
            count=wanted.held_out_faces,
            sequences=wanted.held_out,
            steps=wanted.steps,
            cache_folder=cache_folder,
            say=say,
        )

    drawn = drawn_faces(
        training,
        wanted.faces,
        recognizer.classifier,
        TRAINING,
        seed=experiment.training.seed,
        cache_folder=cache_folder,
        say=say,
    )
    return SequenceSplit(
        drawn, held_out(validation), None if judging is None else held_out(judging)
    )


def _split_of_clips(
    clips: ClipSet, split: SplitConfig, recognizer: Recognizer, say: Callable[[str], None]
) -> SequenceSplit:
    sides = split_clips(
        clips, split.validation_fraction, split.seed, folds=split.folds, fold=split.fold
    )
    training, validation, held_out = clip_sequences(
        clips, (sides.training, sides.validation, sides.held_out), recognizer, say
    )
    line = f"{len(training):,} clips to train on, {len(validation):,} to choose the epoch by"
    say(f"{line}, {len(held_out):,} held out" if split.folds else line)
    if not clips.has_subjects:
        say("who the clips show is not known: the split keeps files apart, not people")
    if not training or not validation or (split.folds and not held_out):
        raise DataError(f"{clips.source} has no usable clip on one side of the split.")
    known = sides.training + (sides.validation if split.folds else ())
    choosing = () if split.folds else sides.validation
    return SequenceSplit(
        training,
        validation,
        held_out if split.folds else None,
        tuple(sorted({clip.key for clip in known})),
        tuple(sorted({clip.key for clip in choosing})),
    )


def clip_sequences(
    clips: ClipSet,
    sides: Sequence[Sequence[Clip]],
    recognizer: Recognizer,
    say: Callable[[str], None],
) -> list[Sequence[FaceSequence]]:
    """Return the sequences of each of some parts of a set, and name the clips that are left out.

    Args:
        clips: The set.
        sides: Its parts.
        recognizer: See `mien.data.clip_sequences.read_clips`.
        say: Called with each line for the user.

    Raises:
        DataError: if the recognizer's reading has other labels than the clips.
    """
    say(f"faces in clips are found by {recognizer.detector.name}")
    read = [read_clips(side, clips, recognizer, say) for side in sides]
    odd = [*clips.skipped, *(each for side in read for each in side.odd)]
    for name, reason in odd[:_MOST_NAMED]:
        say(f"left out: {name}: {reason}")
    if len(odd) > _MOST_NAMED:
        more = len(odd) - _MOST_NAMED
        say(f"... and {more:,} more; mien data explore {clips.source} names them all")
    return [side.sequences for side in read]


def drawn_faces(
    faces: LabelledFaces,
    count: int,
    classifier: Classifier,
    disturbance: Disturbance,
    *,
    seed: int,
    cache_folder: Path,
    say: Callable[[str], None],
) -> DisturbedFaces:
    """Choose faces whose truth is clear, and have them drawn and classified.

    The truth is the one that the classifier's reading is about: with votes, of the reading
    `raters`, the shares of the raters, and faces are chosen on which more than half of them agree;
    else the labels.

    Args:
        faces: Labelled faces, with votes where they are known.
        count: How many to choose, at random, as they come.
        classifier: See `mien.data.made_sequences.disturb_faces`; so are the others.
        disturbance: How they are drawn.
        seed: The same seed gives the same faces and drawings.
        cache_folder: Where the cache lies.
        say: Called with a line before the long part.

    Raises:
        DataError: if the reading has other labels than the faces, or `disturb_faces` raises it.
    """
    truth, known = truth_of(classifier.reading_name, faces)
    if truth.ndim == 1:
        truth = np.eye(len(classifier.labels), dtype=np.float32)[truth]
    elif faces.votes is not None:
        known = known & (agreed_labels(faces.votes) >= 0)
    if truth.shape[1] != len(classifier.labels):
        raise DataError(
            f"The reading {classifier.reading_name} has the labels "
            f"{', '.join(classifier.labels)}; FER2013's faces have others. Train on clips."
        )
    candidates = np.flatnonzero(known)
    chosen = np.random.default_rng(seed).permutation(candidates)[:count]
    return disturb_faces(
        faces.faces_u8[chosen],
        np.asarray(truth[chosen], np.float32),
        classifier,
        disturbance,
        seed=seed,
        cache_folder=cache_folder,
        say=say,
    )


def held_out_sequences(
    faces: LabelledFaces,
    classifier: Classifier,
    *,
    count: int,
    sequences: int,
    steps: int,
    cache_folder: Path,
    say: Callable[[str], None],
) -> list[FaceSequence]:
    """Make the sequences that choose or judge.

    They are of faces that no network was trained on, disturbed in ways that training does not have.

    Args:
        faces: Validation or test faces.
        classifier: What classifies.
        count: How many of the faces to use.
        sequences: How many sequences to make of them.
        steps: How many moments each of them has.
        cache_folder: Where the cache lies.
        say: Called with a line before the long part.
    """
    drawn = drawn_faces(
        faces,
        count,
        classifier,
        OTHER,
        seed=HELD_OUT_SEED,
        cache_folder=cache_folder,
        say=say,
    )
    return [
        make_sequence(
            drawn, steps, np.random.default_rng((HELD_OUT_SEED, number)), f"sequence {number}"
        )
        for number in range(sequences)
    ]


def emotion_of(sequence: FaceSequence) -> NDArray[np.int64]:
    """(T,) the label of each moment, -1 where its truth is not known."""
    known = sequence.truth.any(axis=1)
    labels: NDArray[np.int64] = np.where(known, sequence.truth.argmax(axis=1), -1)
    return labels
