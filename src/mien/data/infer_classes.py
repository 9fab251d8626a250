"""Which classes a dataset has, where nobody has named them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mien.core.artifact import MOST_LABELS
from mien.core.errors import DataError
from mien.core.labels import EMOTIONS
from mien.data.classes import FER2013_CLASSES, ClassTable, plain_name
from mien.data.dataset import Dataset
from mien.data.fer2013 import load_dataset
from mien.data.own_table import label_cells, no_labels
from mien.data.picture_folder import class_folders


def infer_classes(path: Path) -> ClassTable:
    """Name the classes of labelled faces as these are named.

    Names that are FER2013's, in its words or those of other datasets, become its emotions in its
    order; of other names each is a class, in alphabetical order.

    Args:
        path: A CSV file, or a folder with a folder of pictures per class.

    Raises:
        DataError: if there is no such data, it has no labels, or too many or too few.
    """
    if not path.exists():
        raise DataError(f"There is no {path}: expected a folder of faces or a CSV file.")
    names = class_folders(path) if path.is_dir() else label_cells(path)
    if names is None:
        raise no_labels(path)
    # One name of each class, however else it is written: capitals and composition do not matter.
    found = sorted({plain_name(name): name.strip() for name in sorted(names)}.values())
    found = [name for name in found if name]
    if path.is_dir() and len(found) < 2:
        raise DataError(
            f"{path} holds {f'one class, {found[0]!r}' if found else 'no folder of a class'}: "
            f"expected a folder of pictures for each class, at least two, such as "
            f"{path / 'happy' / '1.jpg'} and {path / 'sad' / '1.jpg'}."
            + (_folder_below(path / found[0]) if found else "")
        )
    if not 2 <= len(found) <= MOST_LABELS:
        shown = ", ".join(map(repr, found[:12])) + (", …" if len(found) > 12 else "")
        raise DataError(
            f"{path} has {len(found)} classes ({shown or 'none'}); expected 2 to {MOST_LABELS}. "
            "Name them in a recipe's table [classes], with other_names for what the data call them "
            "and left_out for what is not to be learnt."
        )
    return _as_emotions(found) or ClassTable(tuple(found))


def load_any_faces(path: Path, classes: ClassTable = FER2013_CLASSES) -> Dataset:
    """Read faces whatever they are called: by these classes, else by those that their names make.

    Raises:
        DataError: if they cannot be read; see `mien.data.fer2013.load_dataset`.
    """
    try:
        return load_dataset(path, classes)
    except DataError as error:
        try:
            return load_dataset(path, infer_classes(path))
        except DataError:
            # What else is wrong with them is said of the classes that were expected.
            raise error from None


def _folder_below(folder: Path) -> str:
    """Say that the folder, alone in one of faces, holds the folders of the classes, if it does."""
    if FER2013_CLASSES.label_of(folder.name) is not None or not folder.is_dir():
        return ""
    try:
        classes = infer_classes(folder)
    except DataError:
        return ""
    shown = ", ".join(classes.names[:3]) + (", …" if len(classes.names) > 3 else "")
    return f" {folder} holds such folders ({shown}): name that one."


def _as_emotions(found: Iterable[str]) -> ClassTable | None:
    """Return the emotions of FER2013 that these names mean; None unless all mean one."""
    labels = {name: FER2013_CLASSES.label_of(name) for name in found}
    known = {name: EMOTIONS[label] for name, label in labels.items() if label is not None}
    if len(known) < len(labels):
        return None
    emotions = tuple(emotion for emotion in EMOTIONS if emotion in known.values())
    if len(emotions) < 2:
        return None
    return ClassTable(
        emotions, {name: emotion for name, emotion in known.items() if name != emotion}
    )
