"""The faces of a run: what is known of them, and which of them train and which choose."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.data.classes import FER2013_CLASSES, ClassTable
from mien.data.fer2013 import load_dataset
from mien.data.ferplus import are_votes_for, load_votes
from mien.data.near_copies import NEAR_COPY_CORRELATION, near_copies
from mien.data.own_table import no_labels
from mien.data.split import (
    fold_of_faces,
    groups_of_copies,
    split_train_validation,
    stratified_part,
)
from mien.data.usage import TRAINING, VALIDATION
from mien.training.config import SplitConfig, load_experiment

_SPLIT_OF_GROUPS = "the fold of the best size"
"""How `mien.data.split` splits groups: a run whose groups were split otherwise cannot go on."""


@dataclass(frozen=True, slots=True)
class LabelledFaces:
    """Faces with what is known of them.

    Attributes:
        faces_u8: (N, 48, 48) uint8.
        labels: (N,) labels, indices into the names of `classes`.
        votes: (N, 10) counts of FER+'s votes in the order of `VOTE_CLASSES`, or None.
        classes: What the labels mean.
        groups: (N,) names; the faces of a group belong on one side of a split. None for none.
        kept_for_validation: (N,) bool, where the data say themselves which faces are; else None.
        source: The file or folder that was read.
        told_of_skipped: What could not be read in it, in a line; None if all could.
        told_of_shared_groups: Which groups are for a test too, in a line; None if none is.
    """

    faces_u8: NDArray[np.uint8]
    labels: NDArray[np.int64]
    votes: NDArray[np.float32] | None
    classes: ClassTable = FER2013_CLASSES
    groups: NDArray[np.str_] | None = None
    kept_for_validation: NDArray[np.bool_] | None = None
    source: Path | None = None
    told_of_skipped: str | None = None
    told_of_shared_groups: str | None = None

    def take(self, indices: NDArray[Any]) -> LabelledFaces:
        """Return the faces at `indices`, or where a mask is true."""

        def part(values: NDArray[Any] | None) -> Any:
            return None if values is None else values[indices]

        return replace(
            self,
            faces_u8=self.faces_u8[indices],
            labels=self.labels[indices],
            votes=part(self.votes),
            groups=part(self.groups),
            kept_for_validation=part(self.kept_for_validation),
        )

    def fingerprint(self) -> str:
        """Return a SHA-256 of faces, labels, their names and groups, whatever file they lie in."""
        return self._digest({"classes": list(self.classes.names), **self._sides()})

    def split_fingerprint(self) -> str:
        """Return a SHA-256 of what decides how they are split: all of it but the labels' names."""
        sides = self._sides()
        if self.groups is not None and self.kept_for_validation is None:
            sides["split_of_groups"] = _SPLIT_OF_GROUPS
        return self._digest(sides)

    def _sides(self) -> dict[str, Any]:
        return {
            "groups": None if self.groups is None else self.groups.tolist(),
            "validation": (
                None if self.kept_for_validation is None else self.kept_for_validation.tolist()
            ),
        }

    def _digest(self, names: dict[str, Any]) -> str:
        digest = hashlib.sha256(self.faces_u8.tobytes())
        digest.update(self.labels.astype("<i8").tobytes())
        digest.update(json.dumps(names).encode())
        return digest.hexdigest()


