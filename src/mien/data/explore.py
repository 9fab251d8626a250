"""`mien data explore`: what is in a dataset, as a report and as figures to look at.

The figures show the faces themselves, so what this writes is not committed.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.core.files import write_atomically
from mien.data import explore_figures
from mien.data.classes import FER2013_CLASSES
from mien.data.dataset import Dataset, in_few_words, name_of_data
from mien.data.infer_classes import load_any_faces
from mien.data.split import groups_of_copies
from mien.data.usage import USAGES

LOW_CONTRAST = 5
"""Grey values; a picture of a face deviates by more."""


@dataclass(frozen=True, slots=True)
class SplitReport:
    """What one split holds.

    Attributes:
        source: The file or folder.
        faces: How many.
        classes: How many of each class; None where the split has no labels.
        largest_to_smallest: Size of the largest class over that of the smallest that has a face;
            None without labels.
        brightness: Mean over all pixels of all faces, 0 to 255.
        brightness_deviation: Standard deviation of the faces' own means.
        brightness_of_class: Mean over all pixels of each class's faces; None without labels.
        without_contrast: Faces whose grey values have a standard deviation below
            `LOW_CONTRAST`, and so show nothing.
    """

    source: str
    faces: int
    classes: dict[str, int] | None
    largest_to_smallest: float | None
    brightness: float
    brightness_deviation: float
    brightness_of_class: dict[str, float] | None
    without_contrast: int


@dataclass(frozen=True, slots=True)
class CopiesReport:
    """Exact copies of pictures within one split.

    Attributes:
        pictures: Pictures of which there is more than one copy.
        faces: All copies of them.
        conflicting_pictures: Those of the pictures that have more than one label.
        conflicting_faces: All copies of these.
    """

    pictures: int
    faces: int
    conflicting_pictures: int
    conflicting_faces: int


@dataclass(frozen=True, slots=True)
class SharedReport:
    """Pictures that are in two splits, pixel by pixel.

    Attributes:
        splits: The two.
        pictures: Pictures that are in both.
        faces: How many faces of each split these are.
        conflicting_pictures: Those of the pictures that have more than one label.
    """

    splits: tuple[str, str]
    pictures: int
    faces: dict[str, int]
    conflicting_pictures: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """A picture whose copies are labelled differently.

    Attributes:
        rows: In each split, the rows that hold it; row 1 is the first face of the file.
        labels: How often it has each class, over all splits.
    """

    rows: dict[str, list[int]]
    labels: dict[str, int]


@dataclass(frozen=True, slots=True)
class Exploration:
    """What is in a dataset.

    Attributes:
        splits: By name.
        copies: By the name of the split.
        shared: One for each two splits.
        conflicts: Every picture that has more than one label.
        skipped: By source and then by reason, what could not be read.
    """

    splits: dict[str, SplitReport]
    copies: dict[str, CopiesReport]
    shared: list[SharedReport]
    conflicts: list[Conflict]
    skipped: dict[str, dict[str, list[str]]]


def explore(paths: Sequence[Path], out: Path) -> Exploration:
    """Read faces, measure them, and write `report.json` and the figures.

    Args:
        paths: Files or folders in any format of `load_dataset`, one a split; a file with a column
            `Usage` holds several. Names that are none of FER2013's become classes, each its own.
        out: Folder to write to.

    Raises:
        DataError: if one of the paths is not usable, or none is named.
    """
    splits = read_splits(paths)
    exploration = measure(splits)
    names = _names_of(splits)
    faces_u8 = {name: split.faces_u8 for name, split in splits.items()}
    labels = {name: split.labels for name, split in splits.items() if split.labels is not None}
    for name, split in splits.items():
        explore_figures.draw_samples(
            split.faces_u8,
            split.labels,
            names,
            out / f"samples_{name}.png",
            title=f"{name}: faces drawn at random",
        )
    explore_figures.draw_brightness(faces_u8, labels, names, out / "brightness.png")
    if labels:
        explore_figures.draw_class_balance(labels, names, out / "class_balance.png")
        explore_figures.draw_mean_faces(faces_u8, labels, names, out / "mean_faces.png")
    if exploration.conflicts:
        pictures = [_first_face(splits, conflict) for conflict in exploration.conflicts]
        counts = [conflict.labels for conflict in exploration.conflicts]
        explore_figures.draw_conflicts(pictures, counts, names, out / "label_conflicts.png")
    write_atomically(out / "report.json", json.dumps(asdict(exploration), indent=1) + "\n")
    return exploration


def read_splits(paths: Sequence[Path]) -> dict[str, Dataset]:
    """Read every split; its name is its file's or, where the file has a column `Usage`, its usage.

    Raises:
        DataError: if one of the paths is not usable, none is named, or two splits have one name or
            other classes.
    """
    if not paths:
        raise DataError("No faces to explore: name a file or folder.")
    splits: dict[str, Dataset] = {}
    for path in paths:
        for name, split in _by_usage(load_any_faces(path)).items():
            if name in splits:
                raise DataError(
                    f"Found two splits named {name!r}: in {splits[name].source} and in {path}. "
                    "Name one of them, or rename a file."
                )
            splits[name] = split
    names = _names_of(splits)
    for split in splits.values():
        if split.labels is not None and split.classes.names != names:
            raise DataError(
                f"{split.source} has faces of {', '.join(split.classes.names)}, what was named "
                f"before of {', '.join(names)}: explore them one by one."
            )
    return splits


def _names_of(splits: Mapping[str, Dataset]) -> tuple[str, ...]:
    """Return what the labels of splits are called; FER2013's emotions where none has labels."""
    labelled = (split.classes for split in splits.values() if split.labels is not None)
    return next(labelled, FER2013_CLASSES).names


