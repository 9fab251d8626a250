"""What on this machine a text means: a path, one below `~`, or the address of a file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


def local_path(place: str | os.PathLike[str]) -> Path | None:
    """Return the file or folder that a path or a `file://` address means; None for other addresses.

    It need not exist.
    """
    text = str(place)
    address = urlsplit(text) if text.lower().startswith("file://") else None
    if address is not None and address.netloc in ("", "localhost"):
        return Path(url2pathname(address.path))
    # Path.expanduser() fails for a file called ~a.mp4.
    return None if _URL.match(text) else Path(os.path.expanduser(text))  # noqa: PTH111
