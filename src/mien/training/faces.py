"""The faces of a run: what is known of them, and which of them train and which choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.data.fer2013 import load_dataset
from mien.data.ferplus import agreed_labels, load_votes
from mien.data.split import split_train_validation, stratified_part
from mien.training.config import SplitConfig, load_experiment


@dataclass(frozen=True, slots=True)
class LabelledFaces:
    """Faces with what is known of them.

    Attributes:
        faces_u8: (N, 48, 48) uint8.
        labels: (N,) labels, 0 to 6.
        votes: (N, 10) counts of FER+'s votes in the order of `VOTE_CLASSES`, or None.
    """

    faces_u8: NDArray[np.uint8]
    labels: NDArray[np.int64]
    votes: NDArray[np.float32] | None

    def take(self, indices: NDArray[np.int64]) -> LabelledFaces:
        """Return the faces at `indices`."""
        votes = None if self.votes is None else self.votes[indices]
        return LabelledFaces(self.faces_u8[indices], self.labels[indices], votes)


def load_faces(training_data: Path, votes_file: Path | None) -> LabelledFaces:
    """Read the labelled faces of a file, with FER+'s votes where the recipe asks for these.

    Of a file that says what each face is for, such as Kaggle's `fer2013.csv`, the faces for
    training are taken.

    Raises:
        DataError: if a file cannot be read, the faces have no labels, none is for training, or
            the votes are for other faces.
    """
    dataset = load_dataset(training_data)
    if dataset.labels is None:
        raise DataError(
            f"{dataset.source} has no column 'emotion'; training needs labels: give train.csv."
        )
    for_training = np.full(len(dataset.labels), fill_value=True)
    if dataset.usage is not None:
        for_training = dataset.usage == "Training"
        if not for_training.any():
            raise DataError(
                f"{dataset.source} has no row whose Usage is 'Training': give the file that has."
            )
    labels = dataset.labels[for_training]
    votes = None if votes_file is None else _votes_for(labels, votes_file, dataset.source)
    return LabelledFaces(dataset.faces_u8[for_training], labels, votes)


def _votes_for(
    labels: NDArray[np.int64], votes_file: Path, training_data: Path
) -> NDArray[np.float32]:
    """Return the votes for training faces, which come first in FER+'s file."""
    votes = load_votes(votes_file)[: len(labels)]
    agreed = agreed_labels(votes)
    hits = (agreed == labels[: len(votes)])[agreed >= 0]
    agree = float(hits.mean()) if len(hits) else 0.0
    if len(votes) < len(labels) or agree < 0.5:
        raise DataError(
            f"{votes_file} holds votes for other faces than those of {training_data} "
            f"({len(votes):,} votes for {len(labels):,} faces; the raters agree with "
            f"{agree:.0%} of the labels, with FER2013's they agree with 73%): train on FER2013's "
            "train.csv, or set vote_weight to 0."
        )
    return votes


def split_faces(faces: LabelledFaces, split: SplitConfig) -> tuple[LabelledFaces, LabelledFaces]:
    """Return the faces that a recipe trains on, and those that choose its epoch."""
    training, validation = split_train_validation(
        faces.labels, faces.faces_u8, split.validation_fraction, split.seed
    )
    kept = stratified_part(faces.labels[training], split.training_part, split.seed)
    return faces.take(training[kept]), faces.take(validation)


def load_split(recipe: Path, training_data: Path) -> tuple[LabelledFaces, LabelledFaces]:
    """Return the training and the validation faces that a recipe's run had, without votes.

    Raises:
        ModelError: if the recipe is not valid.
        DataError: if the faces cannot be read or have no labels.
    """
    return split_faces(load_faces(training_data, None), load_experiment(recipe).split)


def find_recipe(folder: Path, experiment: str) -> Path:
    """Return the recipe of a run: `experiment.toml` in its folder, else `experiments/<name>.toml`.

    The latter is seen from the working folder, and need not exist.
    """
    beside = folder / "experiment.toml"
    return beside if beside.is_file() else Path("experiments") / f"{experiment}.toml"
