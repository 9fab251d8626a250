"""The overlay: a box and "Happy 92%" on every face, readable at any resolution."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.labels import EMOTIONS
from mien.core.types import Box, FaceEmotion

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

# Of each icon: how far the brows' inner ends hang down, the eyes' radius, how far the mouth's
# corners go up, and how far it is open; in radii.
_ICONS = MappingProxyType(
    {
        "angry": (0.14, 0.11, -0.2, 0.0),
        "disgust": (0.1, 0.08, -0.3, 0.0),
        "fear": (-0.12, 0.17, 0.0, 0.14),
        "happy": (0.0, 0.12, 0.4, 0.0),
        "sad": (-0.14, 0.1, -0.36, 0.0),
        "surprise": (0.0, 0.17, 0.0, 0.28),
        "neutral": (0.0, 0.12, 0.0, 0.0),
    }
)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SCALE_AT_540 = 0.7
_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)


def label_of(face: FaceEmotion) -> str:
    """Return what the overlay says of a face: `Happy 92%`, or `Happy? 41%` if it is uncertain."""
    return f"{face.emotion.capitalize()}{'?' if face.uncertain else ''} {face.confidence:.0%}"


def draw_faces(image_bgr: NDArray[np.uint8], faces: Sequence[FaceEmotion]) -> None:
    """Draw every face's box and label, with a little face as icon, into the picture itself.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        faces: Faces in the pixels of that picture.
    """
    line = _line_width(image_bgr)
    for face in faces:
        colour = colour_of(face)
        corner = (round(face.box.x), round(face.box.y))
        opposite = (round(face.box.right), round(face.box.bottom))
        # A dark rim keeps the box visible on a picture of its own colour.
        cv2.rectangle(image_bgr, corner, opposite, _BLACK, 2 * line)
        cv2.rectangle(image_bgr, corner, opposite, colour, line)
    # After all boxes, none of which may cross out the label of a neighbour.
    for face in faces:
        left, bottom = round(face.box.x) - line, round(face.box.y) - line
        draw_text(image_bgr, label_of(face), left, bottom, colour_of(face), face.emotion)


def draw_bars(image_bgr: NDArray[np.uint8], face: FaceEmotion, occupied: Sequence[Box] = ()) -> Box:
    """Draw a bar for each emotion beside a face, in place.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        face: A face in the pixels of that picture.
        occupied: What they are to cover as little of as they can: other faces, other faces' bars.

    Returns:
        Where they are.
    """
    size = _size(image_bgr)
    row, name_width, bar_width = round(19 * size), round(76 * size), round(72 * size)
    panel_width, panel_height = name_width + bar_width + 2 * _pad(size), 7 * row + 2 * _pad(size)
    panel = _freest_place(image_bgr, face.box, panel_width, panel_height, [face.box, *occupied])
    left, top = round(panel.x), round(panel.y)
    _darken(image_bgr[top : top + panel_height, left : left + panel_width], 4)
    left, top = left + _pad(size), top + _pad(size)
    for emotion, share in zip(EMOTIONS, face.probabilities, strict=True):
        baseline = top + round(0.75 * row)
        _write(image_bgr, emotion, (left, baseline), 0.45 * size, _WHITE)
        corner = (left + name_width, top + round(0.2 * row))
        opposite = (corner[0] + round(bar_width * float(share)), top + round(0.85 * row))
        cv2.rectangle(image_bgr, corner, opposite, COLOURS[emotion], cv2.FILLED)
        top += row
    return panel


def _freest_place(
    image_bgr: NDArray[np.uint8], box: Box, width: int, height: int, occupied: Sequence[Box]
) -> Box:
    """Where a panel covers least of what is occupied: right of a box, left, below or above it."""
    rows, columns = image_bgr.shape[:2]
    gap = 2 * _pad(_size(image_bgr))
    label = round(32 * _size(image_bgr))
    corners = (
        (box.right + gap, box.y),
        (box.x - width - gap, box.y),
        (box.x, box.bottom + gap),
        (box.x, box.y - label - height - gap),
    )
    places = [
        Box(
            max(min(round(x), columns - width), 0),
            max(min(round(y), rows - height), 0),
            width,
            height,
        )
        for x, y in corners
    ]
    return min(places, key=lambda place: sum(place.shared_area(other) for other in occupied))


def draw_panel(image_bgr: NDArray[np.uint8], rows: Sequence[tuple[str, str]]) -> None:
    """Write rows of two columns in the middle of a picture that is darkened there, in place.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        rows: Pairs of ASCII texts.
    """
    height, width = image_bgr.shape[:2]
    # Text of 0.6 grows with its scale, all but exactly: what does not fit is written smaller.
    widest = [max(cv2.getTextSize(row[i], _FONT, 0.6, 1)[0][0] for row in rows) for i in (0, 1)]
    size = min(_size(image_bgr), width / (sum(widest) + 9 * _pad(1)))
    columns = [size * column for column in widest]
    row_height, pad = round(26 * size), _pad(size)
    panel_width = min(round(sum(columns)) + 9 * pad, width)
    panel_height = min(row_height * len(rows) + 4 * pad, height)
    left, top = (width - panel_width) // 2, (height - panel_height) // 2
    # Darker than bars, whose white text may lie below.
    _darken(image_bgr[top : top + panel_height, left : left + panel_width], 12)
    for number, row in enumerate(rows, start=1):
        baseline = top + pad + number * row_height
        for text, right in zip(row, (3 * pad, round(columns[0]) + 6 * pad), strict=True):
            _write(image_bgr, text, (left + right, baseline), 0.6 * size, _WHITE)


def draw_icon(
    image_bgr: NDArray[np.uint8], emotion: str, centre: tuple[int, int], radius: int
) -> None:
    """Draw a little black face that shows an emotion, in place.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        emotion: One of `mien.EMOTIONS`.
        centre: Its centre, x and y in pixels.
        radius: Its radius in pixels.
    """
    brow_tilt, eye, mouth_bend, mouth_open = _ICONS[emotion]
    thickness = max(radius // 6, 1)
    x, y = centre

    def at(right: float, down: float) -> tuple[int, int]:
        return round(x + right * radius), round(y + down * radius)

    cv2.circle(image_bgr, centre, radius, _BLACK, thickness, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.circle(image_bgr, at(0.38 * side, -0.12), max(round(eye * radius), 1), _BLACK, -1)
        outer, inner = at(0.62 * side, -0.45 - brow_tilt), at(0.2 * side, -0.45 + brow_tilt)
        cv2.line(image_bgr, outer, inner, _BLACK, thickness, cv2.LINE_AA)
    if mouth_open:
        axes = (round(0.25 * radius), round(mouth_open * radius))
        cv2.ellipse(image_bgr, at(0, 0.5), axes, 0, 0, 360, _BLACK, -1, cv2.LINE_AA)
        return
    across = np.linspace(-0.45, 0.45, 7)
    down = 0.45 + mouth_bend * (0.5 - (across / 0.45) ** 2)
    mouth = np.array([at(right, height) for right, height in zip(across, down, strict=True)])
    cv2.polylines(image_bgr, [mouth.astype(np.int32)], False, _BLACK, thickness, cv2.LINE_AA)


def draw_text(
    image_bgr: NDArray[np.uint8],
    text: str,
    left: int,
    bottom: int,
    background: Colour,
    icon: str | None = None,
) -> None:
    """Write a line on a filled rectangle, in place.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        text: ASCII; OpenCV's fonts have nothing else.
        left: The rectangle's left edge in pixels; moved until the line lies in the picture.
        bottom: Its bottom edge in pixels; moved likewise.
        background: Its colour; the text is black or white, whichever stands out.
        icon: An emotion whose icon goes before the line.
    """
    height, width = image_bgr.shape[:2]
    line = _line_width(image_bgr)
    font_scale = _SCALE_AT_540 * _size(image_bgr)
    thickness = max(line // 2, 1)
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, font_scale, thickness)
    box_height = text_height + baseline + 2 * line
    icon_width = box_height if icon else 0
    box_width = text_width + 4 * line + icon_width
    left = max(min(left, width - box_width), 0)
    bottom = min(max(bottom, box_height), height)
    corner, opposite = (left, bottom - box_height), (left + box_width - 1, bottom - 1)
    cv2.rectangle(image_bgr, corner, opposite, background, cv2.FILLED)
    ink = _BLACK if _luminance(background) > 110 else _WHITE
    if icon:
        middle = (left + box_height // 2 + line, bottom - box_height // 2)
        cv2.circle(image_bgr, middle, round(0.42 * box_height), _WHITE, cv2.FILLED, cv2.LINE_AA)
        draw_icon(image_bgr, icon, middle, round(0.42 * box_height))
    place = (left + 2 * line + icon_width, bottom - baseline)
    cv2.putText(image_bgr, text, place, _FONT, font_scale, ink, thickness, cv2.LINE_AA)


def colour_of(face: FaceEmotion) -> Colour:
    """Return the colour that a face is drawn in: its emotion's, grey where that is uncertain."""
    return UNCERTAIN_COLOUR if face.uncertain else COLOURS[face.emotion]


def _write(
    image_bgr: NDArray[np.uint8], text: str, place: tuple[int, int], scale: float, ink: Colour
) -> None:
    cv2.putText(image_bgr, text, place, _FONT, scale, ink, max(round(scale), 1), cv2.LINE_AA)


def _darken(area: NDArray[np.uint8], divisor: int) -> None:
    area[:] = area // divisor


def _pad(size: float) -> int:
    return round(6 * size)


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
