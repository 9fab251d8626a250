"""Files that are either whole or not there, and never in one another's place."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from mien.core.errors import OutputError


def refuse_overwriting(inputs: Iterable[Path | None], outputs: Iterable[Path | None]) -> None:
    """Refuse an output that would take the place of an input, another output or a folder.

    Args:
        inputs: What is read; it need not exist. None is nothing.
        outputs: What is to be written. None is nothing.

    Raises:
        OutputError: if two names mean one file, or an output's is that of a folder; nothing has
            been touched by then.
    """
    read = {_identity(path) for path in inputs if path is not None}
    written: set[Path | tuple[int, int]] = set()
    for path in outputs:
        if path is None:
            continue
        if is_folder(path):
            raise OutputError(f"{path} is a folder: name a file to write to.")
        file = _identity(path)
        if file in read:
            raise OutputError(
                f"{path} is an input and would be overwritten: name another file to write to."
            )
        if file in written:
            raise OutputError(
                f"{path} is named for two outputs, and one would be overwritten: name a file for "
                "each."
            )
        written.add(file)


def is_folder(path: Path) -> bool:
    """Whether a path is known to be a folder; where the system does not tell, it is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def write_atomically(path: Path, content: bytes | str) -> None:
    r"""Write `content` to `path`, so that a reader sees the old file or the new one, never a part.

    Args:
        path: The file, or a link to it; its folder is made where it is missing. To a pipe or a
            device it is written as it is.
        content: What to write; a string is written as UTF-8 with its line ends as they are, and
            what cannot be (bytes of a file's name) as `\udc…`.

    Raises:
        OutputError: if it cannot be written.
        BrokenPipeError: if nobody reads the pipe any more.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    try:
        if is_special(path):
            path.write_bytes(data)
        else:
            _replace(path, data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error


def _replace(path: Path, data: bytes) -> None:
    temporary = temporary_beside(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        take_place(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _file_of(path: Path) -> Path:
    """Return the file that a symbolic link leads to, so that it is replaced and not the link."""
    return _real(path) if path.is_symlink() else path


def _real(path: Path) -> Path:
    # Path.resolve() fails where a link leads to itself.
    return Path(os.path.realpath(path))


def _identity(path: Path) -> Path | tuple[int, int]:
    """What is equal of two names of one file, however they are spelt, links included."""
    real = _real(path)
    try:
        status = real.stat()
    except OSError:
        return real
    # Some network file systems number no files.
    return (status.st_dev, status.st_ino) if status.st_ino else real


def take_place(temporary: Path, path: Path) -> None:
    """Give a finished file its name; who may read the one that it replaces may read it.

    Args:
        temporary: What `temporary_beside` made, written.
        path: Its name. Of a link, the file that it leads to is replaced.
    """
    target = _file_of(path)
    if target.exists():
        shutil.copymode(target, temporary)
    temporary.replace(target)


def hash_file(path: Path) -> str:
    """Return a file's SHA-256, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_special(path: Path) -> bool:
    """Whether a path is known to be a pipe or a device, which is written to and never replaced."""
    try:
        return path.exists() and not path.is_file() and not path.is_dir()
    except OSError:
        return False


def temporary_output(path: Path, suffix: str | None = None, begin: str = ".mien") -> Path:
    """Make the empty file of `temporary_beside` for an output that somebody has named.

    Raises:
        OutputError: if it cannot be made.
    """
    try:
        return temporary_beside(path, suffix, begin)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from None


def temporary_beside(path: Path, suffix: str | None = None, begin: str = ".mien") -> Path:
    """Make an empty file beside `path`, to be written and then to take its place.

    Args:
        path: What the file is going to be. Of a link, it is the file that it leads to; its folder
            is made where it is missing.
        suffix: How its name ends; as that of `path` if None.
        begin: How its name begins; with a dot, it is hidden.

    Raises:
        OSError: if no file can be made there, or `path` is a folder, a pipe or a device, whose
            place none can take.
    """
    path = _file_of(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if is_special(path):
        why = "it is a pipe or a device, whose place no file can take"
        raise OSError(errno.EINVAL, why, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = path.suffix if suffix is None else suffix
    while True:
        # Short: the name itself may be as long as a name can be.
        temporary = path.parent / f"{begin}.{secrets.token_hex(4)}{ending}"
        # Unlike a file of tempfile's, it has the rights of an ordinary one.
        with contextlib.suppress(FileExistsError):
            temporary.touch(exist_ok=False)
            return temporary
