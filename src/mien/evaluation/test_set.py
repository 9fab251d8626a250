"""Which faces of a dataset are scored, and whether they are FER2013's test set.

A look at FER2013's 7,178 test faces is counted (`mien.evaluation.ledger`), so each of them is
recognised by itself, however it comes (`mien.data.test_faces`): as a row of
`test_with_emotions.csv` or of Kaggle's file, in a folder per class, after JPEG, alone or among
others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError, SettingError
from mien.core.labels import EMOTIONS
from mien.data.dataset import Dataset
from mien.data.ferplus import are_votes_for
from mien.data.own_table import LABEL_COLUMNS
from mien.data.test_faces import are_near_copies, estimate_training_faces, find_test_faces
from mien.data.usage import TEST_USAGES, TRAINING
from mien.training.config import SHIPPED, load_experiment
from mien.training.provenance import data_of_run, has_learnt, is_foreign
from mien.training.run_folder import RunFolder

FER2013_TEST = Path("data/test_with_emotions.csv")
"""What is scored on where nothing else is named."""

PUBLIC_TEST_COUNT = 3589
"""The first rows of test_with_emotions.csv are FER2013's PublicTest, the rest its PrivateTest."""

LARGEST_KNOWN_PART = 0.05
"""So many of FER2013's training faces among those to score are not worth a word."""

TEST_COUNT = 7178
"""FER2013's test faces."""

LOOK_FACES = 72
"""From so many different test faces on, a hundredth, scoring them is a look at the test set."""

_PIXELS_SHA256 = "e394f5938373feebd0b9740453eef665aa2a7f944e254e04ed9163b212d42ea1"


@dataclass(frozen=True, slots=True)
class ScoredFaces:
    """Labelled faces to score.

    Attributes:
        faces_u8: (N, 48, 48) uint8.
        labels: (N,) integers, indices into `names`.
        names: What the labels are called.
        is_public_test: (N,) bool, True for PublicTest and False for PrivateTest; None where the
            two cannot be told apart.
        test_rows: The different ones of FER2013's test faces among them, as ascending rows of
            `test_with_emotions.csv`.
        is_near_copy: (N,) bool, True for another crop or a mirror image of one of FER2013's
            training faces; None unless all are FER2013's test faces.
        is_test_face: (N,) bool, True for each of FER2013's test faces.
        files: The picture that each face came from; None where there is none.
        groups: (N,) names of each face's group, say its person; None where each face stands for
            itself.
    """

    faces_u8: NDArray[np.uint8]
    labels: NDArray[np.integer]
    names: tuple[str, ...]
    is_public_test: NDArray[np.bool_] | None
    test_rows: NDArray[np.intp]
    is_near_copy: NDArray[np.bool_] | None
    is_test_face: NDArray[np.bool_]
    files: tuple[str, ...] | None = None
    groups: NDArray[np.str_] | None = None

    def groups_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.str_] | None:
        """Return the groups of some of the faces."""
        return None if self.groups is None else self.groups[chosen]

    @property
    def known_test_faces(self) -> int:
        """How many different ones of FER2013's test faces are among them."""
        return len(self.test_rows)

    @property
    def is_look(self) -> bool:
        """Whether scoring them is a look at FER2013's test set."""
        return self.known_test_faces >= LOOK_FACES


def data_to_score(run: RunFolder, labels: tuple[str, ...], named: Path | None) -> Path:
    """Return the data to score a network on: those named, else FER2013's test faces.

    Args:
        run: The folder of the network.
        labels: What the network tells apart.
        named: What the user named.

    Raises:
        SettingError: if none were named, and the network is not about FER2013's faces.
        ModelError: if what the run says of its faces cannot be read.
    """
    if named is not None:
        return named
    if is_foreign(run):
        raise SettingError(
            f"The network in {run.path} learnt from {data_of_run(run)}, not from FER2013: "
            "name labelled data that it has not seen with --data."
        )
    if labels != EMOTIONS:
        raise SettingError(
            f"The network in {run.path} tells apart {', '.join(labels)}, which FER2013's labels "
            "are not: name labelled faces with --data."
        )
    return FER2013_TEST


def is_trained_on(dataset: Dataset, data: Path, run: RunFolder) -> bool:
    """Say whether a network would be scored on the very faces that it learnt from.

    Args:
        dataset: What is to be scored.
        data: Where it lies.
        run: The folder of the network.

    Raises:
        ModelError: if what the run says of its faces cannot be read.
    """
    set_aside = dataset.usage is not None and np.isin(dataset.usage, TEST_USAGES).any()
    if set_aside or not run.data.is_file():
        return False
    return has_learnt(dataset.faces_u8, data, run)


