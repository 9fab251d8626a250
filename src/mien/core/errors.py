"""What mien raises where an input, a file or a setting is wrong.

    MienError
    ├── DataError            a dataset, CSV file or table is not what it should be
    ├── ModelError           an artifact, a network or an experiment file is not usable
    ├── OutputError          a file cannot be written, or would take the place of another
    ├── SettingError         an option or a name that was chosen is not valid
    ├── SourceError          a camera, video, picture or address cannot be opened or read
    └── MissingExtraError    an optional dependency is not installed

A message says what was found, where, what was expected and what to do.
"""


class MienError(Exception):
    """Base of every error that mien raises on purpose."""


class DataError(MienError):
    """A dataset, CSV file or table is not what it should be."""


class ModelError(MienError):
    """An artifact, a network or an experiment file is not usable."""


class OutputError(MienError):
    """A file cannot be written, or would take the place of another one."""


class SettingError(MienError):
    """An option or a name that was chosen is not valid."""


class SourceError(MienError):
    """A camera, video, picture or address cannot be opened or read."""


class MissingExtraError(MienError):
    """An optional dependency is not installed; the message names the `pip install` to run."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"This needs the package '{package}', which is not installed: "
            f"run  pip install 'mien[{extra}]'"
        )
