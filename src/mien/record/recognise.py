"""From pictures and videos to rows of a table, and nothing besides: no output, no file, no thread.

This is what the front doors and a batch that is spread over several machines have in common: each
worker opens a recogniser of its own and maps these functions over its part of the paths.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.core.types import FaceEmotion
from mien.engine.settings import EngineSettings, settings_of
from mien.engine.stages import VideoAnalyser
from mien.faces.gate import QualityGate
from mien.media.frames import Frame, open_frames
from mien.media.image import rotate
from mien.media.local_path import path_here
from mien.media.picture_files import read_image
from mien.media.pictures import is_one_picture
from mien.recognizer import Recognizer
from mien.record.table import (
    ANGLE_COLUMNS,
    MISSED_COLUMN,
    READING_COLUMN,
    leading_columns,
    row_of,
    table_name,
)


@dataclass(frozen=True, slots=True, eq=False)
class RecognisedPicture:
    """A picture and its faces, or why it could not be read.

    Attributes:
        number: Its place among the pictures, from 0.
        path: Its file; of what is none, the text that named it.
        image_bgr: (H, W, 3) uint8, BGR; None where it could not be read.
        faces: The largest first.
        error: Why it could not be read; None where it could.
    """

    number: int
    path: Path | str
    image_bgr: NDArray[np.uint8] | None
    faces: tuple[FaceEmotion, ...] = ()
    error: SourceError | None = None

    def rows(self, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        """A row for each face, or one with the error; by `picture_columns`."""
        path = table_name(str(self.path))
        if self.error is not None:
            nothing: dict[str, Any] = dict.fromkeys(columns)
            numbers = {"frame": self.number, "timestamp_ms": 0.0, "track_id": 0}
            told = {"path": path, "error": table_name(str(self.error))}
            return [nothing | numbers | told]
        rows = []
        for face in self.faces:
            row = row_of(face, smooth_ms=0.0, raw=False) | {"path": path, "error": None}
            rows.append({column: row[column] for column in columns})
        return rows


def picture_columns(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of a table of pictures; `timestamp_ms` and `track_id` are 0 in all rows.

    Args:
        labels: What the network tells apart.
    """
    after = ("path", "error", READING_COLUMN, MISSED_COLUMN, *ANGLE_COLUMNS)
    return (*leading_columns(labels), *after)


def recognise_each(
    paths: Iterable[str | Path],
    recognizer: Recognizer,
    gate: QualityGate | None = None,
    *,
    rotate_degrees: int = 0,
) -> Iterator[RecognisedPicture]:
    """Recognise pictures, one after another; one that cannot be read does not stop the others.

    Args:
        paths: Pictures, not folders. A text may begin with `~`, and be a `file://` address.
        recognizer: What recognises.
        gate: What makes a face uncertain; None for the defaults of `QualityGate`.
        rotate_degrees: See `mien.media.frames.open_frames`.

    Raises:
        SourceError: if a single picture is given in the place of several, or what is no path.
    """
    if is_one_picture(paths):
        raise SourceError("Found a single picture; expected several paths: write [path].")
    for number, place in enumerate(paths):
        if not isinstance(place, str | os.PathLike):
            raise SourceError(
                f"Found {type(place).__name__} among the pictures; expected paths. "
                "Recognizer.recognize takes arrays and Pillow's pictures."
            )
        # A path as such was made of what somebody wrote, and may begin with a folder called ~.
        path: Path | str = place
        try:
            path = place if isinstance(place, Path) else path_here(place)
            image_bgr = rotate(read_image(path), rotate_degrees)
        except SourceError as error:
            yield RecognisedPicture(number, path, None, error=error)
            continue
        faces = recognizer.recognize(image_bgr, number, gate=gate)
        yield RecognisedPicture(number, path, image_bgr, tuple(faces))


def recognise_pictures(
    paths: Iterable[str | Path], recognizer: Recognizer, gate: QualityGate | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of pictures: one a face, with its `path`; one with the `error` of each bad file.

    A picture without a face has no row.

    Args:
        paths: Pictures, not folders; see `recognise_each`.
        recognizer: What recognises.
        gate: What makes a face uncertain; None for the defaults of `QualityGate`.

    Returns:
        Rows by column: `picture_columns(recognizer.classifier.labels)`.

    Raises:
        SourceError: if a single picture is given in the place of several.
    """
    columns = picture_columns(recognizer.classifier.labels)
    for picture in recognise_each(paths, recognizer, gate):
        yield from picture.rows(columns)


def recognise_frames(
    frames: Iterable[Frame],
    recognizer: Recognizer,
    settings: EngineSettings | None = None,
    *,
    every_ms: float = 0.0,
) -> Iterator[tuple[Frame, list[FaceEmotion]]]:
    """The faces of each frame of an opened video, by their number.

    Args:
        frames: Those of the video, in order; see `mien.media.frames.open_frames`.
        recognizer: What recognises; used by no one else meanwhile.
        settings: How often, how calm, how sure; None for the defaults of `EngineSettings`.
        every_ms: Look at one frame in this time of the video, the first of each; 0 at all. The
            frames in between are read, but no faces are detected in them and none is returned.

    Raises:
        SourceError: if the video breaks off, after the frames before.
    """
    analyser = VideoAnalyser(recognizer, settings)
    due_ms = -math.inf
    for frame in frames:
        if frame.timestamp_ms < due_ms:
            continue
        if every_ms:
            due_ms = (frame.timestamp_ms // every_ms + 1) * every_ms
        yield frame, analyser.analyse(frame)


def recognise_video(
    path: Path, recognizer: Recognizer, settings: EngineSettings | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of a video: one a face a frame.

    Args:
        path: A video file or a folder of pictures.
        recognizer: What recognises; used by no one else meanwhile.
        settings: How often, how calm, how sure; None for the defaults of `EngineSettings`.

    Returns:
        Rows by column: `mien.record.table.columns_of(recognizer.classifier.labels, raw=False)`,
        with those of a temporal network where `settings` has one.

    Raises:
        SourceError: if the video cannot be opened, or breaks off, after the rows before.
    """
    settings = settings_of(settings)
    with open_frames(path) as frames:
        for _, faces in recognise_frames(frames, recognizer, settings):
            for face in faces:
                yield row_of(face, smooth_ms=settings.smooth_ms, raw=False)
