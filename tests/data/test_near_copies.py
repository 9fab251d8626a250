"""The same photograph is recognised when it was cropped differently, and other people are not."""

import cv2
import numpy as np
import pytest

from mien.data.near_copies import NEAR_COPY_CORRELATION, near_copies


def photograph(seed: int) -> np.ndarray:
    """(200, 200) uint8: smooth random shapes, as unlike each other as faces of two people."""
    noise = np.random.default_rng(seed).normal(size=(200, 200))
    smooth = cv2.GaussianBlur(noise, (0, 0), 14) * 28 + cv2.GaussianBlur(noise, (0, 0), 4) * 3
    return np.clip(128 + 90 * smooth / np.abs(smooth).max(), 0, 255).astype(np.uint8)


def crop(picture: np.ndarray, x: int, y: int, side: int) -> np.ndarray:
    return cv2.resize(picture[y : y + side, x : x + side], (48, 48), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("x", "y", "side", "mirrored"),
    [(40, 40, 120, False), (40, 40, 120, True), (50, 34, 120, False), (34, 46, 132, True)],
    ids=["the same", "mirrored", "moved", "moved, larger and mirrored"],
)
def test_another_crop_of_a_photograph_is_found(x: int, y: int, side: int, mirrored: bool) -> None:
    others = np.stack([crop(photograph(seed), 40, 40, 120) for seed in range(12)])
    face = crop(photograph(7), x, y, side)
    face = face[:, ::-1] if mirrored else face
    indices, correlations = near_copies(face[np.newaxis], others)
    assert indices[0] == 7
    assert correlations[0] >= NEAR_COPY_CORRELATION


def test_other_photographs_are_none_and_flat_pictures_neither() -> None:
    others = np.stack([crop(photograph(seed), 40, 40, 120) for seed in range(12)])
    faces = np.stack([crop(photograph(99), 40, 40, 120), np.full((48, 48), 90, np.uint8)])
    _, correlations = near_copies(faces, others)
    assert (correlations < NEAR_COPY_CORRELATION).all()
