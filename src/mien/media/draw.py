"""The overlay: a box and "Happy 92%" on every face, readable at any resolution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box, FaceEmotion
from mien.media.colours import Colour, colour_of, colours_of
from mien.media.font import LINE_HEIGHT, text_width
from mien.media.icons import ICONS
from mien.media.labels import drawn_labels_of, tile, tile_size, write
from mien.media.layout import Caption, Legend, Spots, lay_out, line_px, picture_scale

# Sizes of letters in a picture whose shorter side is 540 pixels.
_LINE_EM = 18
_PANEL_EM = 16
_BARS_EM = 13
_LONGEST_NAME = 16  # characters of a label beside its bar
_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)


def draw_faces(
    image_bgr: NDArray[np.uint8],
    faces: Sequence[FaceEmotion],
    occupied: Sequence[Box] = (),
    spots: Spots | None = None,
) -> None:
    """Draw every face's box and label, with a little face as icon, into the picture itself.

    Labels are sized to their faces and cover neither faces nor one another. Of several people who
    are followed, each label begins with the person's number, as in `#3 Sad 72%`. A face whose label
    has no place gets its number (`track_id`, or in a picture its place in the list, from 1), and a
    legend says what it stands for.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        faces: Faces in the pixels of that picture.
        occupied: What labels are not to cover either, such as bars.
        spots: Of a video, one dictionary for all of its frames: labels stay where they are while
            they can. None for a picture.
    """
    height, width = image_bgr.shape[:2]
    for face in faces:
        _draw_box(image_bgr, face)
    several = any(face.track_id > 1 for face in faces)
    captions = [
        Caption(
            face.track_id,
            face.box,
            drawn_labels_of(face, with_number=several),
            str(face.track_id or index),
            icon=face.emotion in ICONS,
        )
        for index, face in enumerate(faces, start=1)
    ]
    layout = lay_out(height, width, captions, occupied, spots)
    # After all boxes, none of which may cross out the label of a neighbour.
    for face, line in zip(faces, layout.lines, strict=True):
        icon = face.emotion if line.icon else None
        _paste(image_bgr, tile(line.text, line.em_px, colour_of(face), icon), line.left, line.top)
    if layout.legend:
        _draw_legend(image_bgr, faces, captions, layout.legend)


def _draw_box(image_bgr: NDArray[np.uint8], face: FaceEmotion) -> None:
    line = line_px(face.box, picture_scale(*image_bgr.shape[:2]))
    corner = (round(face.box.x), round(face.box.y))
    opposite = (round(face.box.right), round(face.box.bottom))
    # A dark rim keeps the box visible on a picture of its own colour.
    cv2.rectangle(image_bgr, corner, opposite, _BLACK, 2 * line)
    cv2.rectangle(image_bgr, corner, opposite, colour_of(face), line)


def _draw_legend(
    image_bgr: NDArray[np.uint8],
    faces: Sequence[FaceEmotion],
    captions: Sequence[Caption],
    legend: Legend,
) -> None:
    bottom, right = legend.top + legend.height, legend.left + legend.width
    _darken(image_bgr[legend.top : bottom, legend.left : right], 5)
    pad = legend.em_px // 2
    row_px = (legend.height - 2 * pad) // legend.rows

    def place(line: int) -> tuple[int, int]:
        column, row = divmod(line, legend.rows)
        return legend.left + pad + column * legend.column_px, legend.top + pad + row * row_px

    for line, index in enumerate(legend.shown):
        left, top = place(line)
        number = tile(captions[index].number, legend.em_px, colour_of(faces[index]))
        _paste(image_bgr, number, left + (legend.number_px - number.shape[1]) // 2, top)
        left += legend.number_px + pad
        write(image_bgr, captions[index].texts[-1], left, top, legend.em_px, _WHITE)
    if legend.more:
        left, top = place(len(legend.shown))
        write(image_bgr, f"and {legend.more} more", left, top, legend.em_px, _WHITE)


def draw_bars(image_bgr: NDArray[np.uint8], face: FaceEmotion, occupied: Sequence[Box] = ()) -> Box:
    """Draw a bar for each emotion beside a face, in place.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        face: A face in the pixels of that picture.
        occupied: What they are to cover as little of as they can: other faces, other faces' bars.

    Returns:
        Where they are.
    """
    size = picture_scale(*image_bgr.shape[:2])
    em_px, pad = round(_BARS_EM * size), round(6 * size)
    names = [label[:_LONGEST_NAME] for label in face.labels]
    row, bar_width = round(19 * size), round(72 * size)
    name_width = math.ceil(max(map(text_width, names)) * em_px) + 2 * pad
    panel_width = name_width + bar_width + 2 * pad
    panel_height = len(names) * row + 2 * pad
    panel = _freest_place(image_bgr, face.box, panel_width, panel_height, [face.box, *occupied])
    left, top = round(panel.x), round(panel.y)
    _darken(image_bgr[top : top + panel_height, left : left + panel_width], 4)
    left, top = left + pad, top + pad
    colours = colours_of(face.labels)
    for name, colour, share in zip(names, colours, face.probabilities, strict=True):
        write(image_bgr, name, left, top + (row - round(LINE_HEIGHT * em_px)) // 2, em_px, _WHITE)
        corner = (left + name_width, top + round(0.2 * row))
        opposite = (corner[0] + round(bar_width * float(share)), top + round(0.85 * row))
        cv2.rectangle(image_bgr, corner, opposite, colour, cv2.FILLED)
        top += row
    return panel


def _freest_place(
    image_bgr: NDArray[np.uint8], box: Box, width: int, height: int, occupied: Sequence[Box]
) -> Box:
    """Where a panel covers least of what is occupied: right of a box, left, below or above it."""
    rows, columns = image_bgr.shape[:2]
    size = picture_scale(rows, columns)
    gap, label = round(12 * size), round(32 * size)
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
        rows: Pairs of texts.
    """
    height, width = image_bgr.shape[:2]
    columns = [max(text_width(row[i]) for row in rows) for i in (0, 1)]
    # What does not fit is written smaller.
    widest_em = width / (sum(columns) + 4)
    em_px = max(int(min(_PANEL_EM * picture_scale(height, width), widest_em)), 1)
    row_height = math.ceil(1.7 * em_px)
    panel_width = min(math.ceil((sum(columns) + 3.5) * em_px), width)
    panel_height = min(row_height * len(rows) + 2 * em_px, height)
    left, top = (width - panel_width) // 2, (height - panel_height) // 2
    # Darker than bars, whose white text may lie below.
    _darken(image_bgr[top : top + panel_height, left : left + panel_width], 12)
    for number, row in enumerate(rows):
        for text, right in zip(row, (1.0, columns[0] + 2.5), strict=True):
            place = (left + round(right * em_px), top + em_px + number * row_height)
            write(image_bgr, text, *place, em_px, _WHITE)


