"""Drawn faces with an expression per emotion, so that tests need no photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.files import write_atomically
from mien.core.labels import EMOTIONS
from mien.core.preprocess import FACE_SIZE
from mien.data.csv_file import PIXELS
from mien.data.dataset import Dataset

# Faces are drawn four times as big and scaled down: smooth lines, shifts of a quarter pixel.
_SCALE = 4
_CANVAS = FACE_SIZE * _SCALE


@dataclass(frozen=True, slots=True)
class _Expression:
    """What sets one emotion apart; lengths in pixels of the 48 × 48 face."""

    brow_raise: float
    brow_slant: float  # Above 0: the inner ends are lower, as in anger.
    eye_opening: float
    mouth_curve: float  # Above 0: the corners are higher, as in a smile.
    mouth_opening: float
    mouth_width: float


_EXPRESSIONS = {
    "angry": _Expression(-1.5, 2.5, 1.8, -1.0, 0.0, 8.0),
    "disgust": _Expression(-1.0, 1.0, 1.0, -2.0, 1.5, 5.5),
    "fear": _Expression(1.5, -2.0, 3.0, -1.5, 2.5, 8.0),
    "happy": _Expression(0.5, 0.0, 1.5, 3.5, 1.0, 10.0),
    "sad": _Expression(0.0, -2.5, 1.5, -3.0, 0.0, 7.0),
    "surprise": _Expression(3.0, 0.0, 3.5, 0.0, 5.0, 4.5),
    "neutral": _Expression(0.0, 0.0, 2.2, 0.0, 0.0, 8.0),
}


def synthetic_dataset(count: int, seed: int) -> Dataset:
    """Draw faces; every emotion appears equally often, give or take one, in random order.

    Args:
        count: How many.
        seed: The same seed gives the same faces.

    Returns:
        A dataset with labels and without usage.
    """
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % len(EMOTIONS)
    random.shuffle(labels)
    faces = np.empty((count, FACE_SIZE, FACE_SIZE), dtype=np.uint8)
    for face, label in zip(faces, labels, strict=True):
        face[:] = _draw_face(_EXPRESSIONS[EMOTIONS[label]], random)
    return Dataset(faces, labels, None, Path("synthetic"))


def write_csv(dataset: Dataset, path: Path) -> None:
    """Write faces in FER2013's format.

    Args:
        dataset: Faces; without labels the file has no column `emotion`, without usage none `Usage`.
        path: The CSV file.
    """
    cells = [[" ".join(map(str, face)) for face in dataset.faces_u8.reshape(-1, PIXELS).tolist()]]
    header = ["pixels"]
    if dataset.labels is not None:
        header.insert(0, "emotion")
        cells.insert(0, [str(label) for label in dataset.labels])
    if dataset.usage is not None:
        header.append("Usage")
        cells.append([str(usage) for usage in dataset.usage])
    lines = [",".join(header), *(",".join(row) for row in zip(*cells, strict=True))]
    write_atomically(path, "\n".join(lines) + "\n")


def _draw_face(expression: _Expression, random: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one face, (48, 48) uint8, with a small random shift, tilt, brightness and noise."""
    background = random.integers(20, 90)
    skin = random.integers(150, 225)
    dark = random.integers(10, 60)
    canvas = np.full((_CANVAS, _CANVAS), background, dtype=np.uint8)
    _ellipse(canvas, (24.0, 24.0), (17.0, 21.0), int(skin))
    for side in (-1, 1):
        eye = (24.0 + 7.5 * side, 19.0)
        _ellipse(canvas, eye, (3.6, expression.eye_opening), 245)
        _ellipse(canvas, eye, (1.5, min(1.5, expression.eye_opening)), int(dark))
        brow_y = 14.0 - expression.brow_raise
        inner = (24.0 + 3.5 * side, brow_y + expression.brow_slant / 2)
        outer = (24.0 + 12.0 * side, brow_y - expression.brow_slant / 2)
        _line(canvas, [inner, outer], int(dark))
    _line(canvas, [(24.0, 22.0), (22.5, 28.0), (25.0, 28.0)], int(skin) - 45)
    _draw_mouth(canvas, expression, int(dark))
    return _photograph(canvas, random)


def _draw_mouth(canvas: NDArray[np.uint8], expression: _Expression, grey: int) -> None:
    """Draw the lips as two parabolas that meet in the corners."""
    across = np.linspace(-1.0, 1.0, 15)
    x = 24.0 + across * expression.mouth_width
    middle = 35.0 + expression.mouth_curve * (0.5 - across**2)
    opening = expression.mouth_opening * (1 - across**2)
    upper = np.stack([x, middle - opening], axis=1)
    lower = np.stack([x, middle + opening], axis=1)
    outline = _to_canvas(np.concatenate([upper, lower[::-1]]))
    cv2.fillPoly(canvas, [outline], grey, cv2.LINE_AA)
    cv2.polylines(canvas, [outline], True, grey, 5, cv2.LINE_AA)


def _photograph(canvas: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Tilt and shift the drawing a little, scale it down, and vary its light."""
    middle = (_CANVAS / 2, _CANVAS / 2)
    move = cv2.getRotationMatrix2D(middle, random.uniform(-6, 6), random.uniform(0.92, 1.05))
    move[:, 2] = move[:, 2] + random.uniform(-2, 2, size=2) * _SCALE
    moved = cv2.warpAffine(canvas, move, (_CANVAS, _CANVAS), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(moved, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    noise = random.normal(0, 4, size=(FACE_SIZE, FACE_SIZE))
    lit = np.asarray(small, dtype=np.float64) * random.uniform(0.75, 1.15) + noise
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def _ellipse(
    canvas: NDArray[np.uint8], center: tuple[float, float], radii: tuple[float, float], grey: int
) -> None:
    (x, y), (width, height) = _to_canvas(np.array([center, radii])).tolist()
    cv2.ellipse(canvas, (x, y), (width, height), 0, 0, 360, grey, cv2.FILLED, cv2.LINE_AA)


def _line(canvas: NDArray[np.uint8], points: list[tuple[float, float]], grey: int) -> None:
    cv2.polylines(canvas, [_to_canvas(np.array(points))], False, grey, 6, cv2.LINE_AA)


def _to_canvas(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(points * _SCALE).astype(np.int32)
