"""Make the page's sample pictures and icons.

    python scripts/make_sample_pictures.py        (needs the extra `dev`)

The photograph is scikit-image's of the astronaut Eileen Collins (NASA, public domain); the video's
picture is a frame of `src/mien/assets/demo.mp4`. The group of six and the icons are drawn here for
mien. Everything lies in `web/`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut

REPOSITORY = Path(__file__).parents[1]
SAMPLES = REPOSITORY / "web" / "samples"
ICONS = REPOSITORY / "web" / "public"
DEMO = REPOSITORY / "src" / "mien" / "assets" / "demo.mp4"

Colour = tuple[int, int, int]
Floats = NDArray[np.float64]

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 85]
# BGR.
_PAPER, _INK, _TEAL = (239, 244, 246), (23, 26, 28), (91, 96, 23)


@dataclass(frozen=True, slots=True)
class Expression:
    """How a drawn face looks, in parts of the picture's side.

    Attributes:
        mouth: How far the corners go up; less than 0 is down.
        mouth_width: Against a calm mouth's.
        mouth_open: How far it is open.
        teeth: Whether they show.
        eyes: How far the eyes are open, against calm ones.
        brows: How far the brows' inner ends come down; less than 0 is up.
        brows_up: How far the brows are raised.
    """

    mouth: float = 0.0
    mouth_width: float = 1.0
    mouth_open: float = 0.0
    teeth: bool = False
    eyes: float = 1.0
    brows: float = 0.0
    brows_up: float = 0.0


# Drawn as far as it takes for people and the network alike. BGR colours of skin, hair and shirt.
PEOPLE = (
    (
        Expression(
            mouth=0.064,
            mouth_width=1.33,
            mouth_open=0.024,
            teeth=True,
            eyes=0.5,
            brows=-0.026,
            brows_up=0.023,
        ),
        ((170, 195, 230), (40, 50, 70), (110, 140, 60)),
    ),
    (
        Expression(mouth_open=0.13, mouth_width=0.55, eyes=1.5, brows_up=0.04),
        ((120, 150, 200), (20, 20, 25), (60, 110, 200)),
    ),
    (
        Expression(mouth=0.007, mouth_width=1.08, eyes=0.55, brows=0.024, brows_up=-0.012),
        ((70, 100, 150), (15, 15, 20), (150, 130, 90)),
    ),
    (
        Expression(mouth=-0.065, mouth_width=1.18, eyes=0.45, brows=-0.107, brows_up=-0.02),
        ((190, 210, 240), (70, 130, 190), (160, 120, 100)),
    ),
    (
        Expression(mouth=-0.043, mouth_width=0.98, eyes=1.07, brows=0.094, brows_up=-0.05),
        ((95, 125, 175), (30, 35, 60), (90, 80, 150)),
    ),
    (
        Expression(
            mouth=-0.026,
            mouth_width=1.18,
            mouth_open=0.028,
            eyes=1.1,
            brows=-0.1,
            brows_up=0.005,
        ),
        ((150, 180, 220), (40, 60, 130), (70, 150, 170)),
    ),
)


def draw_group() -> NDArray[np.uint8]:
    """Return a picture, (576, 1024, 3) uint8 BGR: six drawn people in two rows."""
    rows = np.linspace(1.0, 0.86, 576)[:, np.newaxis, np.newaxis]
    wall = (np.array((205, 212, 216)) * rows * np.ones((1, 1024, 1))).astype(np.uint8)
    for i, (expression, colours) in enumerate(PEOPLE):
        top, left = (i // 3) * 288, 40 + (i % 3) * 330
        place = wall[top : top + 288, left : left + 288]
        place[:] = Drawing(place, colours).person(expression)
    return wall


class Drawing:
    """A drawing of a person, at four times the size at which it is shown.

    Args:
        background_bgr: (side, side, 3) uint8: what is behind them.
        colours: Of skin, hair and shirt, BGR.
    """

    def __init__(self, background_bgr: NDArray[np.uint8], colours: tuple[Colour, ...]) -> None:
        self._shown = background_bgr.shape[0]
        self._side = 4 * self._shown
        self._skin, self._hair, self._shirt = colours
        size = (self._side, self._side)
        self._picture = np.asarray(cv2.resize(background_bgr, size), np.uint8)

    def person(self, expression: Expression) -> NDArray[np.uint8]:
        """Return the person, (side, side, 3) uint8 BGR."""
        self._head()
        self._eyes(expression)
        self._nose()
        self._cheeks(expression)
        self._mouth(expression)
        soft = cv2.GaussianBlur(self._picture, (0, 0), 3)
        size = (self._shown, self._shown)
        return np.asarray(cv2.resize(soft, size, interpolation=cv2.INTER_AREA), np.uint8)

    def _head(self) -> None:
        self._ellipse((0.5, 1.12), (0.42, 0.3), self._shirt)
        neck = (self._at(0.42, 0.75), self._at(0.58, 0.9))
        cv2.rectangle(self._picture, *neck, shade(self._skin, 0.82), cv2.FILLED)
        self._ellipse((0.5, 0.42), (0.3, 0.36), self._hair)
        for side in (-1, 1):
            self._ellipse((0.5 + side * 0.25, 0.5), (0.04, 0.07), shade(self._skin, 0.9))
        # Light from the upper left.
        down, across = np.mgrid[0 : self._side, 0 : self._side] / self._side
        light = 1.04 - 2 * ((across - 0.46) ** 2 + (down - 0.42) ** 2)
        lit = np.clip(np.array(self._skin) * light[..., np.newaxis], 0, 255)
        face = self._mask()
        cv2.ellipse(
            face, self._at(0.5, 0.5), self._at(0.245, 0.33), 0, 0, 360, 255, -1, cv2.LINE_AA
        )
        self._blend(face, lit)
        fringe = self._mask()
        centre, axes = self._at(0.5, 0.33), self._at(0.262, 0.19)
        cv2.ellipse(fringe, centre, axes, 0, 180, 360, 255, -1, cv2.LINE_AA)
        centre, axes = self._at(0.5, 0.36), self._at(0.23, 0.1)
        cv2.ellipse(fringe, centre, axes, 0, 180, 360, 0, -1, cv2.LINE_AA)
        self._blend(fringe, np.array(self._hair, np.float64))

    def _eyes(self, expression: Expression) -> None:
        dark = shade(self._skin, 0.78)
        shadows = self._mask()
        for side in (-1, 1):
            centre = self._at(0.5 + side * 0.105, 0.455)
            cv2.ellipse(shadows, centre, self._at(0.075, 0.05), 0, 0, 360, 140, -1, cv2.LINE_AA)
        soft = np.asarray(cv2.GaussianBlur(shadows, (0, 0), self._side * 0.012), np.uint8)
        self._blend(soft, np.array(dark, np.float64))
        for side in (-1, 1):
            self._eye(0.5 + side * 0.105, 0.46, expression.eyes)
            self._brow(side, expression)

    def _eye(self, x: float, y: float, opened: float) -> None:
        centre, axes = self._at(x, y), self._at(0.058, 0.03 * opened)
        white = self._mask()
        cv2.ellipse(white, centre, axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
        ball = np.full_like(self._picture, 245)
        for radius, colour in ((0.028, (70, 80, 60)), (0.015, (10, 10, 10))):
            cv2.circle(ball, centre, self._px(radius), colour, -1, cv2.LINE_AA)
        glint = self._at(x - 0.008, y - 0.01)
        cv2.circle(ball, glint, self._px(0.006), (255, 255, 255), -1, cv2.LINE_AA)
        self._blend(white, ball.astype(np.float64))
        lash, lid = (30, 30, 40), shade(self._skin, 0.6)
        width = self._px(0.009)
        cv2.ellipse(self._picture, centre, axes, 0, 180, 360, lash, width, cv2.LINE_AA)
        cv2.ellipse(self._picture, centre, axes, 0, 15, 165, lid, self._px(0.004), cv2.LINE_AA)

    def _brow(self, side: int, expression: Expression) -> None:
        up, tilt = expression.brows_up, expression.brows
        points = (
            (0.5 + side * 0.05, 0.385 - up + tilt * 0.5),
            (0.5 + side * 0.11, 0.355 - up),
            (0.5 + side * 0.175, 0.39 - up * 0.6 - tilt * 0.3),
        )
        self._line(points, shade(self._hair, 0.8), 0.022)

    def _nose(self) -> None:
        points = ((0.49, 0.47), (0.47, 0.57), (0.475, 0.59), (0.5, 0.6), (0.525, 0.59))
        self._line(points, shade(self._skin, 0.74), 0.01)
        for side in (-1, 1):
            self._ellipse((0.5 + side * 0.02, 0.597), (0.009, 0.005), shade(self._skin, 0.42))

    def _cheeks(self, expression: Expression) -> None:
        """The folds from the nose to the corners of a mouth that smiles."""
        if expression.mouth <= 0.03:
            return
        for side in (-1, 1):
            points = [(0.5 + side * x, y) for x, y in ((0.055, 0.585), (0.1, 0.61), (0.135, 0.67))]
            self._line(points, shade(self._skin, 0.8), 0.008)

    def _mouth(self, expression: Expression) -> None:
        t = np.linspace(-1, 1, 41)
        arch = 1 - t**2
        x = 0.5 + 0.095 * expression.mouth_width * t
        # A smile lifts all of it.
        middle = 0.7 - 0.25 * max(expression.mouth, 0) + expression.mouth * (0.5 - t**2)
        smile = max(expression.mouth, 0) * 0.55 if expression.teeth else 0.0
        upper = middle - (0.45 * expression.mouth_open + 0.012) * arch
        lower = middle + (0.55 * expression.mouth_open + 0.018 + smile) * arch
        self._between(x, upper, lower, (95, 95, 190))
        if not (expression.teeth or expression.mouth_open):
            parting = list(zip(x, (upper + lower) / 2, strict=True))
            self._line(parting, (50, 40, 110), 0.006)
            return
        upper, lower = upper + 0.016 * arch, lower - 0.02 * arch
        is_open = lower > upper + 0.002
        if not is_open.any():
            return
        inside = (240, 240, 240) if expression.teeth else (35, 25, 60)
        self._between(x[is_open], upper[is_open], lower[is_open], inside)

    def _between(self, x: Floats, upper: Floats, lower: Floats, colour: Colour) -> None:
        outline = [*zip(x, upper, strict=True), *zip(x[::-1], lower[::-1], strict=True)]
        points = np.array([self._at(*point) for point in outline], np.int32)
        cv2.fillPoly(self._picture, [points], colour, cv2.LINE_AA)

    def _line(self, points: Sequence[tuple[float, float]], colour: Colour, width: float) -> None:
        line = np.array([self._at(*point) for point in points], np.int32)
        cv2.polylines(self._picture, [line], False, colour, self._px(width), cv2.LINE_AA)

    def _ellipse(
        self, centre: tuple[float, float], axes: tuple[float, float], colour: Colour
    ) -> None:
        places = (self._at(*centre), self._at(*axes))
        cv2.ellipse(self._picture, *places, 0, 0, 360, colour, cv2.FILLED, cv2.LINE_AA)

    def _mask(self) -> NDArray[np.uint8]:
        return np.zeros((self._side, self._side), np.uint8)

    def _blend(self, mask: NDArray[np.uint8], colours: Floats) -> None:
        """Lay colours over the picture, as much as the mask says."""
        share = mask[..., np.newaxis] / 255
        self._picture = (self._picture * (1 - share) + colours * share).astype(np.uint8)

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return int(x * self._side), int(y * self._side)

    def _px(self, part: float) -> int:
        return int(part * self._side)


def shade(colour: Colour, factor: float) -> Colour:
    """Return a colour made darker, or lighter above 1."""
    blue, green, red = (int(min(value * factor, 255)) for value in colour)
    return blue, green, red


def draw_icon(side: int, face_share: float) -> NDArray[np.uint8]:
    """Return the icon, (side, side, 3) uint8 BGR: a calm face within the corners of a frame.

    Args:
        side: In pixels.
        face_share: The part of the side that the drawing takes; launchers cut off the rest.
    """
    scale = 4
    size = side * scale
    icon = np.full((size, size, 3), _TEAL, np.uint8)
    middle, reach = size // 2, round(size * face_share / 2)
    thick = round(reach * 0.16)
    corner = round(reach * 0.5)
    for x in (-1, 1):
        for y in (-1, 1):
            at = (middle + x * reach, middle + y * reach)
            cv2.line(icon, at, (at[0] - x * corner, at[1]), _PAPER, thick, cv2.LINE_AA)
            cv2.line(icon, at, (at[0], at[1] - y * corner), _PAPER, thick, cv2.LINE_AA)
        eye = (middle + round(x * reach * 0.36), middle - round(reach * 0.22))
        cv2.circle(icon, eye, round(reach * 0.13), _PAPER, cv2.FILLED, cv2.LINE_AA)
    smile = (round(reach * 0.46), round(reach * 0.36))
    centre = (middle, middle + round(reach * 0.16))
    cv2.ellipse(icon, centre, smile, 0, 20, 160, _PAPER, thick, cv2.LINE_AA)
    return cv2.resize(icon, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)


def frame_of_demo(seconds: float) -> NDArray[np.uint8]:
    """Return the frame of the demo video at a time, (H, W, 3) uint8 BGR."""
    video = cv2.VideoCapture(str(DEMO))
    video.set(cv2.CAP_PROP_POS_MSEC, seconds * 1000)
    _, image_bgr = video.read()
    video.release()
    return np.asarray(image_bgr, np.uint8)


def main() -> None:
    """Write the pictures and say where they are."""
    photograph = np.ascontiguousarray(astronaut()[..., ::-1])
    SAMPLES.mkdir(exist_ok=True)
    ICONS.mkdir(exist_ok=True)
    pictures = {
        "photograph": photograph,
        "people": draw_group(),
        "clip": frame_of_demo(math.pi),
    }
    for name, image_bgr in pictures.items():
        cv2.imwrite(str(SAMPLES / f"{name}.jpg"), image_bgr, _QUALITY)
    for name, side, share in (("icon-192", 192, 0.62), ("icon-512", 512, 0.62)):
        cv2.imwrite(str(ICONS / f"{name}.png"), draw_icon(side, share))
    cv2.imwrite(str(ICONS / "icon-maskable.png"), draw_icon(512, 0.48))
    print(f"Wrote {len(pictures)} pictures to {SAMPLES} and 3 icons to {ICONS}.")


if __name__ == "__main__":
    main()