def draw_text(
    image_bgr: NDArray[np.uint8], text: str, left: int, bottom: int, background: Colour
) -> None:
    """Write a line on a filled rectangle, in place.

    Args:
        image_bgr: (H, W, 3) uint8, BGR; changed in place.
        text: The line.
        left: The rectangle's left edge in pixels; moved until the line lies in the picture.
        bottom: Its bottom edge in pixels; moved likewise.
        background: Its colour; the text is black or white, whichever stands out.
    """
    box = text_box(image_bgr.shape[:2], text, left, bottom)
    line = tile(text, _line_em_px(image_bgr.shape[:2]), background)
    _paste(image_bgr, line, round(box.x), round(box.y))


def text_box(shape: tuple[int, ...], text: str, left: int, bottom: int) -> Box:
    """Return where `draw_text` writes a line in a picture of that height and width."""
    height, width = shape
    line_width, line_height = tile_size(text, _line_em_px(shape))
    left = max(min(left, width - line_width), 0)
    top = max(min(max(bottom, line_height), height) - line_height, 0)
    return Box(left, top, line_width, line_height)


def _line_em_px(shape: tuple[int, ...]) -> int:
    return round(_LINE_EM * picture_scale(*shape))


def _paste(
    image_bgr: NDArray[np.uint8], picture_bgr: NDArray[np.uint8], left: int, top: int
) -> None:
    """Put one picture into another; what lies right of it or below is left out."""
    height, width = image_bgr.shape[:2]
    picture_bgr = picture_bgr[: max(height - top, 0), : max(width - left, 0)]
    bottom, right = top + picture_bgr.shape[0], left + picture_bgr.shape[1]
    image_bgr[top:bottom, left:right] = picture_bgr


def _darken(area: NDArray[np.uint8], divisor: int) -> None:
    area[:] = area // divisor
