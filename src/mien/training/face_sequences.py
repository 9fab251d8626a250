"""The sequences of a run over time: made of FER2013's faces, or of clips."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier
from mien.core.errors import DataError
from mien.data.disturb import OTHER, Disturbance
from mien.data.face_sequences import FaceSequence
from mien.data.ferplus import agreed_labels
from mien.data.made_sequences import DisturbedFaces, disturb_faces, make_sequence
from mien.training.faces import LabelledFaces
from mien.training.readings import truth_of

CACHE = "face_sequences"
"""Folder of what classifiers said, inside the `.mien_cache` beside the data."""

HELD_OUT_SEED = 7
"""Seed of the validation and test sequences: every network is judged on the same ones."""


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
        make_sequence(drawn, steps, _random(HELD_OUT_SEED, number), f"sequence {number}")
        for number in range(sequences)
    ]


def _random(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def emotion_of(sequence: FaceSequence) -> NDArray[np.int64]:
    """(T,) the label of each moment, -1 where its truth is not known."""
    known = sequence.truth.any(axis=1)
    labels: NDArray[np.int64] = np.where(known, sequence.truth.argmax(axis=1), -1)
    return labels
