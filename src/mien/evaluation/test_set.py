"""Which faces of a data set are scored, and whether they are FER2013's test set.

A look at FER2013's 7,178 test faces is counted (`mien.evaluation.ledger`), so they are recognised
however they come: as `test_with_emotions.csv`, as the rows of Kaggle's file whose Usage is
PublicTest or PrivateTest, or as a folder per class.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.labels import EMOTIONS
from mien.data.fer2013 import Dataset
from mien.data.ferplus import agreed_labels

PUBLIC_TEST_COUNT = 3589
"""The first rows of test_with_emotions.csv are FER2013's PublicTest, the rest its PrivateTest."""

TEST_COUNT = 7178
"""FER2013's test faces."""

_PIXELS_SHA256 = "e394f5938373feebd0b9740453eef665aa2a7f944e254e04ed9163b212d42ea1"
_CLASS_COUNTS = (958, 111, 1024, 1774, 1247, 831, 1233)


@dataclass(frozen=True, slots=True)
class ScoredFaces:
    """Labelled faces to score.

    Attributes:
        faces_u8: (N, 48, 48) uint8.
        labels: (N,) integers 0 to 6.
        is_public_test: (N,) bool, True for PublicTest and False for PrivateTest; None where the
            two cannot be told apart.
        is_fer2013_test: Whether these are FER2013's test faces, all or a part of them.
    """

    faces_u8: NDArray[np.uint8]
    labels: NDArray[np.integer]
    is_public_test: NDArray[np.bool_] | None
    is_fer2013_test: bool


def faces_to_score(dataset: Dataset) -> ScoredFaces:
    """Pick the faces to score: the test rows where the file has a Usage column, else all.

    Raises:
        DataError: if the data set has no labels.
    """
    if dataset.labels is None:
        raise DataError(
            f"{dataset.source} has no labels; scoring needs a column 'emotion'. "
            "`mien predict` writes probabilities without them."
        )
    if dataset.usage is not None:
        is_test = np.isin(dataset.usage, ("PublicTest", "PrivateTest"))
        if is_test.any():
            return ScoredFaces(
                faces_u8=dataset.faces_u8[is_test],
                labels=dataset.labels[is_test],
                is_public_test=dataset.usage[is_test] == "PublicTest",
                is_fer2013_test=True,
            )
    same_pixels = hashlib.sha256(dataset.faces_u8.tobytes()).hexdigest() == _PIXELS_SHA256
    # Pictures that went through JPEG have other pixels, and files of a folder another order.
    counts = np.bincount(dataset.labels, minlength=len(EMOTIONS))
    return ScoredFaces(
        faces_u8=dataset.faces_u8,
        labels=dataset.labels,
        is_public_test=(
            np.arange(len(dataset.labels)) < PUBLIC_TEST_COUNT if same_pixels else None
        ),
        is_fer2013_test=same_pixels or tuple(counts) == _CLASS_COUNTS,
    )


def agreed_test_labels(faces: ScoredFaces, votes: NDArray[np.float32]) -> NDArray[np.int64] | None:
    """Return what FER+'s raters clearly agreed on for FER2013's test faces.

    Args:
        faces: The faces that are scored.
        votes: (35,887, 10) counts of votes: see `mien.data.ferplus.load_votes`.

    Returns:
        (N,) labels as of `mien.data.ferplus.agreed_labels`; None unless the faces are FER2013's
        test faces, in the order of the votes.
    """
    in_order = np.arange(TEST_COUNT) < PUBLIC_TEST_COUNT
    if faces.is_public_test is None or not np.array_equal(faces.is_public_test, in_order):
        return None
    return agreed_labels(votes[-TEST_COUNT:])
