"""Download FER2013, and FER+'s votes on its faces, and see that they are what they should be."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as ProgressBar

from mien.core.errors import DataError, MienError
from mien.core.fetch import Progress, fetch
from mien.core.labels import EMOTIONS
from mien.data.fer2013 import LABELLED, TRAINING_FILE, UNLABELLED, load_dataset
from mien.data.ferplus import load_votes

FER2013_URL = "https://assets.01-edu.org/ai-branch/project3/emotions-detector.zip"
FERPLUS_URL = (
    "https://raw.githubusercontent.com/microsoft/FERPlus/"
    "8ad5426c7b69e86e78afccb42c5f516850f52a28/fer2013new.csv"
)
"""FER+'s votes with the column `Image name`, the newest version of the file."""

VOTES = "fer2013new.csv"

Parts = Mapping[str, tuple[int, ...]]
"""Consecutive rows of a file: the name of each part, and how many faces of each label it has."""

FER2013: Mapping[str, Parts] = {
    TRAINING_FILE: {"Training": (3995, 436, 4097, 7215, 4830, 3171, 4965)},
    LABELLED: {
        "PublicTest": (467, 56, 496, 895, 653, 415, 607),
        "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
    },
}
"""What the labelled files hold."""

_FACES = sum(sum(counts) for parts in FER2013.values() for counts in parts.values())
_STAGING = ".download"


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """What was found in a file.

    Attributes:
        path: The file.
        count: Number of faces.
        content: What the file says of them, for people.
    """

    path: Path
    count: int
    content: str


def download(
    directory: Path,
    say: Callable[[str], None],
    *,
    source: str | None = None,
    votes_source: str | None = None,
    contents: Mapping[str, Parts] = FER2013,
) -> None:
    """Download FER2013 and FER+'s votes, and say what has come.

    Files that are there already and are right are not downloaded again, unless a source is named.
    Without the votes FER2013 is whole all the same: that is said, not raised.

    Args:
        directory: Gets the files.
        say: Called with each line for the user.
        source: Address or path of FER2013's zip archive; `FER2013_URL` if None.
        votes_source: Address or path of FER+'s file; `FERPLUS_URL` if None.
        contents: What the labelled files must hold.

    Raises:
        SourceError: if FER2013 cannot be fetched.
        DataError: if it is not what it should be.
    """
    files = None if source else _files_already_there(directory, contents, say)
    if files is None:
        with _progress_bar("FER2013") as progress:
            files = download_fer2013(
                directory, source or FER2013_URL, contents=contents, progress=progress
            )
    for file in files:
        say(f"{file.path}: {file.count:,} faces: {file.content}")
    count = sum(sum(counts) for parts in contents.values() for counts in parts.values())
    try:
        votes = download_votes(directory, votes_source, count=count)
    except MienError as error:
        say(
            f"{directory / VOTES} is missing: {error} FER2013 is complete; only recipes that learn "
            "from FER+'s votes need this file. Run the command again, or put it there yourself."
        )
        return
    say(f"{votes.path}: {votes.count:,} faces: {votes.content}")


def _files_already_there(
    directory: Path, contents: Mapping[str, Parts], say: Callable[[str], None]
) -> list[DownloadedFile] | None:
    if not all((directory / name).is_file() for name in [*contents, UNLABELLED]):
        return None
    try:
        files = verify_fer2013(directory, contents)
    except DataError as error:
        say(f"{error} Downloading it again.")
        return None
    say(f"FER2013 is in {directory} already.")
    return files


@contextmanager
def _progress_bar(name: str) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with ProgressBar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)

        def report(done: int, total: int | None) -> None:
            unpacking = done == total
            bar.update(
                task,
                completed=done,
                total=total,
                description=f"{name}, unpacking and checking" if unpacking else name,
            )

        yield report


def download_fer2013(
    directory: Path,
    source: str = FER2013_URL,
    *,
    contents: Mapping[str, Parts] = FER2013,
    progress: Progress | None = None,
) -> list[DownloadedFile]:
    """Download FER2013 and unpack it.

    Everything is fetched, unpacked and verified in a folder `.download` in `directory`, and only
    then moved to `directory`, over older files of the same names. When something is wrong that
    folder is left: a later call goes on with the download, and people can look into the files.

    Args:
        directory: Gets `train.csv`, `test.csv` and `test_with_emotions.csv`.
        source: Address or path of the zip archive.
        contents: What the labelled files must hold.
        progress: Called with the bytes that have come and the bytes in all.

    Returns:
        The files.

    Raises:
        SourceError: if the archive cannot be fetched.
        DataError: if it is not a whole zip archive, lacks a file, or a file does not hold what it
            should.
    """
    staging = directory / _STAGING
    archive = fetch(source, staging / "emotions-detector.zip", progress=progress)
    names = [*contents, UNLABELLED]
    try:
        _unpack(archive, staging, names, source)
    finally:
        archive.unlink()
    verify_fer2013(staging, contents)
    for name in names:
        (staging / name).replace(directory / name)
    shutil.rmtree(staging)
    # Once more where they stay, which fills the cache of the readers.
    return verify_fer2013(directory, contents)


