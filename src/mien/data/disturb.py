"""What a camera does to a face, drawn: for sequences made of photographs, and for single faces.

There are two sets of disturbances that share no kind, so that what was learned on `TRAINING` is
judged on `OTHER`: how a face moves, what spoils it, and for how long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.preprocess import FACE_SIZE

Image = NDArray[np.float32]  # (48, 48), 0 to 255
Spoil = Callable[[Image, float, np.random.Generator], Image]
Path = NDArray[np.float64]  # (moments, numbers), each number wandering around 0 by about 1

_MEMORY = 0.7  # of one moment's place in the next
_SPOILED = 0.45  # part of the stretches that each kind spoils
_STRONGEST = 0.7  # of one face by itself: beyond, there is no telling what it shows
_MIDDLE = (FACE_SIZE - 1) / 2


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A set of disturbances.

    Attributes:
        name: What it is called in caches.
        movements: How many numbers place the face at one moment.
        move: Moves a face by such numbers.
        spoils: What spoils it, by name, each with a strength from 0 to 1.
    """

    name: str
    movements: int
    move: Callable[[Image, NDArray[np.float64]], Image]
    spoils: Mapping[str, Spoil]

    def stretch(
        self, face_u8: NDArray[np.uint8], moments: int, random: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Show one face for a while: it moves on a path of its own, and is spoiled now and then.

        Args:
            face_u8: (48, 48) uint8.
            moments: How many pictures to draw.
            random: Source of every choice.

        Returns:
            (moments, 48, 48) uint8.
        """
        places = _wander(moments, self.movements, random)
        strengths = {name: _episode(moments, random) for name in self.spoils}
        drawn = np.empty((moments, FACE_SIZE, FACE_SIZE), np.uint8)
        for moment in range(moments):
            image = self.move(face_u8.astype(np.float32), places[moment])
            for name, spoil in self.spoils.items():
                if strengths[name][moment] > 0:
                    image = spoil(image, float(strengths[name][moment]), random)
            drawn[moment] = np.clip(np.rint(image), 0, 255)
        return drawn

    def spoil_some(
        self, faces_u8: NDArray[np.uint8], probability: float, random: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Spoil some of several faces, each by one kind, from hardly to `_STRONGEST`.

        Args:
            faces_u8: (N, 48, 48) uint8.
            probability: Of each face to be spoiled.
            random: Source of every choice.

        Returns:
            (N, 48, 48) uint8, a copy.
        """
        kinds = list(self.spoils.values())
        spoiled = faces_u8.copy()
        for index in np.flatnonzero(random.random(len(faces_u8)) < probability):
            spoil = kinds[random.integers(len(kinds))]
            strength = random.uniform(0, _STRONGEST)
            image = spoil(faces_u8[index].astype(np.float32), strength, random)
            spoiled[index] = np.clip(np.rint(image), 0, 255)
        return spoiled


def _wander(moments: int, numbers: int, random: np.random.Generator) -> Path:
    """An autoregressive path of unit variance."""
    steps = random.normal(size=(moments, numbers))
    path = np.empty_like(steps)
    path[0] = steps[0]
    for moment in range(1, moments):
        path[moment] = _MEMORY * path[moment - 1] + np.sqrt(1 - _MEMORY**2) * steps[moment]
    return path


def _episode(moments: int, random: np.random.Generator) -> NDArray[np.float64]:
    """The strength of one kind at each moment: none, or a hump somewhere in the stretch."""
    if random.random() > _SPOILED:
        return np.zeros(moments)
    middle, width = random.uniform(0, moments), random.uniform(1, moments / 2)
    hump = 1 - np.abs(np.arange(moments) - middle) / width
    strengths: NDArray[np.float64] = np.clip(hump, 0, 1) * random.uniform(0.3, 1)
    return strengths


# --- those of training ------------------------------------------------------------------------


def _shift_turn_zoom(image: Image, place: NDArray[np.float64]) -> Image:
    turn = cv2.getRotationMatrix2D((_MIDDLE, _MIDDLE), 4 * place[0], 1 + 0.05 * place[1])
    turn[:, 2] = turn[:, 2] + 1.2 * place[2:]
    moved = cv2.warpAffine(image, turn, (FACE_SIZE, FACE_SIZE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def _blur(image: Image, strength: float, _: np.random.Generator) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 + 2.6 * strength), np.float32)


def _dim(image: Image, strength: float, _: np.random.Generator) -> Image:
    return image * np.float32(1 - 0.85 * strength)


def _add_noise(image: Image, strength: float, random: np.random.Generator) -> Image:
    return image + random.normal(0, 30 * strength, image.shape).astype(np.float32)


def _compress(image: Image, strength: float, _: np.random.Generator) -> Image:
    whole = np.clip(image, 0, 255).astype(np.uint8)
    jpeg = cv2.imencode(".jpg", whole, [cv2.IMWRITE_JPEG_QUALITY, round(40 - 36 * strength)])[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), np.float32)


