"""Grey faces and what is known of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.data.classes import FER2013_CLASSES, ClassTable
from mien.data.usage import TEST_USAGES, TRAINING, VALIDATION

LEFT_OUT_BY_RECIPE = "left out by the recipe"
"""Why a face is skipped that could be read."""

_MOST_NAMED = 3


def group_name(text: str) -> str:
    """Return a group's name in one spelling: macOS writes ü as u and a separate diaeresis."""
    return unicodedata.normalize("NFC", text.strip())


class Skipped(NamedTuple):
    """Something in a dataset that is no face.

    Attributes:
        name: The file, or the row.
        reason: Why it was skipped.
    """

    name: str
    reason: str


def in_few_words(names: Mapping[str, Sequence[str]]) -> str:
    """Say why things were skipped, and name the first of each reason."""
    return "; ".join(
        f"{reason} ({', '.join(of[:_MOST_NAMED])}{', …' if len(of) > _MOST_NAMED else ''})"
        for reason, of in names.items()
    )


def name_of_data(path: Path) -> str:
    """Return a file's name without its ending; of a folder all, as its name may have a dot."""
    path = path.resolve()
    return path.name if path.is_dir() else path.stem


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Grey faces and what a file or folder says of them.

    Attributes:
        faces_u8: (N, 48, 48) uint8.
        labels: (N,) int64 indices into the names of `classes`, or None where there are none.
        usage: (N,) strings out of `mien.data.usage.USAGES`, or None where there are none.
        source: The file or folder that was read.
        classes: What the labels mean.
        groups: (N,) strings; the faces of one group (a person, say) belong on one side of a split.
            None where there are no groups.
        files: The picture that each face came from, seen from `source`; None where there is none.
        skipped: What was found and not read.
    """

    faces_u8: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    usage: NDArray[np.str_] | None
    source: Path
    classes: ClassTable = FER2013_CLASSES
    groups: NDArray[np.str_] | None = None
    files: tuple[str, ...] | None = None
    skipped: tuple[Skipped, ...] = ()

    def take(self, chosen: NDArray[np.bool_]) -> Dataset:
        """Return the faces where a mask, (N,), is true; what was skipped stays."""
        return replace(
            self,
            faces_u8=self.faces_u8[chosen],
            labels=None if self.labels is None else self.labels[chosen],
            usage=None if self.usage is None else self.usage[chosen],
            groups=None if self.groups is None else self.groups[chosen],
            files=None if self.files is None else tuple(compress(self.files, chosen)),
        )

    def names_of_skipped(self) -> dict[str, list[str]]:
        """The names of what was skipped, for each reason."""
        names: dict[str, list[str]] = {}
        for skipped in self.skipped:
            names.setdefault(skipped.reason, []).append(skipped.name)
        return names

    def told_of_skipped(self) -> str | None:
        """Say in a line how many pictures could not be read, and why; None if all could."""
        names = self.names_of_skipped()
        names.pop(LEFT_OUT_BY_RECIPE, None)
        if not names:
            return None
        count = sum(map(len, names.values()))
        return (
            f"{count:,} of {len(self.faces_u8) + count:,} pictures were skipped: "
            f"{in_few_words(names)}"
        )

    def told_of_shared_groups(self) -> str | None:
        """Say in a line which groups are for a test and for training too; None if none is."""
        if self.usage is None or self.groups is None:
            return None
        tested = set(self.groups[np.isin(self.usage, TEST_USAGES)].tolist())
        shared = tested & set(self.groups[np.isin(self.usage, (TRAINING, VALIDATION))].tolist())
        if not shared:
            return None
        return (
            f"{len(shared):,} of the {len(tested):,} groups for a test are for training or "
            f"validation too, such as {min(shared)!r}: figures of that test are too good for "
            "people whom the network has not seen"
        )

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The file of the picture that each face came from; none where they came from no files."""
        folder = self.source if self.source.is_dir() else self.source.parent
        return tuple(folder / file.strip() for file in self.files or ())
