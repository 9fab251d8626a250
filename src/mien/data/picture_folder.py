"""A reader for a folder that holds a folder of pictures per emotion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.labels import EMOTIONS
from mien.core.preprocess import FACE_SIZE

_OTHER_NAMES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}
_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def read_picture_folder(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read every picture of a face in a folder per emotion.

    Args:
        folder: Holds folders such as `angry` or `happiness`; hidden ones are passed over.

    Returns:
        (N, 48, 48) uint8 faces and (N,) int64 labels, by folder and then by name. Of a picture
        that is not square, the square in its middle is taken.

    Raises:
        DataError: if a folder is not named after an emotion, a picture cannot be read, or there
            is none.
    """
    pictures = list(_pictures(folder))
    if not pictures:
        raise DataError(
            f"{folder} holds no picture in a folder named after an emotion; expected pictures in "
            f"{folder / EMOTIONS[0]}, {folder / EMOTIONS[1]} and so on."
        )
    faces_u8 = np.stack([_read_face(picture) for _, picture in pictures])
    return faces_u8, np.array([label for label, _ in pictures], dtype=np.int64)


def _pictures(folder: Path) -> Iterator[tuple[int, Path]]:
    for directory in _visible(folder):
        if not directory.is_dir():
            continue
        name = directory.name.lower()
        emotion = _OTHER_NAMES.get(name, name)
        if emotion not in EMOTIONS:
            raise DataError(
                f"{directory} is not named after an emotion ({', '.join(EMOTIONS)}): rename it, "
                "move it away, or name the folder that holds the emotions."
            )
        for picture in _visible(directory):
            if picture.suffix.lower() in _SUFFIXES:
                yield EMOTIONS.index(emotion), picture


def _visible(folder: Path) -> list[Path]:
    # Notebooks and macOS leave hidden copies behind.
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _read_face(path: Path) -> NDArray[np.uint8]:
    content = np.fromfile(path, dtype=np.uint8)
    try:
        grey = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
    except cv2.error:  # An empty buffer, or a picture of too many pixels.
        grey = None
    if grey is None:
        raise DataError(f"{path} is not a picture that can be read: replace it or delete it.")
    height, width = grey.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = grey[top : top + side, left : left + side]
    # INTER_LINEAR skips pixels when it shrinks by more than two.
    interpolation = cv2.INTER_AREA if side > FACE_SIZE else cv2.INTER_LINEAR
    face = cv2.resize(square, (FACE_SIZE, FACE_SIZE), interpolation=interpolation)
    return np.asarray(face, dtype=np.uint8)
