"""Temporary folders that do not outlast their process for long, however it ends.

A process holds a lock in its folder as long as it lives, so that a folder whose lock is free has
been left. Of what cannot be locked (on some network drives), nobody knows, and it is never removed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mien.core.lock import lock

_PREFIX = "mien-temp-"
_LOCK = "lock"
_LOCKED_FILES, _UNLOCKED_FILES = "files", "unlocked"
_ATTEMPTS, _PAUSE_S = 50, 0.1


@contextlib.contextmanager
def temporary_folder(within: Path | None = None) -> Iterator[Path]:
    """Make a temporary folder of this process, and remove it at the end; see `remove_left` as well.

    Args:
        within: Where it is made; None for where this machine's temporary files go.

    Raises:
        OSError: if it cannot be made.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=within))
    with contextlib.ExitStack() as stack:
        stack.callback(remove_folder, folder)
        file = stack.enter_context((folder / _LOCK).open("wb"))
        try:
            lock(file.fileno())
            files = folder / _LOCKED_FILES
        except OSError:
            files = folder / _UNLOCKED_FILES
        files.mkdir()  # From now on other processes may ask whether this one lives.
        remove_left(folder.parent)
        yield files


def remove_left(within: Path | None = None) -> None:
    """Remove the temporary folders that killed processes of the same user have left.

    Args:
        within: Where they were made; None for where this machine's temporary files go.
    """
    place = Path(tempfile.gettempdir()) if within is None else within
    for files in place.glob(f"{_PREFIX}*/{_LOCKED_FILES}"):
        with contextlib.suppress(OSError):  # Another process may remove it at the same time.
            if _is_ours(files.parent) and not _is_in_use(files.parent):
                shutil.rmtree(files.parent, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder into which processes that are being ended may write for a moment."""
    for _ in range(_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_PAUSE_S)


def _is_ours(folder: Path) -> bool:
    return sys.platform == "win32" or folder.lstat().st_uid == os.geteuid()


def _is_in_use(folder: Path) -> bool:
    try:
        # Made where it is missing: somebody was killed while removing the folder, or made it anew.
        with (folder / _LOCK).open("ab") as file:
            lock(file.fileno())
    except OSError:
        return True
    return False