def _by_usage(dataset: Dataset) -> dict[str, Dataset]:
    if dataset.usage is None:
        return {name_of_data(dataset.source): dataset}
    masks = {usage: dataset.usage == usage for usage in USAGES}
    return {usage: dataset.take(mask) for usage, mask in masks.items() if mask.any()}


def measure(splits: dict[str, Dataset]) -> Exploration:
    """Measure splits, and find the pictures that they hold more than once.

    Args:
        splits: By name.
    """
    table = _Table.of(splits)
    names = list(splits)
    return Exploration(
        splits={name: _measure_split(split) for name, split in splits.items()},
        copies={name: _measure_copies(table.only(index)) for index, name in enumerate(names)},
        shared=[
            _measure_shared(table, (first, second), (names[first], names[second]))
            for first, second in itertools.combinations(range(len(names)), 2)
        ],
        conflicts=_find_conflicts(table, splits),
        # The splits of one file have what was skipped in it in common.
        skipped={
            str(split.source): split.names_of_skipped()
            for split in splits.values()
            if split.skipped
        },
    )


def summarise(exploration: Exploration) -> list[str]:
    """Return the main figures as lines of text."""
    lines = []
    for name, split in exploration.splits.items():
        lines.append(f"{name}: {split.faces:,} faces ({split.source})")
        if split.classes:
            shares = (
                f"{name_of_class} {count:,} ({count / split.faces:.1%})"
                for name_of_class, count in split.classes.items()
            )
            lines.append(f"  {', '.join(shares)}")
        copies = exploration.copies[name]
        lines.append(
            f"  brightness {split.brightness:.0f} ± {split.brightness_deviation:.0f}, "
            f"{split.without_contrast} without contrast"
        )
        lines.append(
            f"  {copies.faces:,} faces are copies of {copies.pictures:,} pictures; "
            f"{copies.conflicting_pictures:,} of these have different labels"
        )
    for source, reasons in exploration.skipped.items():
        count = sum(map(len, reasons.values()))
        lines.append(f"{source}: {count:,} pictures were skipped: {in_few_words(reasons)}")
    for shared in exploration.shared:
        faces = " and ".join(f"{count:,} of {name}" for name, count in shared.faces.items())
        lines.append(
            f"{shared.splits[0]} and {shared.splits[1]} share {shared.pictures:,} pictures "
            f"({faces}); {shared.conflicting_pictures:,} have different labels"
        )
    return lines


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """One row a face, over all splits.

    Attributes:
        split: (N,) index of its split.
        row: (N,) its row in its split, from 0.
        picture: (N,) number of its picture; copies have the same.
        label: (N,) its label, -1 where it has none.
    """

    split: NDArray[np.int64]
    row: NDArray[np.int64]
    picture: NDArray[np.int64]
    label: NDArray[np.int64]

    @classmethod
    def of(cls, splits: dict[str, Dataset]) -> _Table:
        sizes = [len(split.faces_u8) for split in splits.values()]
        labels = [
            np.full(size, -1) if split.labels is None else split.labels
            for size, split in zip(sizes, splits.values(), strict=True)
        ]
        return cls(
            split=np.repeat(np.arange(len(sizes)), sizes),
            row=np.concatenate([np.arange(size) for size in sizes]),
            picture=groups_of_copies(np.concatenate([s.faces_u8 for s in splits.values()])),
            label=np.concatenate(labels),
        )

    def take(self, chosen: NDArray[np.bool_]) -> _Table:
        return _Table(
            self.split[chosen], self.row[chosen], self.picture[chosen], self.label[chosen]
        )

    def only(self, split: int) -> _Table:
        return self.take(self.split == split)

    def conflicting_pictures(self) -> NDArray[np.int64]:
        """Return the numbers of the pictures that have more than one label."""
        labelled = self.label >= 0
        pairs = np.unique(np.stack([self.picture[labelled], self.label[labelled]]), axis=1)
        pictures, labels = np.unique(pairs[0], return_counts=True)
        return pictures[labels > 1]


