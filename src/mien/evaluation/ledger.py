"""The public count of looks at the test set: one line of JSON for each.

A network that is scored again on no more of the test faces is not counted again: that tells nothing
new.

A network is known by its answers, not by its file alone: the same weights exported on another
processor give other bytes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mien.classifier.classifier import Classifier
from mien.core.errors import DataError
from mien.training.iterations import faces_seen

ANSWER_TOLERANCE = 1e-3
"""Two files are of one network if their probabilities on the same pictures differ by no more: the
same weights, folded or rounded by another processor, move them in the seventh digit."""

_PICTURES = 4


def answers_of(network: Classifier) -> list[float]:
    """Return what a network says of a few drawn pictures: what makes it known again.

    Returns:
        The probabilities of its heads, one picture after another, to five digits.
    """
    shape = (_PICTURES, *network.artifact.input.crop_shape)
    pictures_u8 = np.random.default_rng(2013).integers(0, 256, shape, dtype=np.uint8)
    heads = network.classify(pictures_u8).heads
    every = np.concatenate([heads[name] for name in sorted(heads)], axis=1)
    return [round(float(share), 5) for share in every.ravel()]


def find_entry(
    ledger: Path, sha256: str, answers: list[float], test_faces: int
) -> dict[str, Any] | None:
    """Return the ledger's entry of a look that shows as much of a network, or None.

    Args:
        ledger: The file.
        sha256: SHA-256 of the network's file.
        answers: What `answers_of` returns of it; entries of before mien 0.2 have none.
        test_faces: How many of the test faces this look is at.

    Raises:
        DataError: if a line is not a JSON object.
    """
    if not ledger.exists():
        return None
    for number, line in enumerate(ledger.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry: dict[str, Any] = json.loads(line)
            is_same = entry["sha256"] == sha256 or _are_close(entry.get("answers", []), answers)
            if is_same and faces_seen(entry) >= test_faces:
                return entry
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{ledger}, line {number}: expected a JSON object with a 'sha256', "
                f"found {line[:60]!r}."
            ) from None
    return None


def _are_close(known: list[float], answers: list[float]) -> bool:
    return len(known) == len(answers) > 0 and np.allclose(
        known, answers, rtol=0, atol=ANSWER_TOLERANCE
    )


def append_entry(ledger: Path, entry: dict[str, Any]) -> None:
    """Append one line; a reader, or another writer, never meets half of it.

    A last line without an end, as an editor may leave it, is ended first.

    Args:
        ledger: The file; its folder is made where it is missing.
        entry: JSON values, among them "sha256".
    """
    ledger.parent.mkdir(parents=True, exist_ok=True)
    line = (json.dumps(entry) + "\n").encode("utf-8")
    if not _ends_with_a_line(ledger):
        line = b"\n" + line
    descriptor = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        # One write in append mode: the system puts the whole line at the end.
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ends_with_a_line(ledger: Path) -> bool:
    """Whether a file is missing, empty, or ends with the end of a line."""
    if not ledger.exists() or not ledger.stat().st_size:
        return True
    with ledger.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
