"""The files of a folder of data, and of the folders inside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mien.media.picture_files import is_hidden


def visible(folder: Path) -> list[Path]:
    """Return what a folder holds by name, without what notebooks and systems leave hidden."""
    return sorted(entry for entry in folder.iterdir() if not is_hidden(entry))


def files_below(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Give each visible file of a folder and of the folders inside it, by name.

    A link to a folder is followed, unless it leads to one that holds the link: its files come by
    themselves.

    Args:
        folder: The folder.
        above: Where the folders lie through which it was reached.
    """
    here = folder.resolve()
    if any(each.is_relative_to(here) for each in above):
        return
    for entry in visible(folder):
        if entry.is_dir():
            yield from files_below(entry, (*above, here))
        else:
            yield entry