def load_faces(
    training_data: Path,
    votes_file: Path | None,
    classes: ClassTable = FER2013_CLASSES,
    groups: str = "",
) -> LabelledFaces:
    """Read the labelled faces of a file or folder, with FER+'s votes where these are wanted.

    Of data that say what each face is for, such as Kaggle's `fer2013.csv`, the faces for training
    and for validation are taken.

    Args:
        training_data: See `mien.data.fer2013.load_dataset`.
        votes_file: FER+'s `fer2013new.csv`, or None.
        classes: What is learnt, and what the data call it.
        groups: See `mien.data.fer2013.load_dataset`.

    Raises:
        DataError: if a file cannot be read, the faces have no labels, none is for training, or
            the votes are for other faces.
    """
    dataset = load_dataset(training_data, classes, groups=groups)
    if dataset.labels is None:
        raise no_labels(dataset.source)
    wanted = np.full(len(dataset.labels), fill_value=True)
    kept_for_validation = None
    if dataset.usage is not None:
        is_validation = dataset.usage == VALIDATION
        wanted = is_validation | (dataset.usage == TRAINING)
        if not (dataset.usage == TRAINING).any():
            raise DataError(
                f"{dataset.source} has no row whose Usage is 'Training': give the file that has."
            )
        if is_validation.any():
            kept_for_validation = is_validation[wanted]
    faces = dataset.take(wanted)
    assert faces.labels is not None
    return LabelledFaces(
        faces_u8=faces.faces_u8,
        labels=faces.labels,
        votes=None if votes_file is None else _votes_for(faces.labels, votes_file, faces.source),
        classes=faces.classes,
        groups=faces.groups,
        kept_for_validation=kept_for_validation,
        source=faces.source,
        told_of_skipped=dataset.told_of_skipped(),
        told_of_shared_groups=dataset.told_of_shared_groups(),
    )


def _votes_for(
    labels: NDArray[np.int64], votes_file: Path, training_data: Path
) -> NDArray[np.float32]:
    votes = votes_of(labels, votes_file)
    if votes is None:
        raise DataError(
            f"{votes_file} holds votes for other faces than the {len(labels):,} of "
            f"{training_data}: everywhere in FER2013 the raters agree with 72% of the labels, here "
            "not with half of some. Train on FER2013's train.csv, with its rows as they are, or "
            "set vote_weight to 0."
        )
    return votes


def votes_of(labels: NDArray[np.int64], votes_file: Path) -> NDArray[np.float32] | None:
    """Return the votes for FER2013's training faces, which come first in FER+'s file.

    Args:
        labels: (N,) labels of the faces, in FER2013's order.
        votes_file: FER+'s `fer2013new.csv`.

    Returns:
        (N, 10) counts of votes; None if they are for other faces.

    Raises:
        DataError: if the file cannot be read.
    """
    votes = load_votes(votes_file)[: len(labels)]
    return votes if are_votes_for(labels, votes) else None


def split_faces(faces: LabelledFaces, split: SplitConfig) -> tuple[LabelledFaces, LabelledFaces]:
    """Return the faces that a recipe trains on, and those that choose its epoch.

    With `near_copies_apart`, neither holds a near-copy of a face of the fold that is held out.
    Where the data say themselves which faces are for validation, exact copies of these do not
    train.

    Raises:
        DataError: if there are too few groups, the data keep a group for both, or all faces of a
            class to train on are near-copies of validation faces or of held-out ones.
    """
    if split.folds:
        in_fold = _in_fold(faces, split)
        others = np.flatnonzero(in_fold != split.fold - 1)
        if split.near_copies_apart:
            held_out = np.flatnonzero(in_fold == split.fold - 1)
            others = _without_near_copies(faces, others, held_out, "is held out")
        faces = faces.take(others)
    # The fold that is held out may hold all that the data keep for validation.
    if faces.kept_for_validation is not None and faces.kept_for_validation.any():
        training = np.flatnonzero(~faces.kept_for_validation & ~copies_of_validation(faces))
        validation = np.flatnonzero(faces.kept_for_validation)
        _check_groups_apart(faces, training, validation)
    else:
        training, validation = split_train_validation(
            faces.labels, faces.faces_u8, split.validation_fraction, split.seed, faces.groups
        )
    if split.near_copies_apart and len(training) and len(validation):
        training = _without_near_copies(faces, training, validation, "chooses the epoch")
    kept = stratified_part(faces.labels[training], split.training_part, split.seed)
    return faces.take(training[kept]), faces.take(validation)


def copies_of_validation(faces: LabelledFaces) -> NDArray[np.bool_]:
    """Say which faces for training are exact copies of faces that the data keep for validation.

    Returns:
        (N,) bool; all False where the data keep none.
    """
    kept = faces.kept_for_validation
    if kept is None:
        return np.zeros(len(faces.labels), np.bool_)
    pictures = groups_of_copies(faces.faces_u8)
    return ~kept & np.isin(pictures, pictures[kept])


