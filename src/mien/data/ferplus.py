"""FER+: ten raters' votes on the faces of FER2013 (Barsoum et al. 2016, arXiv 1608.01041)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.labels import EMOTIONS, VOTE_CLASSES

_FIRST_COLUMNS = ["Usage", "Image name"]
_VOTE_COLUMNS = [
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
]


def load_votes(path: Path) -> NDArray[np.float32]:
    """Read FER+'s `fer2013new.csv`.

    Args:
        path: The file.

    Returns:
        (35,887, 10) float32 counts of votes in the order of `VOTE_CLASSES`; the rows are those of
        `train.csv` and then those of `test.csv`.

    Raises:
        DataError: if the file is missing or is not FER+'s.
    """
    if not path.is_file():
        raise DataError(f"There is no {path}: `mien data download` fetches FER+'s votes.")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or rows[0] != _FIRST_COLUMNS + _VOTE_COLUMNS:
        raise DataError(
            f"{path}: found the header {','.join(rows[0]) if rows else ''!r}; expected "
            f"{','.join(_FIRST_COLUMNS + _VOTE_COLUMNS)}."
        )
    votes = np.zeros((len(rows) - 1, len(VOTE_CLASSES)), dtype=np.float32)
    for number, row in enumerate(rows[1:], start=1):
        try:
            votes[number - 1] = [int(cell) for cell in row[len(_FIRST_COLUMNS) :]]
        except ValueError:
            raise DataError(
                f"{path}, row {number}: found {','.join(row)!r}; expected ten counts of votes."
            ) from None
    return votes


def agreed_labels(votes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return what the raters clearly agreed on.

    Args:
        votes: (N, 10) counts of votes.

    Returns:
        (N,) labels 0 to 6, and -1 where no emotion of `EMOTIONS` has more than five of the ten
        votes.
    """
    of_emotion = votes[:, [VOTE_CLASSES.index(emotion) for emotion in EMOTIONS]]
    return np.where(of_emotion.max(axis=1) > 5, of_emotion.argmax(axis=1), -1)
