"""The public count of looks at the test set: one line of JSON for each.

A network that is scored again on the same test faces, or on a part after all of them, is not
counted again: that tells nothing new.

A network is known by its answers, not by its file alone: the same weights exported on another
processor give other bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier
from mien.core.errors import DataError
from mien.data.test_faces import DIFFERENT_TEST_FACES
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


def describe_look(test_rows: NDArray[np.intp]) -> dict[str, Any]:
    """Say which test faces a look is at: how many, and a SHA-256 of their rows.

    Args:
        test_rows: (N,) different ascending rows of `test_with_emotions.csv`.
    """
    sha256 = hashlib.sha256(test_rows.astype("<i8").tobytes()).hexdigest()
    return {"test_faces": len(test_rows), "test_faces_sha256": sha256}


def find_entry(
    ledger: Path, sha256: str, answers: list[float], look: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the ledger's entry of a look that shows as much of a network, or None.

    Args:
        ledger: The file.
        sha256: SHA-256 of the network's file.
        answers: What `answers_of` returns of it; entries of before mien 0.2 have none.
        look: Which test faces this look is at, as `describe_look` says it.

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
            if is_same and _shows(entry, look):
                return entry
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{ledger}, line {number}: expected a JSON object with a 'sha256', "
                f"found {line[:60]!r}."
            ) from None
    return None


def _shows(entry: Mapping[str, Any], look: Mapping[str, Any]) -> bool:
    """Whether a look was at all test faces, or at these; older entries say only at how many."""
    if faces_seen(entry) >= DIFFERENT_TEST_FACES:
        return True
    if "test_faces_sha256" not in entry:
        return faces_seen(entry) == look["test_faces"]
    return bool(entry["test_faces_sha256"] == look["test_faces_sha256"])


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
