"""Readers of labelled faces: FER2013's CSV files in all their forms, and a folder per emotion.

| file | columns |
|---|---|
| `train.csv`, `test_with_emotions.csv` | `emotion,pixels` |
| `test.csv` | `pixels` |
| Kaggle's `fer2013.csv` | `emotion,pixels,Usage` |
| Kaggle's `icml_face_data.csv` | `emotion, Usage, pixels` |

`pixels` is 2,304 values from 0 to 255, separated by spaces, row by row.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.files import write_atomically
from mien.core.labels import EMOTIONS
from mien.core.preprocess import FACE_SIZE

PIXELS = FACE_SIZE * FACE_SIZE
USAGES = ("Training", "PublicTest", "PrivateTest")

# Bump when the parser would read the same bytes differently.
_CACHE_VERSION = 1
_ROWS_AT_ONCE = 64
_FOLDER_NAMES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}
_PICTURE_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Grey faces and what a file says of them.

    Attributes:
        faces_u8: (N, 48, 48) uint8.
        labels: (N,) int64 labels, 0 to 6, or None where the file has none.
        usage: (N,) strings, each one of `USAGES`, or None where the file has none.
        source: The file or folder that was read.
    """

    faces_u8: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    usage: NDArray[np.str_] | None
    source: Path


def load_dataset(path: Path) -> Dataset:
    """Read a CSV file or a folder per emotion.

    A CSV file is parsed once; its arrays are kept beside it in `.mien_cache/`, where the folder
    can be written to, and read from there until the file changes.

    Args:
        path: A CSV file with the columns `pixels` and, in any order, `emotion` and `Usage`; or a
            folder with a folder of pictures per emotion, whose pictures are made grey and 48 × 48.

    Raises:
        DataError: if the path does not exist, or its content is not what it should be; the
            message says in which file, row (the first face is row 1) and column.
    """
    if path.is_dir():
        return _load_folder(path)
    if not path.is_file():
        raise DataError(
            f"There is no {path}: `mien data download` fetches FER2013 into the folder data/."
        )
    cache = path.parent / ".mien_cache" / f"{path.name}.npz"
    return _read_cache(cache, path) or _parse_and_cache(cache, path)


def _parse_and_cache(cache: Path, path: Path) -> Dataset:
    state = _state(path)
    dataset = parse_csv(path)
    arrays = {
        name: array
        for name in ("faces_u8", "labels", "usage")
        if (array := getattr(dataset, name)) is not None
    }
    buffer = io.BytesIO()
    np.savez(buffer, state=state, **arrays)
    # A data set in a folder that cannot be written to is parsed each time.
    with contextlib.suppress(OSError):
        write_atomically(cache, buffer.getvalue())
    return dataset