def _occlude(image: Image, strength: float, _: np.random.Generator) -> Image:
    """Something flat before the upper or lower part of the face."""
    rows = round(0.5 * strength * FACE_SIZE)
    covered = image.copy()
    part = covered[:rows] if image[0, 0] > image[-1, -1] else covered[FACE_SIZE - rows :]
    part[:] = image.mean()
    return covered


TRAINING = Disturbance(
    "training",
    4,
    _shift_turn_zoom,
    {
        "occlusion": _occlude,
        "blur": _blur,
        "dimming": _dim,
        "noise": _add_noise,
        "compression": _compress,
    },
)
"""Jitter of the crop, a flat occlusion, blur, dimming, noise, compression."""


# --- the others -------------------------------------------------------------------------------


def _look_aside(image: Image, place: NDArray[np.float64]) -> Image:
    """Move the four corners apart, as a head that turns and nods does."""
    far = FACE_SIZE - 1
    corners = np.array([[0, 0], [far, 0], [0, far], [far, far]], np.float32)
    moved = corners + 2.0 * place.reshape(4, 2).astype(np.float32)
    view = cv2.getPerspectiveTransform(moved, corners)
    size = (FACE_SIZE, FACE_SIZE)
    seen = cv2.warpPerspective(image, view, size, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(seen, np.float32)


def _smear(image: Image, strength: float, _: np.random.Generator) -> Image:
    """Motion along a line while the shutter is open."""
    length = 2 + round(9 * strength)
    kernel = np.eye(length, dtype=np.float32)
    if image[0, 0] > image[0, -1]:
        kernel = np.zeros_like(kernel)
        kernel[length // 2] = 1
    return np.asarray(cv2.filter2D(image, -1, kernel / length), np.float32)


def _shade(image: Image, strength: float, _: np.random.Generator) -> Image:
    """Light from one side."""
    ramp = np.linspace(1.0, 1.0 - 0.95 * strength, FACE_SIZE, dtype=np.float32)
    return np.asarray(image * (ramp if image[0, 0] > image[0, -1] else ramp[::-1]), np.float32)


def _lose_pixels(image: Image, strength: float, random: np.random.Generator) -> Image:
    """Single pixels black or white."""
    lost = random.random(image.shape) < 0.2 * strength
    return np.where(lost, random.choice([0.0, 255.0], image.shape), image).astype(np.float32)


def _coarsen(image: Image, strength: float, _: np.random.Generator) -> Image:
    """A face of few pixels, enlarged."""
    side = round(FACE_SIZE - 36 * strength)
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_NEAREST)
    return np.asarray(large, np.float32)


def _displace_rows(image: Image, strength: float, random: np.random.Generator) -> Image:
    """A band of rows from elsewhere, as after a lost packet."""
    rows = 2 + round(14 * strength)
    top = int(random.integers(FACE_SIZE - rows))
    torn = image.copy()
    torn[top : top + rows] = np.roll(torn[top : top + rows], int(random.integers(8, 40)), axis=1)
    return torn


OTHER = Disturbance(
    "other",
    8,
    _look_aside,
    {
        "torn rows": _displace_rows,
        "motion": _smear,
        "shade": _shade,
        "lost pixels": _lose_pixels,
        "coarse pixels": _coarsen,
    },
)
"""Perspective, torn rows, motion blur, light from a side, lost pixels, coarse pixels."""
