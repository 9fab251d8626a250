"""Which faces of a file train a network, and whose votes they get."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.errors import DataError
from mien.core.labels import EMOTIONS
from mien.data.fer2013 import Dataset
from mien.data.synthetic import synthetic_dataset, write_csv
from mien.training.faces import load_faces

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
COLUMNS = ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear"]


def write_votes(path: Path, labels: np.ndarray) -> Path:
    """Ten raters who all see what the label says."""
    rows = [HEADER]
    for label in labels:
        counts = ["0"] * 10
        counts[COLUMNS.index(EMOTIONS[label])] = "10"
        rows.append(",".join(["Training", "fer.png", *counts]))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def kaggle(tmp_path: Path) -> Dataset:
    """140 faces in Kaggle's form, 100 of them for training."""
    faces = synthetic_dataset(140, seed=1)
    usage = np.array(["Training"] * 100 + ["PublicTest"] * 20 + ["PrivateTest"] * 20)
    path = tmp_path / "fer2013.csv"
    dataset = Dataset(faces.faces_u8, faces.labels, usage, path)
    write_csv(dataset, path)
    return dataset


def test_the_test_faces_of_kaggles_file_train_nothing(kaggle: Dataset) -> None:
    found = load_faces(kaggle.source, None)
    np.testing.assert_array_equal(found.faces_u8, kaggle.faces_u8[:100])
    np.testing.assert_array_equal(found.labels, kaggle.labels[:100])


def test_a_file_with_nothing_for_training_is_named(kaggle: Dataset, tmp_path: Path) -> None:
    only_test = Dataset(
        *(part[100:] for part in (kaggle.faces_u8, kaggle.labels, kaggle.usage)), tmp_path
    )
    write_csv(only_test, tmp_path / "test.csv")
    with pytest.raises(DataError, match=r"test\.csv has no row whose Usage is 'Training'"):
        load_faces(tmp_path / "test.csv", None)


def test_every_training_face_gets_its_votes(kaggle: Dataset, tmp_path: Path) -> None:
    votes = load_faces(kaggle.source, write_votes(tmp_path / "votes.csv", kaggle.labels)).votes
    assert votes.shape == (100, 10)
    np.testing.assert_array_equal(votes.sum(axis=1), 10)


def test_votes_for_other_faces_are_refused(kaggle: Dataset, tmp_path: Path) -> None:
    shifted = write_votes(tmp_path / "votes.csv", (kaggle.labels + 1) % 7)
    with pytest.raises(DataError, match=r"holds votes for other faces .* agree with 0% of the"):
        load_faces(kaggle.source, shifted)
    too_few = write_votes(tmp_path / "votes.csv", kaggle.labels[:99])
    with pytest.raises(DataError, match="99 votes for 100 faces"):
        load_faces(kaggle.source, too_few)
