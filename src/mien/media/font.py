"""The font of the overlay: text as coverage, sharp at every size.

OpenCV's own letters are strokes of 1967 and ASCII only, and a library for fonts is 22 MB. The font
is Inter SemiBold (SIL Open Font License 1.1), whose outlines `scripts/make_font.py` turned into
polygons. It has Latin, Greek and Cyrillic letters. A character that it lacks, such as those of
Chinese, Japanese and Korean, is an empty box.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

LINE_HEIGHT = 1.5
"""The height of a line of text in ems."""

_BASELINE = 1.11  # from the top of the line, so that capitals stand in its middle
_SUBPIXELS = 4  # a pixel's coverage is counted in 4 x 4 of its parts


_PHASES = 4  # a letter begins at a quarter of a pixel
_OVERHANG = 0.25  # how far a letter may reach out of its advance, in ems


@dataclass(frozen=True, slots=True)
class _Glyph:
    advance: float  # in ems
    contours: tuple[NDArray[np.float32], ...]  # (P, 2) each, in ems from the baseline


def _rectangle(left: float, top: float, right: float, bottom: float) -> NDArray[np.float32]:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


_MISSING = _Glyph(0.7, (_rectangle(0.08, -0.73, 0.62, 0.0), _rectangle(0.15, -0.66, 0.55, -0.07)))


@cache
def _glyphs() -> dict[str, _Glyph]:
    asset = resources.files("mien.assets").joinpath("inter_semibold.npz")
    with asset.open("rb") as file, np.load(file) as font:
        em = float(font["em"])
        contours = np.split(font["points"].astype(np.float32) / em, font["point_ends"][:-1])
        ends = [0, *font["contour_ends"].tolist()]
        return {
            chr(codepoint): _Glyph(advance / em, tuple(contours[start:end]))
            for codepoint, advance, start, end in zip(
                font["codepoints"].tolist(), font["advances"].tolist(), ends, ends[1:], strict=False
            )
        }


def _glyph(character: str) -> _Glyph:
    return _glyphs().get(character, _MISSING)


@lru_cache(4096)
def _letters(text: str) -> str:
    """The text with its accents in its letters, and without what has no width."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(c for c in composed if unicodedata.category(c) not in ("Mn", "Me", "Cc", "Cf"))


@lru_cache(4096)
def text_width(text: str) -> float:
    """Return the width of a line of text in ems."""
    return sum(_glyph(letter).advance for letter in _letters(text))


def text_coverage(text: str, em_px: int) -> NDArray[np.uint8]:
    """Return how much of each pixel a line of text covers, 0 to 255.

    Args:
        text: Any text.
        em_px: Size of the letters in pixels, at least 1.

    Returns:
        (H, W) uint8, `LINE_HEIGHT` high and `text_width` wide, in ems; both are rounded up.
    """
    margin = _overhang_px(em_px)
    width = math.ceil(text_width(text) * em_px)
    line = np.zeros((math.ceil(LINE_HEIGHT * em_px), width + 2 * margin + em_px), np.uint8)
    x = 0.0
    for letter in _letters(text):
        left, phase = divmod(round(x * em_px * _PHASES), _PHASES)
        coverage = _letter_coverage(letter, em_px, phase)
        place = line[:, left : left + coverage.shape[1]]
        np.maximum(place, coverage[:, : place.shape[1]], out=place)
        x += _glyph(letter).advance
    return line[:, margin : margin + width]


@lru_cache(4096)
def _letter_coverage(letter: str, em_px: int, phase: int) -> NDArray[np.uint8]:
    """A letter as coverage, with a margin on either side; moved to the right by `phase`."""
    glyph, margin = _glyph(letter), _overhang_px(em_px)
    height = math.ceil(LINE_HEIGHT * em_px)
    width = math.ceil(glyph.advance * em_px) + 2 * margin + 1
    fine = np.zeros((_SUBPIXELS * height, _SUBPIXELS * width), np.uint8)
    if glyph.contours:
        origin = np.array((margin + phase / _PHASES, _BASELINE * em_px), np.float32)
        # In sixteenths of a subpixel, whose centre counts.
        points = [
            np.rint((contour * em_px + origin) * 16 * _SUBPIXELS - 8).astype(np.int32)
            for contour in glyph.contours
        ]
        cv2.fillPoly(fine, points, 255, cv2.LINE_8, shift=4)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _overhang_px(em_px: int) -> int:
    return math.ceil(_OVERHANG * em_px)
