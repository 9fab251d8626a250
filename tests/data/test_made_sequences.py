"""Sequences made of photographs: their times, their truth, and what disturbs them."""

import numpy as np
import pytest

from mien.classifier.classifier import Classifier
from mien.core.labels import EMOTIONS
from mien.data.disturb import OTHER, TRAINING
from mien.data.made_sequences import (
    FASTEST_FPS,
    MOMENTS,
    DisturbedFaces,
    disturb_faces,
    make_sequence,
)
from mien.data.synthetic import synthetic_dataset


@pytest.fixture(scope="module")
def faces():
    """Seven faces of each emotion, whose features tell which face and moment they are."""
    count = 49
    features = np.zeros((count, MOMENTS, 2), np.float32)
    features[..., 0] = np.arange(count)[:, None]
    features[..., 1] = np.arange(MOMENTS)
    truth = np.tile(np.eye(7, dtype=np.float32), (7, 1))
    probabilities = np.full((count, MOMENTS, 7), 1 / 7, np.float32)
    return DisturbedFaces(
        features, probabilities, np.zeros((count, MOMENTS, 4), np.float32), truth, EMOTIONS
    )


def test_every_moment_has_the_truth_of_the_face_that_it_shows(faces):
    changes, intervals_ms = 0, []
    for seed in range(60):
        sequence = make_sequence(faces, 40, np.random.default_rng(seed))
        shown = sequence.features[:, 0].astype(int)
        assert np.array_equal(sequence.truth, faces.truth[shown])
        assert sequence.timestamps_ms[0] == 0
        assert (np.diff(sequence.timestamps_ms) > 0).all()
        assert np.isinf(sequence.elapsed_ms[0])
        changes += int(np.count_nonzero(np.diff(shown)))
        intervals_ms.append(np.median(np.diff(sequence.timestamps_ms)))
        # The answer for the whole is an emotion that was shown.
        assert sequence.truth[:, sequence.clip_truth.argmax()].any()
    assert changes > 30
    assert 0.7 * 1000 / FASTEST_FPS < min(intervals_ms) < 30
    assert max(intervals_ms) > 120


def test_a_neutral_face_that_gives_way_to_an_emotion_is_answered_by_the_emotion(faces):
    neutral = EMOTIONS.index("neutral")
    for seed in range(200):
        sequence = make_sequence(faces, 40, np.random.default_rng(seed))
        labels = sequence.truth.argmax(axis=1)
        lasting = np.diff(sequence.timestamps_ms, append=sequence.timestamps_ms[-1])
        emotional = lasting[labels != neutral].sum() / lasting.sum()
        if len(set(labels)) == 2 and labels[0] == neutral and emotional > 0.4:
            assert sequence.clip_truth.argmax() != neutral
            return
    pytest.fail("no such sequence was made")


def test_the_two_sets_of_disturbances_share_no_kind():
    assert not set(TRAINING.spoils) & set(OTHER.spoils)
    assert TRAINING.move is not OTHER.move


@pytest.mark.parametrize("disturbance", [TRAINING, OTHER], ids=lambda each: each.name)
def test_a_disturbed_face_is_another_one_at_each_moment(disturbance):
    face_u8 = synthetic_dataset(1, seed=0).faces_u8[0]
    drawn = disturbance.stretch(face_u8, MOMENTS, np.random.default_rng(0))
    assert drawn.shape == (MOMENTS, 48, 48)
    assert len(np.unique(drawn, axis=0)) == MOMENTS
    again = disturbance.stretch(face_u8, MOMENTS, np.random.default_rng(0))
    assert np.array_equal(again, drawn)


def test_faces_are_classified_where_no_cache_can_be_written(tmp_path, brightness_network):
    classifier = Classifier(brightness_network(tmp_path / "emotion.onnx"), threads=1)
    faces_u8, truth = synthetic_dataset(7, seed=0).faces_u8, np.eye(7, dtype=np.float32)
    cache = tmp_path / "cache"
    cache.write_text("a file in the folder's place")
    disturbed = disturb_faces(
        faces_u8, truth, classifier, TRAINING, seed=0, cache_folder=cache, say=print
    )
    assert disturbed.probabilities.shape == (7, MOMENTS, 7)


def test_faces_are_classified_once(tmp_path, brightness_network):
    classifier = Classifier(brightness_network(tmp_path / "emotion.onnx"), threads=1)
    faces_u8 = synthetic_dataset(14, seed=0).faces_u8
    truth = np.eye(7, dtype=np.float32)[np.arange(14) % 7]
    said = []

    def disturb(seed):
        return disturb_faces(
            faces_u8, truth, classifier, TRAINING, seed=seed, cache_folder=tmp_path, say=said.append
        )

    first, again = disturb(0), disturb(0)
    assert len(said) == 1
    assert np.array_equal(first.probabilities, again.probabilities)
    assert first.probabilities.shape == (14, MOMENTS, 7)
    assert not np.array_equal(disturb(1).quality, first.quality)


def test_what_was_drawn_and_is_damaged_is_drawn_again(tmp_path, brightness_network):
    classifier = Classifier(brightness_network(tmp_path / "emotion.onnx"), threads=1)
    faces_u8 = synthetic_dataset(7, seed=0).faces_u8
    said = []

    def disturb():
        return disturb_faces(
            faces_u8,
            np.eye(7, dtype=np.float32),
            classifier,
            TRAINING,
            seed=0,
            cache_folder=tmp_path / "cache",
            say=said.append,
        )

    first = disturb()
    (cache,) = (tmp_path / "cache").iterdir()
    whole = cache.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in (b"", whole[:-1], bytes(flipped)):
        cache.write_bytes(damaged)
        assert np.array_equal(disturb().features, first.features)
        assert cache.read_bytes() == whole
    assert len(said) == 4