def told_of_training_faces(faces: ScoredFaces, run: RunFolder) -> str | None:
    """Say how many of FER2013's training faces a network that learnt them would be scored on.

    Test faces that lie among the training faces too (8 % do) are not counted.

    Args:
        faces: What is to be scored.
        run: The folder of the network. It learnt them itself, or by the network whose weights it
            starts from; one that does not tell its faces is taken to have learnt them.

    Returns:
        A line; None if there are hardly any, or the network learnt from other faces.

    Raises:
        ModelError: if what the run says of its faces cannot be read.
    """
    if faces.names != EMOTIONS or not _has_learnt_fer2013(run):
        return None
    known = estimate_training_faces(faces.faces_u8[~faces.is_test_face])
    if known <= LARGEST_KNOWN_PART * len(faces.labels):
        return None
    return (
        f"About {known:,} of the {len(faces.labels):,} faces are FER2013's training faces: of a "
        "network that learnt from FER2013, these are no figures of a test"
    )


def _has_learnt_fer2013(run: RunFolder) -> bool:
    if not is_foreign(run):
        return True
    start = load_experiment(run.recipe).training.start_from if run.recipe.is_file() else ""
    if start in ("", SHIPPED):
        return start == SHIPPED
    return _has_learnt_fer2013(RunFolder(run.path.parent / start))


def faces_to_score(dataset: Dataset) -> ScoredFaces:
    """Pick the faces to score: those for a test where the data say so, else all but those to train.

    Where all are for training, they are scored: `is_trained_on` tells.

    Raises:
        DataError: if the dataset has no labels.
    """
    if dataset.labels is None:
        raise DataError(
            f"{dataset.source} has no labels; scoring needs a column of them, called "
            f"{', '.join(LABEL_COLUMNS[:-1])} or {LABEL_COLUMNS[-1]}. `mien predict` writes "
            "probabilities without them."
        )
    chosen = np.ones(len(dataset.labels), np.bool_)
    is_public = None
    if dataset.usage is not None and np.isin(dataset.usage, TEST_USAGES).any():
        chosen = np.isin(dataset.usage, TEST_USAGES)
        if np.isin(dataset.usage[chosen], ("PublicTest", "PrivateTest")).all():
            is_public = dataset.usage[chosen] == "PublicTest"
    elif dataset.usage is not None and (dataset.usage != TRAINING).any():
        chosen = dataset.usage != TRAINING
    scored = dataset.take(chosen)
    assert scored.labels is not None
    faces_u8, rows = scored.faces_u8, find_test_faces(scored.faces_u8)
    if is_public is None and hashlib.sha256(faces_u8.tobytes()).hexdigest() == _PIXELS_SHA256:
        is_public = np.arange(len(faces_u8)) < PUBLIC_TEST_COUNT
    elif is_public is None and (rows >= 0).all():
        # Of a picture that lies in both sets, this is the set of its first copy.
        is_public = rows < PUBLIC_TEST_COUNT
    return ScoredFaces(
        faces_u8=faces_u8,
        labels=scored.labels,
        names=scored.classes.names,
        is_public_test=is_public,
        files=scored.files,
        groups=scored.groups,
        test_rows=np.unique(rows[rows >= 0]),
        is_near_copy=are_near_copies(rows) if (rows >= 0).all() else None,
        is_test_face=rows >= 0,
    )


def count_test_faces(faces_u8: NDArray[np.uint8]) -> int:
    """Count the different ones of FER2013's test faces among (N, 48, 48) uint8 faces."""
    rows = find_test_faces(faces_u8)
    return len(np.unique(rows[rows >= 0]))


def votes_for_test(faces: ScoredFaces, votes: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return FER+'s votes for FER2013's test faces.

    Args:
        faces: The faces that are scored.
        votes: (35,887, 10) counts of votes: see `mien.data.ferplus.load_votes`.

    Returns:
        (N, 10) counts of votes; None unless the faces are FER2013's test faces, in the order of
        the votes.

    Raises:
        DataError: if the votes are for other faces.
    """
    in_order = np.arange(TEST_COUNT) < PUBLIC_TEST_COUNT
    if not faces.is_look or faces.is_public_test is None:
        return None
    if not np.array_equal(faces.is_public_test, in_order):
        return None
    votes = votes[-TEST_COUNT:]
    if not are_votes_for(faces.labels, votes):
        raise DataError(
            "fer2013new.csv, beside the faces, holds no votes for FER2013's test faces in its last "
            f"{TEST_COUNT:,} rows: it was cut or edited. `mien data download` fetches it."
        )
    return votes
