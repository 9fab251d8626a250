"""Paths on the command line, all read alike.

`~` is the user's folder, `file://…` a file of this machine, and an empty text, which would mean the
folder that one is in, is refused. Typer's own paths know none of that.
"""

from __future__ import annotations

from pathlib import Path

_STANDARD_OUTPUT = "-"


def to_read(text: str) -> Path:
    """Read the path of an input.

    Raises:
        SourceError: if the text is empty, or the address of something on another machine.
    """
    from mien.media.local_path import path_here

    return path_here(text)


def to_write(text: str) -> Path:
    """Read the path of an output that cannot go to standard output.

    Raises:
        OutputError: if the text is empty, `-`, or the address of something on another machine.
    """
    from mien.core.errors import OutputError

    if text == _STANDARD_OUTPUT:
        raise OutputError(
            "Standard output (-) takes records in CSV and JSON Lines and the summary of a video "
            "alone: name a file or folder to write to."
        )
    return text_to_write(text)


def text_to_write(text: str) -> Path:
    """Read the path of an output in text, where `-` is standard output.

    Raises:
        OutputError: if the text is empty, or the address of something on another machine.
    """
    from mien.core.errors import OutputError, SourceError
    from mien.media.local_path import path_here

    try:
        return path_here(text)
    except SourceError as error:
        raise OutputError(f"An output cannot be written: {error}") from None


def network_over_time(text: str) -> str:
    """Read what is chosen as the temporal network: a file's path, `shipped` or `none`.

    Raises:
        SourceError: as `to_read`.
    """
    from mien.engine.settings import NO_TEMPORAL, SHIPPED_TEMPORAL

    return text if text in (NO_TEMPORAL, SHIPPED_TEMPORAL) else str(to_read(text))