def _measure_split(split: Dataset) -> SplitReport:
    names = split.classes.names
    brightness = split.faces_u8.mean(axis=(1, 2))
    contrast = split.faces_u8.std(axis=(1, 2))
    counts = None if split.labels is None else np.bincount(split.labels, minlength=len(names))
    return SplitReport(
        source=str(split.source),
        faces=len(split.faces_u8),
        classes=None if counts is None else dict(zip(names, counts.tolist(), strict=True)),
        largest_to_smallest=(
            None if counts is None else round(float(counts.max() / counts[counts > 0].min()), 2)
        ),
        brightness=round(float(brightness.mean()), 2),
        brightness_deviation=round(float(brightness.std()), 2),
        brightness_of_class=(
            None
            if split.labels is None
            else {
                names[label]: round(float(brightness[split.labels == label].mean()), 2)
                for label in np.unique(split.labels)
            }
        ),
        without_contrast=int(np.count_nonzero(contrast < LOW_CONTRAST)),
    )


def _measure_copies(table: _Table) -> CopiesReport:
    pictures, sizes = np.unique(table.picture, return_counts=True)
    conflicting = np.isin(pictures, table.conflicting_pictures())
    return CopiesReport(
        pictures=int(np.count_nonzero(sizes > 1)),
        faces=int(sizes[sizes > 1].sum()),
        conflicting_pictures=int(np.count_nonzero(conflicting)),
        conflicting_faces=int(sizes[conflicting].sum()),
    )


def _measure_shared(table: _Table, splits: tuple[int, int], names: tuple[str, str]) -> SharedReport:
    first, second = (table.only(split) for split in splits)
    shared = np.intersect1d(first.picture, second.picture)
    both = table.take(np.isin(table.split, splits) & np.isin(table.picture, shared))
    return SharedReport(
        splits=names,
        pictures=len(shared),
        faces={
            name: int(np.count_nonzero(np.isin(split.picture, shared)))
            for name, split in zip(names, (first, second), strict=True)
        },
        conflicting_pictures=len(both.conflicting_pictures()),
    )


def _find_conflicts(table: _Table, splits: dict[str, Dataset]) -> list[Conflict]:
    conflicts = []
    names = _names_of(splits)
    for picture in table.conflicting_pictures():
        copies = table.take(table.picture == picture)
        rows = {
            name: (copies.only(index).row + 1).tolist()
            for index, name in enumerate(splits)
            if index in copies.split
        }
        labels = Counter(names[label] for label in copies.label if label >= 0)
        conflicts.append(Conflict(rows, dict(labels)))
    return conflicts


def _first_face(splits: dict[str, Dataset], conflict: Conflict) -> NDArray[np.uint8]:
    name, rows = next(iter(conflict.rows.items()))
    face: NDArray[np.uint8] = splits[name].faces_u8[rows[0] - 1]
    return face
