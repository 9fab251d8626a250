"""A lock on an open file, which keeps other processes of mien from what it stands for."""

from __future__ import annotations

import errno
import os
import sys

_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})
"""How systems say that another process has a lock; other errors say that there can be none."""

# Windows lets nobody else read what is locked, but what lies behind the end can be locked as well.
_LOCKED_BYTE = (1 << 31) - 1


def try_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed, also by the end of a process that is killed.

    On a file system that knows no locks (some network drives), nothing is locked.

    Args:
        descriptor: The file's, opened for writing. Whoever reads the file is not kept from it.

    Returns:
        False if it is locked already, by another process or as another open file of this one.
    """
    try:
        lock(descriptor)
    except OSError as error:
        return error.errno not in _TAKEN
    return True


def lock(descriptor: int) -> None:
    """Lock an open file as `try_lock` does, or tell why not.

    Raises:
        OSError: if it is locked already, or its file system knows no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, place, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
