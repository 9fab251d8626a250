"""A folder in which each run replaces what the runs before it wrote, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mien.core.errors import OutputError
from mien.core.files import write_atomically

LIST_NAME = ".mien-files"
"""The file in the folder that names what runs wrote there, a name a line."""


class OwnFiles:
    """The files of a folder that runs of one command wrote.

    Args:
        folder: The folder; it need not exist.

    Raises:
        OutputError: if their list cannot be read.

    Attributes:
        names: Their names.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._list = folder / LIST_NAME
        try:
            text = self._list.read_text(errors="replace") if self._list.exists() else ""
        except OSError as error:
            raise OutputError(f"{self._list} cannot be read: {error.strerror}.") from None
        # A list from elsewhere may not lead out of the folder.
        self.names = {name for name in text.split() if Path(name).name == name}

    def refuse_others(self, paths: Iterable[Path]) -> None:
        """Raise OutputError for the first of these files of the folder that no run wrote."""
        for path in paths:
            if path.name not in self.names:
                raise OutputError(
                    f"{path} would be replaced or removed, and no run before is known to have "
                    "written it: name another folder, or move it away."
                )

    def add(self, name: str) -> Path:
        """Return the path of a file that is to be written now, after listing it.

        Raises:
            OutputError: if the list cannot be written.
        """
        if name not in self.names:
            self.names.add(name)
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                with self._list.open("a") as file:
                    file.write(f"{name}\n")
            except OSError as error:
                raise OutputError(f"{self._list} cannot be written: {error.strerror}.") from None
        return self._folder / name

    def keep(self, names: set[str]) -> None:
        """Remove the other files on the list, and list these alone.

        Raises:
            OutputError: if a file cannot be removed, or the list cannot be written.
        """
        for path in (self._folder / name for name in self.names - names):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(f"{path} cannot be removed: {error.strerror}.") from None
        self.names = names
        write_atomically(self._list, "".join(f"{name}\n" for name in sorted(names)))
