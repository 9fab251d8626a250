"""What on this machine a text means: a path, one below `~`, or the address of a file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mien.core.errors import SourceError
from mien.media.source import without_secrets

_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


def is_address(text: str) -> bool:
    """Whether a text is an address, such as `s3://bucket/key`, and no path."""
    return _ADDRESS.match(text) is not None


def local_path(place: str | os.PathLike[str]) -> Path | None:
    """Return the file or folder that a path or a `file://` address means; None for other addresses.

    It need not exist.

    Raises:
        SourceError: if the text is empty: it would mean the folder that one is in.
    """
    text = os.fspath(place)
    if not text:
        raise SourceError(
            "Found an empty text, as a shell makes it of a variable that is not set; expected a "
            "path or an address. The folder that you are in is called  ."
        )
    address = urlsplit(text) if text.lower().startswith("file://") else None
    if address is not None and address.netloc in ("", "localhost"):
        return Path(url2pathname(address.path))
    # Path.expanduser() fails for a file called ~a.mp4.
    return None if is_address(text) else Path(os.path.expanduser(text))  # noqa: PTH111


def path_here(place: str | os.PathLike[str]) -> Path:
    """Return the file or folder that a path or a `file://` address means; see `local_path`.

    Raises:
        SourceError: if the text is empty, or the address of something on another machine.
    """
    path = local_path(place)
    if path is None:
        raise SourceError(
            f"Found the address {without_secrets(os.fspath(place))}; expected a file or folder of "
            "this machine. Download what is to be read."
        )
    return path
