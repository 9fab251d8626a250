"""What is written at a face, and the tile that it is written on."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.types import FaceEmotion
from mien.media.colours import Colour, is_dark
from mien.media.font import LINE_HEIGHT, text_coverage, text_width
from mien.media.icons import draw_icon

# What the overlay calls the limits of the quality gate that a face missed.
_FAULTS = MappingProxyType(
    {
        "min_side_px": "small",
        "min_inside": "cut off",
        "min_brightness": "dark",
        "max_brightness": "bright",
        "min_contrast": "pale",
        "min_sharpness": "blurred",
        "max_sharpness": "noisy",
        "max_yaw_degrees": "turned",
        "max_pitch_degrees": "up or down",
        "min_likeness": "no face?",
        "min_confidence": "doubtful",
    }
)

_MOST_LETTERS = 24  # of a name that is drawn

_PAD = 0.45  # left and right of the text, in ems
_ICON = 1.35  # width of an icon, in ems


def label_of(face: FaceEmotion) -> str:
    """Return what the overlay says of a face: `Happy 92%`, or `Happy? 41% blurred` if uncertain.

    Of several reasons, the first one is named.
    """
    label = short_label_of(face)
    if not face.missed_limits:
        return label
    limit = face.missed_limits[0].limit
    return f"{label} {_FAULTS.get(limit, limit.partition('_')[2].replace('_', ' '))}"


def short_label_of(face: FaceEmotion) -> str:
    """Return `label_of` without the reason."""
    name = face.emotion[:1].upper() + face.emotion[1:]
    return f"{name}{'?' if face.uncertain else ''} {face.confidence:.0%}"


def drawn_labels_of(face: FaceEmotion, *, with_number: bool) -> tuple[str, ...]:
    """Return what may be drawn at a face, the best first, the shortest last.

    A long name is cut: in a small picture it would push the percentage out.

    Args:
        face: The face.
        with_number: Whether labels begin with its `track_id`, if it is followed, where there is
            room.
    """
    if len(face.emotion) > _MOST_LETTERS:
        face = replace(face, emotion=face.emotion[: _MOST_LETTERS - 1].rstrip() + "…")
    labels = [label_of(face), short_label_of(face)]
    if with_number and face.track_id:
        labels = [*(f"#{face.track_id} {label}" for label in labels), labels[-1]]
    return tuple(dict.fromkeys(labels))


def tile_size(text: str, em_px: int, *, icon: bool = False) -> tuple[int, int]:
    """Return width and height of the tile that a line is written on, in pixels.

    Args:
        text: The line.
        em_px: Size of its letters in pixels.
        icon: Whether a little face goes before it.
    """
    height = math.ceil(LINE_HEIGHT * em_px)
    ems = text_width(text) + 2 * _PAD + (_ICON if icon else 0.0)
    # Never narrower than a square: a number is written on one.
    return max(math.ceil(ems * em_px), height), height


@lru_cache(256)
def tile(text: str, em_px: int, background: Colour, icon: str | None = None) -> NDArray[np.uint8]:
    """Return a line written on its tile: (H, W, 3) uint8, BGR, of `tile_size`; read-only.

    Args:
        text: The line.
        em_px: Size of its letters in pixels.
        background: The tile's colour; the text is black or white, whichever stands out.
        icon: An emotion whose icon goes before the line.
    """
    width, height = tile_size(text, em_px, icon=icon is not None)
    picture = np.full((height, width, 3), background, np.uint8)
    left = math.ceil((_PAD + (_ICON if icon else 0.0)) * em_px)
    if icon:
        middle, radius = (math.ceil((_PAD / 2 + _ICON / 2) * em_px), height // 2), 0.4 * height
        cv2.circle(picture, middle, round(radius), (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
        draw_icon(picture, icon, middle, round(radius))
    else:
        left = (width - math.ceil(text_width(text) * em_px)) // 2
    write(picture, text, left, 0, em_px, (255, 255, 255) if is_dark(background) else (0, 0, 0))
    picture.flags.writeable = False
    return picture


def write(
    image_bgr: NDArray[np.uint8], text: str, left: int, top: int, em_px: int, ink: Colour
) -> None:
    """Write a line into a picture, in place; what lies right of it or below is left out.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        text: The line.
        left: Where it begins, in pixels; at least 0.
        top: Where it begins, in pixels; at least 0. It is `mien.media.font.LINE_HEIGHT` ems high.
        em_px: Size of its letters in pixels.
        ink: Its colour.
    """
    height, width = image_bgr.shape[:2]
    coverage = text_coverage(text, em_px)[: max(height - top, 0), : max(width - left, 0)]
    area = image_bgr[top : top + coverage.shape[0], left : left + coverage.shape[1]]
    share = coverage[..., None].astype(np.uint16)
    area[:] = (area * (255 - share) + np.array(ink, np.uint16) * share + 127) // 255
