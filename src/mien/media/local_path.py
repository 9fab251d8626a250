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
_BASE64 = re.compile(r"(?i:data:[^,]{,200};base64,)|[A-Za-z0-9+/=\s]{1000,}\Z")
_LONGEST_PATH = 4096
_SHOWN = 60  # characters of a text that is no path


def is_address(text: str) -> bool:
    """Whether a text is an address, such as `s3://bucket/key`, and no path."""
    return _ADDRESS.match(text) is not None


def local_path(place: str | os.PathLike[str]) -> Path | None:
    """Return the file or folder that a path or a `file://` address means; None for other addresses.

    It need not exist.

    Raises:
        SourceError: if the text is empty: it would mean the folder that one is in; or if it is what
            a file holds.
    """
    text = os.fspath(place)
    if not text:
        raise SourceError(
            "Found an empty text, as a shell makes it of a variable that is not set; expected a "
            "path or an address. The folder that you are in is called  ."
        )
    _refuse_content(text)
    try:
        address = urlsplit(text) if text.lower().startswith("file://") else None
    except ValueError as error:
        raise SourceError(f"{text} is no address: {error}.") from None
    if address is not None and address.netloc in ("", "localhost"):
        return Path(url2pathname(address.path))
    # Path.expanduser() fails for a file called ~a.mp4.
    return None if is_address(text) else Path(os.path.expanduser(text))  # noqa: PTH111


def _refuse_content(text: str) -> None:
    """Raise SourceError, which does not repeat all of it, for a text that is no path or address."""
    begin = f"{len(text):,} characters that begins {text[:_SHOWN]!r}; expected a path or an address"
    if _BASE64.match(text):
        raise SourceError(
            f"Found Base64 text of {begin}. As a picture it is"
            '  Image.open(io.BytesIO(base64.b64decode(text.rpartition(",")[2])))'
        )
    if len(text) > _LONGEST_PATH:
        raise SourceError(f"Found a text of {begin}.")


def path_here(place: str | os.PathLike[str]) -> Path:
    """Return the file or folder that a path or a `file://` address means; see `local_path`.

    Raises:
        SourceError: if the text is none, or the address of something on another machine.
    """
    path = local_path(place)
    if path is None:
        raise SourceError(
            f"Found the address {without_secrets(os.fspath(place))}; expected a file or folder of "
            "this machine. Download what is to be read."
        )
    return path
