"""One process trains a run at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mien.core.errors import ModelError
from mien.core.lock import try_lock
from mien.training.run_folder import RunFolder


@contextlib.contextmanager
def locked(run: RunFolder) -> Iterator[None]:
    """Keep other processes from training the same run; a killed one leaves no lock behind.

    On a file system that knows no locks (some network drives), nothing keeps them from it.

    Raises:
        ModelError: if another process trains it.
    """
    # Beside the folder, which --restart throws away.
    path = run.path.with_name(f".{run.path.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _open_locked(path, run)
    try:
        yield
    finally:
        _remove(path)
        os.close(descriptor)


def _open_locked(path: Path, run: RunFolder) -> int:
    """Open the lock's file, and lock it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        if not try_lock(descriptor):
            os.close(descriptor)
            raise ModelError(
                f"{run.path} is being trained by another process: wait for it, or stop it."
            )
        # Who had it may have removed it since it was opened: others would lock a new one.
        if _is_file_at(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_file_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    # Windows removes no open file; an empty one stays.
    with contextlib.suppress(PermissionError):
        path.unlink(missing_ok=True)