def _read_cache(cache: Path, path: Path) -> Dataset | None:
    """Return what was kept of `path`; None if nothing was, or the file has changed since."""
    try:
        with np.load(cache) as kept:
            if not np.array_equal(kept["state"], _state(path)):
                return None
            return Dataset(kept["faces_u8"], kept.get("labels"), kept.get("usage"), path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _state(path: Path) -> NDArray[np.int64]:
    status = path.stat()
    return np.array([_CACHE_VERSION, status.st_size, status.st_mtime_ns])


def parse_csv(path: Path) -> Dataset:
    """Parse a CSV file of faces, without the cache; see `load_dataset`.

    Raises:
        DataError: as `load_dataset`.
    """
    lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    columns = _columns(lines[0], path)
    rows = [line for line in (line.rstrip(b"\r") for line in lines[1:]) if line]
    if not rows:
        raise DataError(f"{path} holds no face: expected a header and one row a face.")
    cells: list[list[bytes]] = [[] for _ in columns]
    for number, row in enumerate(rows, start=1):
        found = row.split(b",")
        if len(found) != len(columns):
            raise DataError(
                f"{path}, row {number}: found {len(found)} columns; expected {len(columns)} "
                f"({', '.join(columns)})."
            )
        for column, cell in zip(cells, found, strict=True):
            column.append(cell.strip(b' "'))
    of_column = dict(zip(columns, cells, strict=True))
    return Dataset(
        faces_u8=_parse_faces(of_column["pixels"], path),
        labels=_parse_labels(of_column["emotion"], path) if "emotion" in of_column else None,
        usage=_parse_usage(of_column["usage"], path) if "usage" in of_column else None,
        source=path,
    )


def _columns(header: bytes, path: Path) -> list[str]:
    text = header.decode("utf-8", errors="replace")
    columns = [name.strip(' "\r').lower() for name in text.split(",")]
    unknown = [name for name in columns if name not in ("emotion", "pixels", "usage")]
    if "pixels" not in columns or unknown or len(set(columns)) < len(columns):
        raise DataError(
            f"{path}: found the header {text[:80]!r}; expected the column 'pixels' and, besides, "
            "only 'emotion' and 'Usage'."
        )
    return columns


def _parse_labels(cells: list[bytes], path: Path) -> NDArray[np.int64]:
    allowed = {str(label).encode(): label for label in range(len(EMOTIONS))}
    for number, cell in enumerate(cells, start=1):
        if cell not in allowed:
            raise DataError(
                f"{path}, row {number}, column emotion: found "
                f"{cell[:20].decode(errors='replace')!r}; expected a label from 0 to 6."
            )
    return np.array([allowed[cell] for cell in cells], dtype=np.int64)


def _parse_usage(cells: list[bytes], path: Path) -> NDArray[np.str_]:
    usage = [cell.decode(errors="replace") for cell in cells]
    for number, value in enumerate(usage, start=1):
        if value not in USAGES:
            raise DataError(
                f"{path}, row {number}, column Usage: found {value[:20]!r}; expected one of "
                f"{', '.join(USAGES)}."
            )
    return np.array(usage)


def _parse_faces(cells: list[bytes], path: Path) -> NDArray[np.uint8]:
    faces = np.empty((len(cells), PIXELS), dtype=np.uint8)
    for start in range(0, len(cells), _ROWS_AT_ONCE):
        group = cells[start : start + _ROWS_AT_ONCE]
        values = _parse_group(group)
        if values is None:
            values = np.stack(
                [_parse_face(cell, start + row, path) for row, cell in enumerate(group, start=1)]
            )
        faces[start : start + len(group)] = values
    return faces.reshape(-1, FACE_SIZE, FACE_SIZE)


def _parse_group(cells: list[bytes]) -> NDArray[np.uint8] | None:
    """Parse well-formed cells with a few array operations; None if one is not well-formed."""
    if any(cell.count(b" ") != PIXELS - 1 for cell in cells):
        return None
    # Three bytes ahead, so that a number's first digit has three bytes before it.
    characters = np.frombuffer(b"   " + b" ".join(cells) + b" ", dtype=np.uint8)
    digits = characters - ord("0")
    is_digit = digits <= 9
    last = np.flatnonzero(is_digit[:-1] & ~is_digit[1:])
    if len(last) != len(cells) * PIXELS or not (is_digit | (characters == ord(" "))).all():
        return None
    has_tens = is_digit[last - 1]
    has_hundreds = has_tens & is_digit[last - 2]
    if (has_hundreds & is_digit[last - 3]).any():
        return None
    values = digits[last].astype(np.uint16)
    values += np.where(has_tens, digits[last - 1], 0).astype(np.uint16) * 10
    values += np.where(has_hundreds, digits[last - 2], 0).astype(np.uint16) * 100
    if values.max() > 255:
        return None
    return values.astype(np.uint8).reshape(len(cells), PIXELS)


def _parse_face(cell: bytes, row: int, path: Path) -> NDArray[np.uint8]:
    """Parse one cell the plain way, which finds what is wrong with it."""
    values = cell.split()
    if len(values) != PIXELS:
        raise DataError(
            f"{path}, row {row}, column pixels: found {len(values):,} values; expected {PIXELS:,}."
        )
    for position, value in enumerate(values, start=1):
        if not (value.isdigit() and int(value) <= 255):
            raise DataError(
                f"{path}, row {row}, column pixels: found "
                f"{value[:20].decode(errors='replace')!r} as value {position:,}; expected a whole "
                "number from 0 to 255."
            )
    return np.array(values, dtype=np.int64).astype(np.uint8)


def _load_folder(folder: Path) -> Dataset:
    faces, labels = [], []
    for label, picture in _pictures(folder):
        grey = cv2.imdecode(np.fromfile(picture, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise DataError(f"{picture} is not a picture that OpenCV can read.")
        if grey.shape != (FACE_SIZE, FACE_SIZE):
            grey = cv2.resize(grey, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
        faces.append(grey)
        labels.append(label)
    if not faces:
        raise DataError(
            f"{folder} holds no picture in a folder named after an emotion; expected "
            f"{folder / EMOTIONS[0]}, {folder / EMOTIONS[1]} and so on."
        )
    return Dataset(np.stack(faces).astype(np.uint8), np.array(labels), None, folder)


def _pictures(folder: Path) -> Iterator[tuple[int, Path]]:
    """Yield every picture with its label, in the order of their names."""
    for directory in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        name = directory.name.lower()
        emotion = _FOLDER_NAMES.get(name, name)
        if emotion not in EMOTIONS:
            raise DataError(
                f"{directory} is not named after an emotion; expected {', '.join(EMOTIONS)}."
            )
        for picture in sorted(directory.iterdir()):
            if picture.suffix.lower() in _PICTURE_SUFFIXES:
                yield EMOTIONS.index(emotion), picture
