from pathlib import Path

import numpy as np
import pytest

from mien.core.errors import DataError
from mien.core.labels import VOTE_CLASSES
from mien.data.fer2013 import Dataset
from mien.evaluation.test_set import TEST_COUNT, ScoredFaces, agreed_test_labels, faces_to_score

DATA = Path(__file__).parents[2] / "data" / "test_with_emotions.csv"
TEST_CLASS_COUNTS = (958, 111, 1024, 1774, 1247, 831, 1233)


def blank(labels, usage=None):
    return Dataset(np.zeros((len(labels), 48, 48), np.uint8), labels, usage, Path("some.csv"))


def test_a_folder_with_the_test_sets_class_counts_is_the_test_set():
    faces = faces_to_score(blank(np.repeat(np.arange(7), TEST_CLASS_COUNTS)))
    assert faces.is_fer2013_test
    assert faces.is_public_test is None


def test_other_faces_are_not():
    faces = faces_to_score(blank(np.tile(np.arange(7), 3)))
    assert not faces.is_fer2013_test
    assert len(faces.labels) == 21


def test_training_rows_are_not_scored_where_there_are_test_rows():
    usage = np.array(["Training", "PublicTest", "PrivateTest", "Training"])
    faces = faces_to_score(blank(np.array([1, 2, 3, 4]), usage))
    assert faces.labels.tolist() == [2, 3]
    assert faces.is_public_test.tolist() == [True, False]


def test_faces_without_labels_are_refused():
    dataset = Dataset(np.zeros((1, 48, 48), np.uint8), None, None, Path("test.csv"))
    with pytest.raises(DataError, match=r"test\.csv has no labels"):
        faces_to_score(dataset)


@pytest.mark.skipif(not DATA.exists(), reason="needs FER2013: mien data download")
def test_the_real_test_set_is_known_by_its_pixels():
    from mien.data.fer2013 import load_dataset

    dataset = load_dataset(DATA)
    relabelled = Dataset(dataset.faces_u8, np.zeros_like(dataset.labels), None, DATA)
    faces = faces_to_score(relabelled)
    assert faces.is_fer2013_test
    assert np.flatnonzero(faces.is_public_test).tolist() == list(range(3589))


def test_raters_agree_where_one_emotion_has_more_than_half_of_the_votes():
    public = np.arange(TEST_COUNT) < 3589
    zeros = np.zeros(TEST_COUNT, np.int64)
    faces = ScoredFaces(np.zeros((TEST_COUNT, 48, 48), np.uint8), zeros, public, True)
    votes = np.zeros((35_887, 10), np.float32)
    votes[-TEST_COUNT, VOTE_CLASSES.index("happy")] = 6
    votes[-TEST_COUNT + 1, VOTE_CLASSES.index("happy")] = 5
    votes[-TEST_COUNT + 2, VOTE_CLASSES.index("contempt")] = 10
    assert agreed_test_labels(faces, votes)[:3].tolist() == [3, -1, -1]
    shuffled = ScoredFaces(faces.faces_u8, zeros, ~public, True)
    assert agreed_test_labels(shuffled, votes) is None
