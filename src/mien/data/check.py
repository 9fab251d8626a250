"""`mien data check`: what was found in somebody's faces, what was skipped and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.data.classes import FER2013_CLASSES, ClassTable
from mien.data.csv_file import has_fer2013_header
from mien.data.dataset import Dataset
from mien.data.fer2013 import load_dataset
from mien.data.infer_classes import infer_classes
from mien.data.own_table import label_cells
from mien.data.split import groups_of_copies
from mien.data.test_faces import find_test_faces
from mien.data.usage import TEST_USAGES, TRAINING, USAGES, VALIDATION

FEW_FACES = 20
"""A class with fewer faces is named: little can be learnt or measured of it."""

_SHOWN = 5


def check_faces(
    path: Path, classes: ClassTable | None = None, *, groups: str = ""
) -> Iterator[str]:
    """Say in lines what a file or folder of faces holds, and what to mind.

    Args:
        path: See `mien.data.fer2013.load_dataset`.
        classes: The classes, and what the data call them; None for the names that the data use.
        groups: The column that names each face's group; for a folder a regular expression.

    Raises:
        DataError: if it cannot be read.
    """
    if classes is None:
        classes = infer_classes(path) if _names_own_classes(path) else FER2013_CLASSES
    faces = load_dataset(path, classes, groups=groups)
    yield f"{path}: {len(faces.faces_u8):,} faces"
    yield from _classes(faces)
    yield from _uses(faces)
    yield from _groups(faces)
    yield from _skipped(faces)
    yield from _copies(faces)


def _names_own_classes(path: Path) -> bool:
    if path.is_file():
        names = set(label_cells(path) or ())
        own = any(FER2013_CLASSES.label_of(name) is None for name in names)
        return own or (bool(names) and not has_fer2013_header(path))
    return path.is_dir()


def _classes(faces: Dataset) -> Iterator[str]:
    if faces.labels is None:
        yield "  no labels: to predict, not to train or measure"
        return
    names = faces.classes.names
    counts = np.bincount(faces.labels, minlength=len(names))
    for name, count in zip(names, counts, strict=True):
        remark = ""
        if not count:
            remark = "   none: leave the class out of [classes] names"
        elif count < FEW_FACES:
            remark = "   few: its figures will say little"
        yield f"  {count:7,}  {name}{remark}"


def _uses(faces: Dataset) -> Iterator[str]:
    if faces.usage is None:
        yield (
            "  no word of what a face is for: a part chooses the epoch; the test is for you to keep"
        )
        return
    counts = Counter(faces.usage.tolist())
    yield "  for: " + ", ".join(f"{counts[use]:,} {use}" for use in USAGES if counts[use])
    if not counts[TRAINING]:
        yield "  none is for training: name some 'train'"
    if counts[TRAINING] and not counts[VALIDATION]:
        yield "  none is for validation: a part of the training faces chooses the epoch"
    if not any(counts[use] for use in TEST_USAGES):
        yield "  none is for the test: keep some that no training has seen"


def _groups(faces: Dataset) -> Iterator[str]:
    if faces.groups is None:
        yield "  no groups: if several faces are of one person, name the persons with --groups"
        return
    sizes = Counter(faces.groups.tolist())
    least, most = min(sizes.values()), max(sizes.values())
    faces_each = f"{least:,}" if most == least else f"{least:,} to {most:,}"
    yield (
        f"  {len(sizes):,} groups of {faces_each} faces, such as {min(sizes)!r}, each on one side "
        "of every split"
    )
    if faces.usage is not None:
        uses: dict[str, set[str]] = {}
        for group, use in zip(faces.groups.tolist(), faces.usage.tolist(), strict=True):
            uses.setdefault(group, set()).add(use)
        torn = sorted(group for group, of_group in uses.items() if len(of_group) > 1)
        if torn:
            shown = ", ".join(torn[:_SHOWN]) + (", …" if len(torn) > _SHOWN else "")
            yield f"  {len(torn):,} groups have faces for more than one use: {shown}"


def _skipped(faces: Dataset) -> Iterator[str]:
    for reason, names in faces.names_of_skipped().items():
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        yield f"  {len(names):,} skipped, {reason}: {shown}"


def _of_several(pictures: NDArray[np.int64], values: NDArray[Any]) -> int:
    """How many pictures have copies of more than one value."""
    pairs = set(zip(pictures.tolist(), values.tolist(), strict=True))
    return sum(count > 1 for count in Counter(picture for picture, _ in pairs).values())


def _copies(faces: Dataset) -> Iterator[str]:
    groups = groups_of_copies(faces.faces_u8)
    copies = len(groups) - len(np.unique(groups))
    if copies:
        sides = "" if faces.usage is not None else "; copies stay on one side of every split"
        yield f"  {copies:,} are exact copies of others{sides}"
    if faces.usage is not None and (torn := _of_several(groups, faces.usage)):
        yield (
            f"  {torn:,} pictures lie in more than one use: no copy of a validation face "
            "trains, but copies of test faces do"
        )
    if faces.labels is not None and (contradicted := _of_several(groups, faces.labels)):
        yield f"  {contradicted:,} pictures have copies with different labels"
    of_test = find_test_faces(faces.faces_u8)
    known = len(np.unique(of_test[of_test >= 0]))
    if known:
        yield (
            f"  {known:,} are FER2013's test faces: not for training, and scoring them is counted"
        )