def _without_near_copies(
    faces: LabelledFaces,
    training: NDArray[np.int64],
    judging: NDArray[np.int64],
    judges: str,
) -> NDArray[np.int64]:
    """Return the indices of `training` without near-copies of the faces at `judging`.

    What these are there for is said in the words of `judges` where nothing of a class is left.
    """
    _, correlations = near_copies(faces.faces_u8[training], faces.faces_u8[judging])
    kept = training[correlations < NEAR_COPY_CORRELATION]
    gone = set(faces.labels[training].tolist()) - set(faces.labels[kept].tolist())
    if gone:
        names = ", ".join(faces.classes.names[label] for label in sorted(gone))
        by_person = "" if faces.groups is not None else "name each one's person with --groups, "
        raise DataError(
            f"{faces.source}: {len(training) - len(kept)} of {len(training)} faces to train on are "
            f"nearly the same picture as one that {judges}, and no other is left of "
            f"{names}. Frames of one shot look so: bring others, {by_person}or train on these all "
            "the same with --set split.near_copies_apart=false; the figures are then too good."
        )
    return kept


def held_out_faces(faces: LabelledFaces, split: SplitConfig) -> LabelledFaces | None:
    """Return the faces of the fold that a recipe holds out; None if it cuts no folds."""
    if not split.folds:
        return None
    return faces.take(np.flatnonzero(_in_fold(faces, split) == split.fold - 1))


def _in_fold(faces: LabelledFaces, split: SplitConfig) -> NDArray[np.int64]:
    return fold_of_faces(faces.labels, faces.faces_u8, faces.groups, split.folds, split.seed)


def _check_groups_apart(
    faces: LabelledFaces, training: NDArray[np.int64], validation: NDArray[np.int64]
) -> None:
    if faces.groups is None:
        return
    both = set(faces.groups[training].tolist()) & set(faces.groups[validation].tolist())
    if both:
        raise DataError(
            f"{faces.source} has faces of the group {min(both)!r} for training and for validation "
            f"({len(both)} such groups): keep each on one side."
        )


def check_enough(training: LabelledFaces, validation: LabelledFaces) -> None:
    """See that there is something of every class to learn from, and something to choose by.

    Raises:
        DataError: if there is not.
    """
    missing = _names_without_faces(training)
    if missing:
        raise DataError(
            f"{training.source} has no face of {missing} to train on, of "
            f"{len(training.labels) + len(validation.labels)} faces: bring some, or leave the "
            "class out of [classes] names."
        )
    if not len(validation.labels):
        raise DataError(
            f"{training.source} has {len(training.labels)} faces to train on and none to choose "
            "the epoch by: bring at least two pictures of each class, or keep some for validation "
            "(a folder val, or Usage)."
        )


def missing_classes(part: LabelledFaces, what_for: str) -> str | None:
    """Say of which classes a part of the faces holds none; None if it has all.

    Args:
        part: The faces.
        what_for: What they are there for, such as "choose the epoch".
    """
    missing = _names_without_faces(part)
    if not missing:
        return None
    return f"none of the faces that {what_for} is of {missing}: they say nothing of it"


def _names_without_faces(part: LabelledFaces) -> str:
    names = part.classes.names
    counts = np.bincount(part.labels, minlength=len(names))
    return ", ".join(name for name, count in zip(names, counts, strict=True) if not count)


def load_split(
    recipe: Path, training_data: Path, votes_file: Path | None = None
) -> tuple[LabelledFaces, LabelledFaces]:
    """Return the training and the validation faces that a recipe's run had.

    Args:
        recipe: The run's TOML file.
        training_data: What it was trained on.
        votes_file: FER+'s votes, where they are wanted too.

    Raises:
        ModelError: if the recipe is not valid.
        DataError: if the faces cannot be read or have no labels, or the votes are for others.
    """
    return split_faces(*load_faces_of(recipe, training_data, votes_file))


def load_faces_of(
    recipe: Path, training_data: Path, votes_file: Path | None
) -> tuple[LabelledFaces, SplitConfig]:
    """Return the faces of a recipe's run as they were before the split, and the split."""
    experiment = load_experiment(recipe)
    faces = load_faces(training_data, votes_file, experiment.class_table, experiment.data.groups)
    return faces, experiment.split
