"""What a device shows of a face is what OpenCV shows of it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.data.synthetic import synthetic_dataset, write_csv
from mien.models.keras_file import load_network
from mien.training import fit
from mien.training.batches import FaceBatches
from mien.training.config import AugmentationConfig
from mien.training.device_augment import augment_on_device
from mien.training.job import TrainingJob
from mien.training.recipe import load_recipe
from mien.training.run_folder import RunFolder

MOVES = {"rotation_degrees": 20.0, "shift_fraction": 0.2, "zoom_fraction": 0.2}
LIGHT = {"brightness": 0.2, "contrast": 0.3}
GREY_LEVELS = 3 / 255


def smooth_faces(count: int) -> np.ndarray:
    """(count, 48, 48) uint8: clouds, without an edge that a thirty-second of a pixel would move."""
    noise = np.random.default_rng(1).random((count, 48, 48))
    clouds = np.stack([cv2.GaussianBlur(each, (0, 0), 5) for each in noise])
    low, high = clouds.min(), clouds.max()
    return (255 * (clouds - low) / (high - low)).astype(np.uint8)


def both_ways(changes: dict[str, float | bool], side: int) -> tuple[np.ndarray, np.ndarray]:
    """The same batch as OpenCV augments it, and as a device does."""
    faces, targets = smooth_faces(64), np.eye(7, dtype=np.float32)[np.arange(64) % 7]
    config = AugmentationConfig.model_validate(changes)
    by_opencv, by_device = (
        FaceBatches(
            faces,
            targets,
            batch_size=64,
            augmentation=config,
            seed=3,
            side=side,
            on_device=on_device,
        )[0]
        for on_device in (False, True)
    )
    np.testing.assert_array_equal(by_opencv[1], by_device[1])
    return by_opencv[0], keras.ops.convert_to_numpy(augment_on_device(by_device[0]))


@pytest.mark.parametrize("side", [48, 32])
@pytest.mark.parametrize(
    "changes",
    [
        {"horizontal_flip": False},
        {"horizontal_flip": True},
        {"horizontal_flip": False, **MOVES},
        {"horizontal_flip": False, **LIGHT},
        {"erasing_probability": 0.5},
        {"mixup_alpha": 0.4},
        {"spoiled_probability": 0.3},
        {**MOVES, **LIGHT, "erasing_probability": 0.5, "mixup_alpha": 0.4},
    ],
    ids=["nothing", "flip", "moves", "light", "erasing", "mixup", "spoiled", "everything"],
)
def test_a_device_shows_what_opencv_shows(changes: dict[str, float | bool], side: int) -> None:
    by_opencv, by_device = both_ways(changes, side)
    assert by_device.shape == (64, side, side, 1)
    assert by_device.dtype == np.float32
    assert by_device.min() >= 0
    assert by_device.max() <= 1
    # A spoiled face has edges.
    apart = np.abs(by_opencv - by_device)
    assert np.quantile(apart, 0.99 if "spoiled_probability" in changes else 1) < GREY_LEVELS


RECIPE = """
title = "A toy"
rationale = "Everything that a device augments, and two sides."
status = "candidate"

[network]
family = "residual"
stem_filters = 4
filters = [4]
blocks_per_stage = [1]
dropout = 0.1

[augmentation]
rotation_degrees = 5.0
contrast = 0.2
erasing_probability = 0.3
mixup_alpha = 0.2

[training]
epochs = 2
early_epochs = 1
early_side = 32
batch_size = 32
average_decay = 0.9
"""


def test_a_run_on_a_device_learns_what_one_on_a_processor_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, faces = tmp_path / "toy.toml", tmp_path / "train.csv"
    recipe.write_text(RECIPE)
    write_csv(synthetic_dataset(210, seed=1), faces)
    weights = []
    for on_device in (True, False):
        monkeypatch.setattr(fit, "augments_on_device", lambda chosen=on_device: chosen)
        network = fit.train(
            TrainingJob(
                recipe=load_recipe(recipe),
                training_data=faces,
                votes_file=Path("not read"),
                run=RunFolder(tmp_path / f"run_{on_device}"),
                log_folder=tmp_path / "logs",
                say=lambda _line: None,
            )
        )
        weights.append(load_network(network).get_weights())
    for on_device, on_processor in zip(*weights, strict=True):
        np.testing.assert_allclose(on_device, on_processor, rtol=0.05, atol=0.05)
