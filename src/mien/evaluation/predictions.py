"""What a network says of every face: a table, and a picture of those that it got wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.files import write_atomically
from mien.evaluation.figures import draw_contact_sheet
from mien.record.table import csv_line, table_name

WRONG_FACES = "wrong_faces.png"
"""The picture beside the table; it shows faces, so that it is not to be published."""

_SHOWN = 80


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Answers for N faces.

    Attributes:
        probabilities: (N, C) float32.
        names: What the C labels are called.
        faces_u8: (N, 48, 48) uint8.
        truth: (N,) the faces' labels, indices into `names`; None where they have none.
        files: The picture that each face came from; None where there is none.
    """

    probabilities: NDArray[np.float32]
    names: tuple[str, ...]
    faces_u8: NDArray[np.uint8]
    truth: NDArray[np.integer] | None
    files: tuple[str, ...] | None


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write a row for every face, and where there is a truth the wrong ones as a contact sheet.

    The columns are `face` (the row, from 0), `file`, `truth`, `label` (from 0), `emotion`,
    `confidence` and one per label, as `mien.record.table.csv_line` writes them. The sheet
    (`wrong_faces.png` beside the table) shows the surest errors first; where nothing is wrong there
    is none, and without a truth one that is there stays.

    Args:
        path: The CSV file.
        predictions: The answers.
    """
    names = predictions.names
    lines = [csv_line(("face", "file", "truth", "label", "emotion", "confidence", *names))]
    for face, row in enumerate(predictions.probabilities):
        label = int(row.argmax())
        shares = [f"{share:.6f}" for share in row]
        file = None if predictions.files is None else table_name(predictions.files[face])
        truth = None if predictions.truth is None else names[predictions.truth[face]]
        lines.append(csv_line((face, file, truth, label, names[label], shares[label], *shares)))
    write_atomically(path, "".join(lines))
    _write_wrong_faces(path.with_name(WRONG_FACES), predictions)


def _write_wrong_faces(path: Path, predictions: Predictions) -> None:
    if predictions.truth is None:
        return
    predicted = predictions.probabilities.argmax(axis=1)
    confidence = predictions.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != predictions.truth)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    if not len(wrong):
        path.unlink(missing_ok=True)  # That of an earlier table must not speak of this one.
        return
    names = predictions.names
    draw_contact_sheet(
        predictions.faces_u8[wrong[:_SHOWN]],
        [
            f"{face}: {names[predictions.truth[face]]}\n{names[predicted[face]]} "
            f"{confidence[face]:.0%}"
            for face in wrong[:_SHOWN]
        ],
        path,
        title=(
            f"{len(wrong):,} of {len(predicted):,} faces called otherwise, the surest first: row, "
            "label, answer"
        ),
    )
