"""Arrays that are kept beside the data, so that they need not be computed again."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import OutputError
from mien.core.files import write_atomically

CACHE = Path(".mien_cache")
"""Folder of what is kept, seen from the folder of the data."""

SEQUENCES_CACHE = CACHE / "face_sequences"
"""Folder of what classifiers said of faces over time, likewise."""

_CHECKSUM_BYTES = 32


def keep_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Keep arrays in a file; in a folder that cannot be written to nothing is kept.

    Args:
        path: The file: a checksum, then what `numpy.savez` writes.
        arrays: By name.
    """
    buffer = io.BytesIO()
    by_name: dict[str, Any] = dict(arrays)
    np.savez(buffer, **by_name)
    content = buffer.getvalue()
    with contextlib.suppress(OutputError):
        write_atomically(path, _checksum(content) + content)


def read_arrays(path: Path) -> dict[str, NDArray[Any]] | None:
    """Return what `keep_arrays` kept in a file; None if nothing was, or the file is damaged."""
    try:
        with path.open("rb") as file:
            checksum, content = file.read(_CHECKSUM_BYTES), file.read()
    except OSError:
        return None
    # That of a ZIP file covers its members alone, not their list.
    if checksum != _checksum(content):
        return None
    with np.load(io.BytesIO(content)) as kept:
        return dict(kept)


def _checksum(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECKSUM_BYTES).digest()
