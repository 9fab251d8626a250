from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.core.errors import DataError, SettingError
from mien.core.labels import EMOTIONS
from mien.data import test_faces
from mien.data.dataset import Dataset
from mien.data.synthetic import synthetic_dataset
from mien.evaluation import test_set
from mien.evaluation.test_set import (
    FER2013_TEST,
    TEST_COUNT,
    ScoredFaces,
    data_to_score,
    faces_to_score,
    votes_for_test,
)
from mien.training.run_folder import RunFolder

DATA = Path(__file__).parents[2] / "data" / "test_with_emotions.csv"


def blank(labels, usage=None):
    return Dataset(np.zeros((len(labels), 48, 48), np.uint8), labels, usage, Path("some.csv"))


@pytest.fixture
def known(monkeypatch):
    """Let drawn faces stand for FER2013's 7,178 test faces, and 20 of them be a look."""
    faces_u8 = synthetic_dataset(60, seed=4).faces_u8
    signs = test_faces._signs(test_faces.fingerprint(faces_u8))
    monkeypatch.setattr(test_faces, "_known_signs", lambda _table: signs)
    # Drawn faces differ in fewer bits than photographs do.
    monkeypatch.setattr(test_faces, "MOST_DIFFERENT_BITS", 0)
    monkeypatch.setattr(test_set, "LOOK_FACES", 20)
    monkeypatch.setattr(test_set, "PUBLIC_TEST_COUNT", 30)
    return faces_u8


@pytest.mark.parametrize(
    ("chosen", "is_look"),
    [
        (slice(0, 59), True),  # a row less
        (slice(0, 30), True),  # PublicTest without a column Usage
        (slice(None, None, -3), True),
        (slice(0, 19), False),
    ],
)
def test_test_faces_are_known_one_by_one(known, chosen, is_look):
    faces_u8 = known[chosen]
    labels = np.zeros(len(faces_u8), np.int64)
    faces = faces_to_score(Dataset(faces_u8, labels, None, Path("some.csv")))
    assert faces.known_test_faces == len(faces_u8)
    assert faces.is_look is is_look
    assert faces.is_public_test.tolist() == (np.arange(60)[chosen] < 30).tolist()


def test_photographs_that_training_has_cropped_otherwise_are_known(known, monkeypatch):
    monkeypatch.setattr(test_faces, "_near_copy_rows", lambda: np.array([3, 7]))
    labels = np.zeros(3, np.int64)
    faces = faces_to_score(Dataset(known[[7, 5, 3]], labels, None, Path("some.csv")))
    assert faces.is_near_copy.tolist() == [True, False, True]


def test_test_faces_among_others_are_a_look_too(known):
    mixed = np.concatenate([known[:25], synthetic_dataset(200, seed=5).faces_u8])
    faces = faces_to_score(Dataset(mixed, np.zeros(225, np.int64), None, Path("some.csv")))
    assert faces.is_look
    assert faces.is_public_test is None
    assert faces.is_near_copy is None


@pytest.mark.usefixtures("known")
def test_ones_own_faces_are_none_whatever_their_usage_says():
    own = synthetic_dataset(24, seed=6)
    usage = np.array(["PublicTest", "PrivateTest"] * 12)
    faces = faces_to_score(Dataset(own.faces_u8, own.labels, usage, Path("own.csv")))
    assert faces.known_test_faces == 0
    assert not faces.is_look
    assert faces.is_public_test.sum() == 12


def test_training_rows_are_not_scored_where_there_are_test_rows():
    usage = np.array(["Training", "PublicTest", "PrivateTest", "Training"])
    faces = faces_to_score(blank(np.array([1, 2, 3, 4]), usage))
    assert faces.labels.tolist() == [2, 3]
    assert faces.is_public_test.tolist() == [True, False]


def test_training_rows_are_not_scored_where_there_are_validation_rows_either():
    labels = np.array([1, 2, 3])
    faces = faces_to_score(blank(labels, np.array(["Training", "Validation", "Training"])))
    assert faces.labels.tolist() == [2]
    assert faces_to_score(blank(labels, np.array(["Training"] * 3))).labels.tolist() == [1, 2, 3]


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
    assert faces.is_look
    assert faces.known_test_faces == 7087
    assert np.flatnonzero(faces.is_public_test).tolist() == list(range(3589))


def test_votes_are_those_of_the_test_faces_in_their_order():
    public = np.arange(TEST_COUNT) < 3589
    zeros = np.zeros(TEST_COUNT, np.int64)
    pictures = np.zeros((TEST_COUNT, 48, 48), np.uint8)
    votes = np.arange(35_887, dtype=np.float32)[:, None].repeat(10, axis=1)
    faces = ScoredFaces(pictures, zeros, EMOTIONS, public, np.arange(7087), None, public)
    assert votes_for_test(faces, votes)[0, 0] == 28_709
    for other in (replace(faces, is_public_test=~public), replace(faces, test_rows=np.arange(0))):
        assert votes_for_test(other, votes) is None


def test_fer2013s_test_faces_are_for_networks_that_are_about_them(tmp_path):
    run = RunFolder(tmp_path)
    assert data_to_score(run, EMOTIONS, None) == FER2013_TEST
    assert data_to_score(run, ("Freude", "Wut"), Path("faces")) == Path("faces")
    with pytest.raises(SettingError, match=r"tells apart Freude, Wut, .*--data"):
        data_to_score(run, ("Freude", "Wut"), None)
    run.data.write_text('{"source": "my_faces", "faces": 70, "sha256": "5e"}')
    with pytest.raises(SettingError, match=r"learnt from my_faces, .*--data"):
        data_to_score(run, EMOTIONS, None)
