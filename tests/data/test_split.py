import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.core.errors import DataError
from mien.data.split import split_train_validation, stratified_part
from mien.data.synthetic import synthetic_dataset


@given(
    picture_of_face=st.lists(st.integers(0, 40), min_size=1, max_size=120),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_every_face_is_on_one_side_and_so_are_its_copies(picture_of_face, fraction, seed):
    picture = np.array(picture_of_face)
    faces = np.zeros((len(picture), 48, 48), np.uint8)
    faces[:, 20, 30] = picture
    labels = np.random.default_rng(seed).integers(0, 7, len(picture))
    training, validation = split_train_validation(labels, faces, fraction, seed)
    assert sorted([*training, *validation]) == list(range(len(picture)))
    assert not set(picture[training]) & set(picture[validation])


def test_every_emotion_has_its_share():
    drawn = synthetic_dataset(700, seed=0)
    training, validation = split_train_validation(drawn.labels, drawn.faces_u8, 0.1, seed=1)
    assert np.bincount(drawn.labels[validation]).tolist() == [10] * 7
    assert np.bincount(drawn.labels[training]).tolist() == [90] * 7


def test_the_seed_decides_the_split():
    drawn = synthetic_dataset(210, seed=0)
    first, again, other = (
        split_train_validation(drawn.labels, drawn.faces_u8, 0.2, seed)[1] for seed in (1, 1, 2)
    )
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_a_part_keeps_the_shares_of_the_emotions():
    labels = np.repeat(np.arange(7), [40, 4, 40, 72, 48, 32, 1])
    kept = stratified_part(labels, 0.25, seed=0)
    assert np.bincount(labels[kept]).tolist() == [10, 1, 10, 18, 12, 8, 1]
    assert kept.tolist() == sorted(set(kept.tolist()))
    assert stratified_part(labels, 1.0, seed=0).tolist() == list(range(len(labels)))


def faces_of_persons(sizes):
    """Faces that differ, and the person of each, for persons with so many faces."""
    persons = np.repeat([f"person {number}" for number in range(len(sizes))], sizes)
    faces = np.random.default_rng(0).integers(0, 256, (len(persons), 48, 48), np.uint8)
    return faces, persons


@pytest.mark.parametrize("seed", range(5))
def test_a_person_with_most_of_the_faces_stays_for_training(seed):
    faces, persons = faces_of_persons([60, 6, 6, 6, 6])
    labels = np.arange(len(persons)) % 3
    training, validation = split_train_validation(labels, faces, 0.2, seed, persons)
    assert len(training) + len(validation) == 84
    assert len(validation) == 6
    assert not set(persons[training]) & set(persons[validation])


def test_faces_of_one_person_alone_are_refused_and_the_remedy_works():
    faces, persons = faces_of_persons([20])
    labels = np.arange(20) % 2
    with pytest.raises(DataError, match=r"All 20 faces are of one group, 'person 0'.*--groups"):
        split_train_validation(labels, faces, 0.2, 0, persons)
    each = np.array([f"picture {number}" for number in range(20)])
    assert len(split_train_validation(labels, faces, 0.2, 0, each)[1]) == 4


@pytest.mark.parametrize("seed", range(5))
def test_a_class_that_one_person_shows_stays_for_training(seed):
    faces, persons = faces_of_persons([10] * 5)
    labels = np.arange(len(persons)) % 2
    labels[persons == "person 3"] = 2
    training, validation = split_train_validation(labels, faces, 0.2, seed, persons)
    assert len(validation) == 10
    assert set(labels[training]) == {0, 1, 2}
