"""Augmented faces stay faces, and come out the same whenever they are asked for."""

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs mien[train]")

from mien.training import augment
from mien.training.augment import draw_changes
from mien.training.batches import FaceBatches
from mien.training.config import AugmentationConfig

EVERYTHING = AugmentationConfig(
    rotation_degrees=15.0,
    shift_fraction=0.1,
    zoom_fraction=0.1,
    brightness=0.2,
    contrast=0.3,
    erasing_probability=0.5,
)


def augment_faces(
    faces: np.ndarray, config: AugmentationConfig, random: np.random.Generator, *, side: int = 48
) -> np.ndarray:
    changes = draw_changes(len(faces), config, random, side=side)
    return augment.augment_faces(faces, changes, side=side)


def gradient_faces(count: int) -> np.ndarray:
    """(count, 48, 48) uint8: dark on the left, bright on the right."""
    return np.tile(np.linspace(0, 255, 48, dtype=np.uint8), (count, 48, 1))


def test_without_options_only_the_scale_changes() -> None:
    faces = gradient_faces(3)
    unchanged = augment_faces(
        faces, AugmentationConfig(horizontal_flip=False), np.random.default_rng(0)
    )
    np.testing.assert_allclose(unchanged[..., 0], faces / 255, atol=1e-6)


def test_half_of_the_faces_are_mirrored() -> None:
    faces = augment_faces(gradient_faces(400), AugmentationConfig(), np.random.default_rng(0))
    mirrored = faces[:, 24, 0, 0] > 0.5
    assert 0.4 < mirrored.mean() < 0.6
    np.testing.assert_allclose(
        faces[mirrored][0, :, ::-1, 0], gradient_faces(1)[0] / 255, atol=0.01
    )


def test_values_stay_between_black_and_white() -> None:
    faces = augment_faces(gradient_faces(64), EVERYTHING, np.random.default_rng(0))
    assert faces.dtype == np.float32
    assert faces.shape == (64, 48, 48, 1)
    assert faces.min() >= 0
    assert faces.max() <= 1


def test_a_shift_moves_the_picture_by_that_much_at_the_most() -> None:
    dot = np.zeros((200, 48, 48), np.uint8)
    dot[:, 23:25, 23:25] = 255
    config = AugmentationConfig(horizontal_flip=False, shift_fraction=0.1)
    faces = augment_faces(dot, config, np.random.default_rng(0))[..., 0]
    rows, columns = np.mgrid[:48, :48]
    mass = faces.sum(axis=(1, 2))
    for axis in (rows, columns):
        moved = (faces * axis).sum(axis=(1, 2)) / mass - 23.5
        assert 3 < np.abs(moved).max() < 0.1 * 48 + 0.1


def test_small_faces_show_the_same_as_large_ones() -> None:
    config = EVERYTHING.model_copy(update={"erasing_probability": 0.0})
    faces = gradient_faces(8)
    large = augment_faces(faces, config, np.random.default_rng(0))
    small = augment_faces(faces, config, np.random.default_rng(0), side=16)
    assert small.shape == (8, 16, 16, 1)
    means = large.reshape(8, 16, 3, 16, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(small[..., 0], means, atol=0.05)


def test_batches_follow_from_seed_and_epoch_alone() -> None:
    faces, targets = gradient_faces(64), np.eye(7, dtype=np.float32)[np.arange(64) % 7]

    def batches(epoch: int) -> FaceBatches:
        made = FaceBatches(faces, targets, batch_size=16, augmentation=EVERYTHING, seed=3)
        made.epoch = epoch
        return made

    first, again, next_epoch = batches(5)[2], batches(5)[2], batches(6)[2]
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], next_epoch[0])


def test_an_epoch_shows_every_face_once() -> None:
    faces = np.zeros((64, 48, 48), np.uint8)
    faces[:, 0, 0] = np.arange(64)
    made = FaceBatches(
        faces,
        np.zeros((64, 7), np.float32),
        batch_size=16,
        augmentation=AugmentationConfig(horizontal_flip=False),
        seed=0,
    )
    seen = np.concatenate([made[index][0][:, 0, 0, 0] for index in range(len(made))])
    assert sorted(np.round(seen * 255)) == list(range(64))


def test_some_faces_are_shown_as_a_bad_camera_does() -> None:
    # Stripes of one pixel, whose sharpness and brightness blur, noise and dimming change.
    faces = np.zeros((200, 48, 48), np.uint8)
    faces[:, ::2] = 200
    config = AugmentationConfig(horizontal_flip=False, spoiled_probability=0.3)
    made = FaceBatches(
        faces, np.zeros((200, 7), np.float32), batch_size=200, augmentation=config, seed=0
    )
    unspoiled = np.isclose(made[0][0][..., 0], faces / 255, atol=1e-6).all(axis=(1, 2))
    assert 0.6 < unspoiled.mean() < 0.8
    np.testing.assert_array_equal(made[0][0], made[0][0])
