"""The overlay: a box and "Happy 92%" on every face, readable at any resolution."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.types import FaceEmotion

Colour = tuple[int, int, int]

# The palette of Okabe and Ito (2008), which colour-blind people can tell apart, in BGR.
COLOURS = MappingProxyType(
    {
        "angry": (0, 94, 213),
        "disgust": (115, 158, 0),
        "fear": (167, 121, 204),
        "happy": (66, 228, 240),
        "sad": (178, 114, 0),
        "surprise": (0, 159, 230),
        "neutral": (233, 180, 86),
    }
)
"""The colour of each emotion, (blue, green, red)."""

UNCERTAIN_COLOUR: Colour = (190, 190, 190)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SCALE_AT_540 = 0.7
_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)


def label_of(face: FaceEmotion) -> str:
    """Return what the overlay says of a face: `Happy 92%`, or `Happy? 41%` if it is uncertain."""
    return f"{face.emotion.capitalize()}{'?' if face.uncertain else ''} {face.confidence:.0%}"


def draw_faces(image_bgr: NDArray[np.uint8], faces: Iterable[FaceEmotion]) -> None:
    """Draw every face's box and label into the picture itself.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        faces: Faces in the pixels of that picture.
    """
    line = _line_width(image_bgr)
    for face in faces:
        colour = UNCERTAIN_COLOUR if face.uncertain else COLOURS[face.emotion]
        corner = (round(face.box.x), round(face.box.y))
        opposite = (round(face.box.right), round(face.box.bottom))
        # A dark rim keeps the box visible on a picture of its own colour.
        cv2.rectangle(image_bgr, corner, opposite, _BLACK, 2 * line)
        cv2.rectangle(image_bgr, corner, opposite, colour, line)
        draw_text(image_bgr, label_of(face), corner[0] - line, corner[1] - line, colour)


def draw_fps(image_bgr: NDArray[np.uint8], fps: float) -> None:
    """Write the frame rate into the picture's upper left corner, in place."""
    draw_text(image_bgr, f"{fps:.0f} FPS", 0, 0, _BLACK)


def draw_text(
    image_bgr: NDArray[np.uint8], text: str, left: int, bottom: int, background: Colour
) -> None:
    """Write a line on a filled rectangle, in place.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        text: ASCII; OpenCV's fonts have nothing else.
        left: The rectangle's left edge in pixels; moved until the line lies in the picture.
        bottom: Its bottom edge in pixels; moved likewise.
        background: Its colour; the text is black or white, whichever stands out.
    """
    height, width = image_bgr.shape[:2]
    line = _line_width(image_bgr)
    font_scale = _SCALE_AT_540 * _size(image_bgr)
    thickness = max(line // 2, 1)
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, font_scale, thickness)
    box_width, box_height = text_width + 4 * line, text_height + baseline + 2 * line
    left = max(min(left, width - box_width), 0)
    bottom = min(max(bottom, box_height), height)
    corner, opposite = (left, bottom - box_height), (left + box_width - 1, bottom - 1)
    cv2.rectangle(image_bgr, corner, opposite, background, cv2.FILLED)
    cv2.putText(
        image_bgr,
        text,
        (left + 2 * line, bottom - baseline),
        _FONT,
        font_scale,
        _BLACK if _luminance(background) > 110 else _WHITE,
        thickness,
        cv2.LINE_AA,
    )


def _line_width(image_bgr: NDArray[np.uint8]) -> int:
    """Return the width of a box's line in pixels: 2 up to 540 rows, 4 at 1080."""
    return round(2 * _size(image_bgr))


def _size(image_bgr: NDArray[np.uint8]) -> float:
    """Return the picture's shorter side in units of 540 pixels, at least 1: less is unreadable."""
    height, width = image_bgr.shape[:2]
    return max(float(min(height, width)) / 540, 1.0)


def _luminance(colour: Colour) -> float:
    blue, green, red = colour
    return float(0.114 * blue + 0.587 * green + 0.299 * red)
