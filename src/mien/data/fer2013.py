"""FER2013 in all the forms that people have it in, and other labelled faces in the same forms.

| file | columns |
|---|---|
| `train.csv`, `test_with_emotions.csv` | `emotion,pixels` |
| `test.csv` | `pixels` |
| Kaggle's `fer2013.csv` | `emotion,pixels,Usage` |
| Kaggle's `icml_face_data.csv` | `emotion, Usage, pixels` |

`pixels` is 2,304 values from 0 to 255, separated by spaces, row by row. Other tables of faces, and
a folder that holds a folder of pictures per class, are read as well.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.data.array_cache import CACHE, keep_arrays, read_arrays
from mien.data.classes import FER2013_CLASSES, ClassTable
from mien.data.csv_file import Columns, has_fer2013_header, parse_csv
from mien.data.dataset import Dataset
from mien.data.own_table import read_table
from mien.data.picture_folder import read_picture_folder

# Bump when the parser would read the same bytes differently.
_CACHE_VERSION = 2

TRAINING_FILE, UNLABELLED, LABELLED = "train.csv", "test.csv", "test_with_emotions.csv"
"""What `mien data download` writes of FER2013."""


def load_dataset(path: Path, classes: ClassTable = FER2013_CLASSES, *, groups: str = "") -> Dataset:
    """Read a CSV file of faces, or a folder with a folder of pictures per class.

    A CSV file in one of FER2013's forms is parsed once; its arrays are kept beside it in
    `.mien_cache/`, where the folder can be written to, and read from there until the file changes.

    Args:
        path: See this module's description, `parse_csv`, `mien.data.own_table.read_table` and
            `mien.data.picture_folder.read_picture_folder`.
        classes: What the labels mean, and what the file calls them.
        groups: The column that names each face's group; for a folder a regular expression.

    Raises:
        DataError: if the path does not exist, or its content is not what it should be; the
            message says in which file, row (the line after the header is row 1) and column.
    """
    if path.is_dir():
        return read_picture_folder(path, classes, groups)
    if not path.is_file():
        fetch = " `mien data download` fetches FER2013 into the folder data/."
        raise DataError(
            f"There is no {path}: expected a CSV file or a folder of faces."
            + (fetch if path.name in (TRAINING_FILE, UNLABELLED, LABELLED) else "")
        )
    if classes is not FER2013_CLASSES or groups or not has_fer2013_header(path):
        return read_table(path, classes, groups)
    cache = path.parent / CACHE / f"{path.name}.npz"
    columns = _read_cache(cache, path) or _parse_and_cache(cache, path)
    return Dataset(*columns, path)


def _parse_and_cache(cache: Path, path: Path) -> Columns:
    state = _state(path)
    columns = parse_csv(path)
    arrays = {name: array for name, array in columns._asdict().items() if array is not None}
    keep_arrays(cache, {"state": state, **arrays})
    return columns


def _read_cache(cache: Path, path: Path) -> Columns | None:
    """Return what was kept of `path`; None if nothing was, it is damaged, or the file changed."""
    kept = read_arrays(cache)
    if kept is None or not np.array_equal(kept["state"], _state(path)):
        return None
    return Columns(kept["faces_u8"], kept.get("labels"), kept.get("usage"))


def _state(path: Path) -> NDArray[np.int64]:
    """Return what changes whenever the file does, even if it is unpacked with its old time."""
    status = path.stat()
    return np.array([_CACHE_VERSION, status.st_size, status.st_mtime_ns, status.st_ctime_ns])
