"""FER+: ten raters' votes on the faces of FER2013 (Barsoum et al. 2016, arXiv 1608.01041)."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

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


_COMPARED_ROWS = 250
"""So many rows in which FER+'s raters agree with 72 % of FER2013's labels show that well."""


def load_votes(path: Path) -> NDArray[np.float32]:
    """Read FER+'s `fer2013new.csv`.

    Args:
        path: The file.

    Returns:
        (N, 10) float32 counts of votes in the order of `VOTE_CLASSES`. The public file has 35,887
        rows: those of `train.csv` and then those of `test.csv`.

    Raises:
        DataError: if the file is missing or is not FER+'s.
    """
    if not path.is_file():
        raise DataError(f"There is no {path}: `mien data download` fetches FER+'s votes.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as text: {error}.") from None
    header, *rows = list(csv.reader(text.splitlines())) or [[]]
    if header != _FIRST_COLUMNS + _VOTE_COLUMNS:
        raise DataError(
            f"{path}, line 1: found the header {','.join(header)[:80]!r}; expected "
            f"{','.join(_FIRST_COLUMNS + _VOTE_COLUMNS)}."
        )
    votes = np.zeros((len(rows), len(VOTE_CLASSES)), dtype=np.float32)
    for number, row in enumerate(rows, start=1):
        votes[number - 1] = _parse_votes(row, f"{path}, row {number:,} (line {number + 1:,})")
    return votes


def are_votes_for(labels: NDArray[np.integer[Any]], votes: NDArray[np.float32]) -> bool:
    """Say whether votes are for the faces of these labels, of which raters agree with two of three.

    They are compared some hundreds at a time, as one row too many or too few moves all that follow.

    Args:
        labels: (N,) FER2013's labels of faces.
        votes: (M, 10) counts of votes; other ones if M is not N.
    """
    if len(votes) != len(labels):
        return False
    agreed = agreed_labels(votes)
    for rows in np.array_split(np.arange(len(labels)), max(1, len(labels) // _COMPARED_ROWS)):
        hits = (agreed[rows] == labels[rows])[agreed[rows] >= 0]
        if not len(hits) or hits.mean() < 0.5:
            return False
    return True


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


def majority_votes(votes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return what most raters chose, by the rule under which FER+'s figures are published.

    Single votes are dropped; of those that are left, one class must have more than half, and it
    must be an expression (Barsoum et al. 2016, section 4, "majority voting").

    Args:
        votes: (N, 10) counts of votes.

    Returns:
        (N,) indices of `VOTE_CLASSES`, 0 (neutral) to 7 (contempt), and -1 where there is none.
    """
    kept = np.where(votes > 1, votes, 0)
    most = kept.argmax(axis=1)
    expressions = VOTE_CLASSES.index("contempt") + 1
    clear = (kept.max(axis=1) > kept.sum(axis=1) / 2) & (most < expressions)
    return np.where(clear, most, -1)


def emotion_shares(votes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how the votes for the seven emotions are shared out among them.

    Args:
        votes: (N, 10) counts of votes.

    Returns:
        (N, 7) float32 in the order of `EMOTIONS`; a row sums to 1, or is 0 where no rater named one
        of the seven.
    """
    of_emotion = votes[:, [VOTE_CLASSES.index(emotion) for emotion in EMOTIONS]]
    shares: NDArray[np.float32] = of_emotion / np.maximum(of_emotion.sum(axis=1, keepdims=True), 1)
    return shares


def _parse_votes(row: list[str], place: str) -> list[int]:
    if len(row) != len(_FIRST_COLUMNS) + len(_VOTE_COLUMNS):
        raise DataError(
            f"{place}: found {len(row)} columns; expected "
            f"{len(_FIRST_COLUMNS) + len(_VOTE_COLUMNS)}."
        )
    cells = row[len(_FIRST_COLUMNS) :]
    for column, cell in zip(_VOTE_COLUMNS, cells, strict=True):
        if not (cell.isascii() and cell.isdigit() and len(cell) <= 2):
            raise DataError(
                f"{place}, column {column}: found {cell[:20]!r}; expected a count of votes."
            )
    return [int(cell) for cell in cells]
