"""Which faces of a file train a network, and whose votes they get."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.errors import DataError, ModelError
from mien.core.labels import EMOTIONS
from mien.data.dataset import Dataset
from mien.data.split import split_train_validation
from mien.data.synthetic import synthetic_dataset, write_csv
from mien.training.config import SplitConfig
from mien.training.face_sequences import load_faces_or_clips
from mien.training.faces import (
    LabelledFaces,
    copies_of_validation,
    held_out_faces,
    load_faces,
    missing_classes,
    split_faces,
)
from mien.training.fit import _describe_split
from mien.training.provenance import check_data, describe_data
from mien.training.run_folder import RunFolder, write_json

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
    only_test = Dataset(kaggle.faces_u8[100:], kaggle.labels[100:], kaggle.usage[100:], tmp_path)
    write_csv(only_test, tmp_path / "test.csv")
    with pytest.raises(DataError, match=r"test\.csv has no row whose Usage is 'Training'"):
        load_faces(tmp_path / "test.csv", None)


def test_every_training_face_gets_its_votes(kaggle: Dataset, tmp_path: Path) -> None:
    votes = load_faces(kaggle.source, write_votes(tmp_path / "votes.csv", kaggle.labels)).votes
    assert votes.shape == (100, 10)
    np.testing.assert_array_equal(votes.sum(axis=1), 10)


def test_votes_for_other_faces_are_refused(kaggle: Dataset, tmp_path: Path) -> None:
    shifted = write_votes(tmp_path / "votes.csv", (kaggle.labels + 1) % 7)
    with pytest.raises(DataError, match="holds votes for other faces than the 100 of"):
        load_faces(kaggle.source, shifted)
    too_few = write_votes(tmp_path / "votes.csv", kaggle.labels[:99])
    with pytest.raises(DataError, match="holds votes for other faces than the 100 of"):
        load_faces(kaggle.source, too_few)


@pytest.mark.parametrize("apart", [False, True])
def test_no_photograph_of_the_validation_trains(apart: bool) -> None:
    noise = np.random.default_rng(0).normal(size=(42, 60, 60))
    pictures = np.stack([cv2.GaussianBlur(picture, (0, 0), 7) for picture in noise])
    pictures_u8 = np.clip(128 + 900 * pictures, 0, 255).astype(np.uint8)
    # Of each photograph two crops, the other one mirrored.
    crops_u8 = np.concatenate([pictures_u8[:, 6:54, 6:54], pictures_u8[:, 4:52, 8:56][:, :, ::-1]])
    labels = np.tile(np.arange(42) % 7, 2)
    faces = LabelledFaces(np.ascontiguousarray(crops_u8), labels, None)
    split = SplitConfig(validation_fraction=0.3, near_copies_apart=apart)
    training, validation = split_faces(faces, split)

    photograph = {crop.tobytes(): index % 42 for index, crop in enumerate(crops_u8)}
    sides = [
        {photograph[face.tobytes()] for face in side.faces_u8} for side in (training, validation)
    ]
    assert bool(sides[0] & sides[1]) is not apart


def test_frames_of_one_shot_are_no_validation_and_what_helps_is_said() -> None:
    random = np.random.default_rng(0)
    shot = cv2.GaussianBlur(random.normal(size=(48, 48)), (0, 0), 7)
    frames = 128 + 900 * shot + random.normal(size=(40, 48, 48))
    frames_u8 = np.clip(frames, 0, 255).astype(np.uint8)
    faces = LabelledFaces(frames_u8, np.arange(40) % 2, None)
    with pytest.raises(
        DataError, match=r"32 of 32 faces .* no other is left of angry, disgust"
    ) as e:
        split_faces(faces, SplitConfig(validation_fraction=0.2, near_copies_apart=True))
    assert "--groups" in str(e.value)
    assert "--set split.near_copies_apart=false" in str(e.value)
    training, _ = split_faces(faces, SplitConfig(validation_fraction=0.2))
    assert len(training.labels) == 32


def test_no_frame_of_a_shot_that_is_held_out_trains_or_chooses_the_epoch() -> None:
    random = np.random.default_rng(0)
    shots = [cv2.GaussianBlur(random.normal(size=(48, 48)), (0, 0), 7) for _ in range(90)]
    frames = np.repeat(128 + 900 * np.stack(shots), 2, axis=0) + random.normal(size=(180, 48, 48))
    frames_u8 = np.clip(frames, 0, 255).astype(np.uint8)
    faces = LabelledFaces(frames_u8, np.repeat(np.arange(90) % 2, 2), None)
    shot_of = {frame.tobytes(): index // 2 for index, frame in enumerate(frames_u8)}
    for fold in (1, 2, 3):
        split = SplitConfig(validation_fraction=0.3, near_copies_apart=True, folds=3, fold=fold)
        held_out = held_out_faces(faces, split)
        assert held_out is not None
        judged = {shot_of[face.tobytes()] for face in held_out.faces_u8}
        for part in split_faces(faces, split):
            assert not judged & {shot_of[face.tobytes()] for face in part.faces_u8}


def test_of_two_pictures_of_a_class_one_chooses_the_epoch() -> None:
    faces = synthetic_dataset(52, seed=0).faces_u8
    labels = np.array([0] * 50 + [1] * 2)
    training, validation = split_faces(LabelledFaces(faces, labels, None), SplitConfig())
    assert np.bincount(training.labels).tolist() == [45, 1]
    assert np.bincount(validation.labels).tolist() == [5, 1]
    assert missing_classes(validation, "choose the epoch") == (
        "none of the faces that choose the epoch is of fear, happy, sad, surprise, neutral: they "
        "say nothing of it"
    )


def test_votes_from_which_a_row_is_missing_are_refused(tmp_path: Path) -> None:
    faces = synthetic_dataset(1000, seed=1)
    write_csv(faces, tmp_path / "train.csv")
    labels = np.concatenate([faces.labels[:700], faces.labels[701:], faces.labels[:1]])
    votes = write_votes(tmp_path / "votes.csv", labels)
    with pytest.raises(DataError, match="holds votes for other faces than the 1,000 of"):
        load_faces(tmp_path / "train.csv", votes)
    # Temporal networks use them where they fit, and do without where not.
    found = load_faces_or_clips(tmp_path / "train.csv", votes)
    assert isinstance(found, LabelledFaces)
    assert found.votes is None


def test_a_run_whose_groups_were_split_otherwise_does_not_go_on(tmp_path: Path) -> None:
    drawn = synthetic_dataset(70, seed=0)
    persons = np.array([f"person {i // 5}" for i in range(70)])
    alone = LabelledFaces(drawn.faces_u8, drawn.labels, None)
    of_persons = replace(alone, groups=persons)
    kept = replace(of_persons, kept_for_validation=np.arange(70) < 10)
    run = RunFolder(tmp_path / "run")
    for faces in (alone, of_persons, kept):
        write_json(run.data, describe_data(faces))
        check_data(faces, run)
    # As mien wrote it when the first fold of groups was for validation.
    for faces, refused in ((alone, False), (of_persons, True), (kept, False)):
        described = {**describe_data(faces), "split_sha256": faces._digest(faces._sides())}
        untold = {key: value for key, value in described.items() if key != "split_sha256"}
        for content in (described, untold):
            write_json(run.data, content)
            if refused:
                with pytest.raises(ModelError, match=r"split the groups .* otherwise.*--restart"):
                    check_data(faces, run)
            else:
                check_data(faces, run)


def test_a_fold_may_hold_out_all_that_somebody_keeps_for_validation() -> None:
    drawn = synthetic_dataset(60, seed=0)
    persons = np.repeat(np.array(["anna", "ben", "eva", "ida", "tom"]), 12)
    labels = np.tile(np.arange(3), 20)
    faces = LabelledFaces(
        drawn.faces_u8, labels, None, groups=persons, kept_for_validation=persons == "tom"
    )
    for fold in range(1, 6):
        training, validation = split_faces(faces, SplitConfig(folds=5, fold=fold))
        held = held_out_faces(faces, SplitConfig(folds=5, fold=fold))
        sides = [set(part.groups.tolist()) for part in (training, validation, held)]
        assert all(sides)
        assert sum(map(len, sides)) == 5


def test_four_persons_of_whom_two_share_a_picture_can_be_split() -> None:
    drawn = synthetic_dataset(24, seed=0)
    faces_u8 = drawn.faces_u8.copy()
    faces_u8[0] = faces_u8[6]
    persons = np.repeat(np.array(["anna", "ben", "eva", "ida"]), 6)
    labels = np.tile(np.arange(2), 12)
    training, validation = split_train_validation(labels, faces_u8, 0.2, 0, persons)
    assert len(training) + len(validation) == 24
    assert not {*persons[training]} & {*persons[validation]}
    # Each its own group, four of a class.
    alone = np.array([f"person {number:02}" for number in range(12)])
    assert len(split_train_validation(labels[:12] % 3, drawn.faces_u8[:12], 0.2, 0, alone)[1]) > 0


@pytest.mark.parametrize("folds", [0, 2])
def test_copies_of_faces_that_somebody_keeps_for_validation_do_not_train(folds: int) -> None:
    drawn = synthetic_dataset(84, seed=0)
    faces_u8 = np.concatenate([drawn.faces_u8, drawn.faces_u8[70:73]])  # These train as well.
    labels = np.concatenate([drawn.labels, drawn.labels[70:73]])
    numbers = np.arange(87)
    kept = (numbers >= 70) & (numbers < 84)
    faces = LabelledFaces(faces_u8, labels, None, kept_for_validation=kept)
    assert np.flatnonzero(copies_of_validation(faces)).tolist() == [84, 85, 86]
    split = SplitConfig(folds=folds, fold=min(folds, 1))
    training, validation = split_faces(faces, split)
    pictures = [{face.tobytes() for face in part.faces_u8} for part in (training, validation)]
    assert not pictures[0] & pictures[1]
    if not folds:
        assert (len(training.labels), len(validation.labels)) == (70, 14)
        assert _describe_split(faces, training, validation, None, split).endswith(
            "; 3 left out as copies of validation faces"
        )
