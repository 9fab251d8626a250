"""What the window shows besides the faces, and which keys change it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.core.types import FaceEmotion
from mien.media.blur import blur_faces
from mien.media.draw import draw_bars, draw_faces, draw_panel, draw_text, text_box
from mien.media.layout import Spots

KEYS = (
    ("b", "bars of all emotions"),
    ("n", "bars of the next face only"),
    ("f", "frame rate and latency"),
    ("r", "record to results/live/"),
    ("space", "pause"),
    ("h", "this help"),
    ("q, Esc", "quit"),
)

_BLACK = (0, 0, 0)
_RED = (40, 40, 220)
_RECORDING = "REC"
_WIDEST_STATUS = "000 FPS, 0000 ms"


class View:
    """What is to be drawn; `press` changes it.

    Args:
        blur: Make the faces unrecognisable.

    Attributes:
        is_paused: True while the picture is to stand still.
        is_recording: True while the picture is to be recorded.
    """

    def __init__(self, *, blur: bool = False) -> None:
        self.is_paused = False
        self.is_recording = False
        self._blur = blur
        self._bars = False
        self._status = True
        self._help = False
        self._spots: Spots = {}
        self._focus: int | None = None  # the number of the one face whose bars are shown

    def press(self, key: str, faces: Sequence[FaceEmotion]) -> None:
        """React to a key; others than those of `KEYS` do nothing.

        Args:
            key: One character.
            faces: The faces that are shown at this moment.
        """
        if key == "b":
            self._bars = not (self._bars or self._focus is not None)
            self._focus = None
        elif key == "n":
            self._focus = _next_number(faces, self._focus)
        elif key == "f":
            self._status = not self._status
        elif key == "r":
            self.is_recording = not self.is_recording
        elif key == " ":
            self.is_paused = not self.is_paused
        elif key == "h":
            self._help = not self._help

    def annotate(self, image_bgr: NDArray[np.uint8], faces: Sequence[FaceEmotion]) -> None:
        """Draw the faces, and the bars that are asked for, into the picture itself."""
        if self._blur:
            blur_faces(image_bgr, (face.box for face in faces))
        occupied = [face.box for face in faces]
        # The corners are those of `draw_controls`, shown or not: labels do not move for a key.
        controls = [
            text_box(image_bgr.shape[:2], _WIDEST_STATUS, 0, 0),
            text_box(image_bgr.shape[:2], _RECORDING, image_bgr.shape[1], 0),
        ]
        for face in faces:
            if self._bars or face.track_id == self._focus:
                occupied.append(draw_bars(image_bgr, face, occupied))
        draw_faces(image_bgr, faces, [*occupied[len(faces) :], *controls], self._spots)

    def draw_controls(self, image_bgr: NDArray[np.uint8], status: str) -> None:
        """Draw what belongs to the window and to no recording: status, pause, help."""
        if self._status:
            draw_text(image_bgr, status, 0, 0, _BLACK)
        if self.is_recording:
            draw_text(image_bgr, _RECORDING, image_bgr.shape[1], 0, _RED)
        if self.is_paused:
            draw_text(image_bgr, "paused: space goes on", 0, image_bgr.shape[0], _BLACK)
        if self._help:
            draw_panel(image_bgr, KEYS)


def _next_number(faces: Sequence[FaceEmotion], focus: int | None) -> int | None:
    """The number after `focus`; None after the last one, so that the round begins again."""
    numbers = sorted(face.track_id for face in faces)
    return next((number for number in numbers if focus is None or number > focus), None)