def download_votes(
    directory: Path, source: str | None = None, *, count: int = _FACES
) -> DownloadedFile:
    """Download FER+'s votes, unless they are there already and no source is named.

    Args:
        directory: Gets `fer2013new.csv`.
        source: Address or path of the file; `FERPLUS_URL` if None.
        count: How many faces it must have votes on.

    Raises:
        SourceError: if the file cannot be fetched.
        DataError: if it is not FER+'s.
    """
    votes = directory / VOTES
    if source is not None or not votes.is_file():
        staged = fetch(source or FERPLUS_URL, directory / f".{VOTES}")
        _verify_votes(staged, count)
        staged.replace(votes)
    return _verify_votes(votes, count)


def verify_fer2013(
    directory: Path, contents: Mapping[str, Parts] = FER2013
) -> list[DownloadedFile]:
    """See that the files in a folder hold FER2013: rows, labels, their order and pixels.

    Raises:
        DataError: if a file is missing or holds something else.
    """
    files = [_verify_labelled(directory / name, parts) for name, parts in contents.items()]
    labelled = load_dataset(directory / LABELLED)
    unlabelled = load_dataset(directory / UNLABELLED)
    if not np.array_equal(labelled.faces_u8, unlabelled.faces_u8):
        raise DataError(
            f"{unlabelled.source} and {labelled.source} do not hold the same faces in the same "
            "order; expected the first to be the second without labels."
        )
    count = len(unlabelled.faces_u8)
    return [*files, DownloadedFile(unlabelled.source, count, f"those of {LABELLED}, unlabelled")]


def _verify_labelled(path: Path, parts: Parts) -> DownloadedFile:
    dataset = load_dataset(path)
    expected = np.array(list(parts.values()))
    if dataset.labels is None or len(dataset.labels) != expected.sum():
        labelled = "unlabelled" if dataset.labels is None else "labelled"
        raise DataError(
            f"{path} holds {len(dataset.faces_u8):,} {labelled} faces; FER2013's has "
            f"{expected.sum():,}, labelled."
        )
    ends = expected.sum(axis=1).cumsum()
    for name, counts, labels in zip(
        parts, expected, np.split(dataset.labels, ends[:-1]), strict=True
    ):
        found = np.bincount(labels, minlength=len(EMOTIONS))
        if not np.array_equal(found, counts):
            raise DataError(
                f"{path}: the rows of {name} hold {_name_counts(found)}; FER2013's have "
                f"{_name_counts(counts)}."
            )
    darkest, brightest = dataset.faces_u8.min(), dataset.faces_u8.max()
    if (darkest, brightest) != (0, 255):
        raise DataError(f"{path}: pixels go from {darkest} to {brightest}; expected 0 to 255.")
    return DownloadedFile(path, len(dataset.labels), _name_counts(expected.sum(axis=0)))


def _name_counts(counts: NDArray[np.integer]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in zip(EMOTIONS, counts, strict=True))


def _verify_votes(path: Path, count: int) -> DownloadedFile:
    votes = load_votes(path)
    if len(votes) != count:
        raise DataError(f"{path} holds votes on {len(votes):,} faces; expected {count:,}.")
    return DownloadedFile(path, count, "ten raters' votes on each")


def _unpack(archive: Path, directory: Path, names: list[str], source: str) -> None:
    """Unpack the named files into `directory`, whatever folders of the archive they lie in."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = {
                PurePosixPath(member.filename).name: member
                for member in opened.infolist()
                # macOS adds a hidden shadow of each file.
                if not member.filename.startswith("__MACOSX/")
            }
            missing = [name for name in names if name not in members]
            if missing:
                raise DataError(
                    f"{source} lacks {', '.join(missing)}; it holds "
                    f"{', '.join(sorted(members)) or 'nothing'}."
                )
            for name in names:
                # Written under the name that was asked for, so nothing lands elsewhere.
                with opened.open(members[name]) as packed, (directory / name).open("wb") as file:
                    shutil.copyfileobj(packed, file, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{source} is not a whole zip archive that can be unpacked "
            f"({error or type(error).__name__}); download it again."
        ) from error
    except OSError as error:
        raise DataError(
            f"{error.filename or directory} cannot be written: {error.strerror}. FER2013 takes "
            "361 MB unpacked."
        ) from error
