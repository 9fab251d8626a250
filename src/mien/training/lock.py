"""One process trains a run at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from mien.core.errors import ModelError
from mien.training.run_folder import RunFolder

_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
"""How systems say that another process has a lock; other errors say that there can be none."""


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
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno not in _TAKEN:
                return descriptor
            os.close(descriptor)
            raise ModelError(
                f"{run.path} is being trained by another process: wait for it, or stop it."
            ) from None
        # Who had it may have removed it since it was opened: others would lock a new one.
        if _is_file_at(path, descriptor):
            return descriptor
        os.close(descriptor)


def _is_file_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove(path: Path) -> None:
    # Windows removes no open file; an empty one stays.
    with contextlib.suppress(PermissionError):
        path.unlink(missing_ok=True)
