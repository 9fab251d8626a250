"""The public count of looks at the test set: one line of JSON for each network that was scored."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mien.core.errors import DataError


def find_entry(ledger: Path, sha256: str) -> dict[str, Any] | None:
    """Return the ledger's entry for the network file of this SHA-256, or None.

    Raises:
        DataError: if a line is not a JSON object.
    """
    if not ledger.exists():
        return None
    for number, line in enumerate(ledger.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            entry: dict[str, Any] = json.loads(line)
            if entry["sha256"] == sha256:
                return entry
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{ledger}, line {number}: expected a JSON object with a 'sha256', "
                f"found {line[:60]!r}."
            ) from None
    return None


def append_entry(ledger: Path, entry: dict[str, Any]) -> None:
    """Append one line; a reader, or another writer, never meets half of it.

    Args:
        ledger: The file; its folder is made where it is missing.
        entry: JSON values, among them "sha256".
    """
    ledger.parent.mkdir(parents=True, exist_ok=True)
    line = (json.dumps(entry) + "\n").encode("utf-8")
    descriptor = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        # One write in append mode: the system puts the whole line at the end.
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
