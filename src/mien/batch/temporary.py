"""Temporary folders that do not outlast their process for long, however it ends."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "mien-batch-"
_ATTEMPTS, _PAUSE_S = 50, 0.1


@contextlib.contextmanager
def temporary_folder(within: Path | None = None) -> Iterator[Path]:
    """Make a temporary folder of this process, and remove it at the end.

    What killed processes of the same user have left beside it is removed as well. A process holds a
    lock in its folder as long as it lives, so that a folder whose lock is free has been left.

    Args:
        within: Where it is made; None for where this machine's temporary files go.

    Raises:
        OSError: if it cannot be made.
    """
    from filelock import FileLock

    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=within))
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
        files = folder / "files"
        files.mkdir()  # From now on other processes may ask whether this one lives.
        _remove_left(folder)
        yield files
    finally:
        lock.release()
        remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder into which processes that are being ended may write for a moment."""
    for _ in range(_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_PAUSE_S)


def _remove_left(own: Path) -> None:
    user = own.stat().st_uid
    for files in own.parent.glob(f"{_PREFIX}*/files"):
        with contextlib.suppress(OSError):  # Another process may remove it at the same time.
            if files.lstat().st_uid == user and not _is_in_use(files.parent):
                shutil.rmtree(files.parent, ignore_errors=True)


def _is_in_use(folder: Path) -> bool:
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / "lock").acquire(blocking=False):
            return False
    except Timeout:
        return True
