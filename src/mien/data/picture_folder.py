"""A reader for a folder that holds a folder of pictures per class.

Above the folders of the classes there may be one for each use: `train`, `val`, `test`. Folders
inside a class are read too; the first one names the group (a person, say) of its pictures. Pictures
in a folder without folders have no labels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError, SourceError
from mien.core.preprocess import FACE_SIZE
from mien.data.classes import LEFT_OUT, ClassTable, unknown_names
from mien.data.dataset import LEFT_OUT_BY_RECIPE, Dataset, Skipped, group_name
from mien.data.usage import USAGE_OF_NAME
from mien.data.walk import files_below, visible
from mien.media.image import scale_square
from mien.media.picture_files import read_image

_HEIC_EXTRA = "mien[heic]"
_PATTERN_MARKS = frozenset(r"\.^$*+?{}[]|()")


class _Picture(NamedTuple):
    path: Path
    label: int | None
    usage: str
    group: str


def read_picture_folder(folder: Path, classes: ClassTable, groups: str = "") -> Dataset:
    """Read every picture of a face in a folder per class.

    Args:
        folder: Holds folders named after classes, or pictures alone; hidden ones are passed over.
        classes: The classes, and what the folders call them.
        groups: A regular expression that finds the group in a picture's path below its class
            (the first bracket of it, or all of it); empty for the folder inside the class.

    Returns:
        By use, class and name. Of a picture that is not square, the square in its middle is taken.
        What cannot be read as a picture is skipped.

    Raises:
        DataError: if a folder is not named after a class, no picture can be read, or the
            expression finds no group in a picture's path.
    """
    skipped: list[Skipped] = []
    faces, pictures = [], []
    for picture in _pictures(folder, classes, groups):
        if picture.label == LEFT_OUT:
            skipped.append(Skipped(str(picture.path.relative_to(folder)), LEFT_OUT_BY_RECIPE))
            continue
        try:
            faces.append(read_face(picture.path))
        except SourceError as error:
            name = str(picture.path.relative_to(folder))
            skipped.append(Skipped(name, why_skipped(picture.path, error)))
            continue
        pictures.append(picture)
    if not pictures:
        why = f" ({len(skipped)} files were skipped: {skipped[0].reason})" if skipped else ""
        raise DataError(
            f"{folder} holds no picture that can be read in a folder named after a class{why}; "
            f"expected pictures in {folder / classes.names[0]}, {folder / classes.names[1]} and so "
            "on."
        )
    labels = [picture.label for picture in pictures if picture.label is not None]
    has_usage = any(picture.usage for picture in pictures)
    has_groups = any(picture.group for picture in pictures)
    return Dataset(
        faces_u8=np.stack(faces),
        labels=np.array(labels, dtype=np.int64) if labels else None,
        usage=np.array([picture.usage for picture in pictures]) if has_usage else None,
        source=folder,
        classes=classes,
        groups=np.array([_group(picture, folder) for picture in pictures]) if has_groups else None,
        files=tuple(str(picture.path.relative_to(folder)) for picture in pictures),
        skipped=tuple(skipped),
    )


def read_face(path: Path) -> NDArray[np.uint8]:
    """Read a picture as a face: upright, grey, the square in its middle, scaled to 48 × 48.

    Returns:
        (48, 48) uint8.

    Raises:
        SourceError: if the file is not a picture that mien reads
            (`mien.media.picture_files.read_image`).
    """
    return square_face(cv2.cvtColor(read_image(path), cv2.COLOR_BGR2GRAY))


def why_skipped(path: Path, error: SourceError) -> str:
    """Return in few words, the same ones for many pictures, why one could not be read."""
    if _HEIC_EXTRA in str(error):
        return f"HEIC, which  pip install '{_HEIC_EXTRA}'  lets mien read"
    try:
        is_there = path.exists()
    except (OSError, ValueError):  # The name is none of a file.
        is_there = False
    return "not a picture that can be read" if is_there else "no such file"


def square_face(grey: NDArray[Any]) -> NDArray[np.uint8]:
    """Cut the square in the middle out of a grey picture, and scale it to 48 × 48.

    Args:
        grey: (H, W) uint8.

    Returns:
        (48, 48) uint8.
    """
    height, width = grey.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = grey[top : top + side, left : left + side]
    return scale_square(square, FACE_SIZE)


def _pictures(folder: Path, classes: ClassTable, groups: str) -> Iterator[_Picture]:
    pattern = _compile(groups)
    of_class = _folders_of_classes(folder)
    if not of_class:
        for path in filter(Path.is_file, visible(folder)):
            yield _Picture(path, None, "", "")
    names = [entry.name for _, entry in of_class]
    if any(classes.label_of(name) is None for name in names):
        raise unknown_names(names, classes, str(folder))
    for usage, directory in of_class:
        label = classes.label_of(directory.name)
        assert label is not None
        for path in filter(Path.is_file, files_below(directory)):
            below = path.relative_to(directory)
            yield _Picture(path, label, usage, _group_of(below, pattern, path))


def class_folders(folder: Path) -> list[str]:
    """Return the names of the folders of classes in a folder of faces, for each use again."""
    return [entry.name for _, entry in _folders_of_classes(folder)]


def _folders_of_classes(folder: Path) -> list[tuple[str, Path]]:
    """Return the folder of each class with the use of its faces; "" where no use is named."""
    directories = [entry for entry in visible(folder) if entry.is_dir()]
    uses = {entry: USAGE_OF_NAME.get(entry.name.strip().casefold()) for entry in directories}
    of_uses = [entry.name for entry, usage in uses.items() if usage]
    if of_uses and len(of_uses) < len(uses):
        others = [entry.name for entry, usage in uses.items() if not usage]
        raise DataError(
            f"{folder} holds folders named after a use ({', '.join(of_uses)}) beside others "
            f"({', '.join(others)}); expected a folder for each use ({', '.join(USAGE_OF_NAME)}), "
            "or one for each class: rename or move the others."
        )
    if of_uses:
        of_use = [(str(usage), entry) for use, usage in uses.items() for entry in visible(use)]
    else:
        of_use = [("", entry) for entry in directories]
    return [(usage, entry) for usage, entry in of_use if entry.is_dir()]


def _compile(groups: str) -> re.Pattern[str] | None:
    if groups and not _PATTERN_MARKS.intersection(groups):
        raise DataError(
            f"{groups!r} is the same in every path: for a folder, groups is a regular expression "
            "that finds the group in a picture's path, such as '^[^_/]+' for anna_01.jpg."
        )
    try:
        return re.compile(unicodedata.normalize("NFC", groups)) if groups else None
    except re.error as error:
        raise DataError(
            f"{groups!r} is not a regular expression ({error}); for a folder, groups is one that "
            "finds the group in a picture's path, such as '^[^_/]+' for anna_01.jpg."
        ) from None


def _group_of(below: Path, pattern: re.Pattern[str] | None, path: Path) -> str:
    if pattern is None:
        return group_name(below.parts[0]) if len(below.parts) > 1 else ""
    match = pattern.search(unicodedata.normalize("NFC", below.as_posix()))
    if match is None:
        raise DataError(
            f"{path}: the expression {pattern.pattern!r} finds no group in {below.as_posix()!r}."
        )
    return match[1] if pattern.groups else match[0]


def _group(picture: _Picture, folder: Path) -> str:
    # A picture without a group stands alone, by a name that holds wherever the folder lies.
    return picture.group or picture.path.relative_to(folder).as_posix()
