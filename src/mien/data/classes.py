"""Which classes faces are sorted into, and by what names a dataset may call them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mien.core.artifact import MOST_LABELS
from mien.core.errors import DataError, ModelError
from mien.core.labels import EMOTIONS
from mien.core.sidecar import check_names

LEFT_OUT = -1
"""What `ClassTable.label_of` says of a name whose faces are to be left out."""

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


def plain_name(name: str) -> str:
    """Return a name in the form in which names of classes are compared."""
    return unicodedata.normalize("NFC", name).strip().casefold()


@dataclass(frozen=True)
class ClassTable:
    """The classes of a network, and the other names that datasets give them.

    Capitals, spaces around a name and the way that Unicode composes its letters do not matter. A
    whole number names the class of that index, unless the table says otherwise; where a class is
    itself called by a number, it names none.

    Attributes:
        names: Two to sixteen, in the order of the network's outputs.
        other_names: A name that the data use, and the class that it means.
        left_out: Names whose faces are left out.

    Raises:
        DataError: if the names are too few or too many, empty, not distinct, or none that an
            artifact can have; or if another name means a class that is not there.
    """

    names: tuple[str, ...]
    other_names: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 2 <= len(self.names) <= MOST_LABELS:
            raise DataError(f"Found {len(self.names)} classes; expected 2 to {MOST_LABELS}.")
        if len({plain_name(name) for name in self.names} - {""}) < len(self.names):
            raise DataError(
                f"Found the classes {', '.join(map(repr, self.names))}; expected names that are "
                "not empty and differ in more than capitals and spaces."
            )
        try:
            check_names("classes", self.names)
        except ModelError as error:  # As its artifact would be refused after the training.
            raise DataError(str(error)) from None
        for other, name in self.other_names.items():
            if name not in self.names:
                raise DataError(
                    f"The other name {other!r} stands for {name!r}, which is no class; expected "
                    f"one of {', '.join(self.names)}."
                )

    def label_of(self, name: str) -> int | None:
        """Return the class that a dataset calls so.

        Returns:
            Its index in `names`, `LEFT_OUT`, or None if the table does not know the name.
        """
        return self._labels.get(plain_name(name))

    @cached_property
    def _labels(self) -> dict[str, int]:
        labels = {plain_name(name): index for index, name in enumerate(self.names)}
        if not any(map(_NUMBER.fullmatch, labels)):
            labels |= {str(index): index for index in range(len(self.names))}
        labels |= {plain_name(o): self.names.index(n) for o, n in self.other_names.items()}
        return labels | {plain_name(name): LEFT_OUT for name in self.left_out}


FER2013_CLASSES = ClassTable(
    EMOTIONS,
    {
        "anger": "angry",
        "disgusted": "disgust",
        "fearful": "fear",
        "happiness": "happy",
        "sadness": "sad",
        "surprised": "surprise",
    },
)
"""FER2013's seven emotions, with the names that other datasets give them."""


def unknown_names(found: Iterable[str], classes: ClassTable, where: str) -> DataError:
    """Say which names a table does not know, and how to tell it."""
    unknown = sorted({name for name in found if classes.label_of(name) is None})
    shown = ", ".join(map(repr, unknown[:12])) + (", …" if len(unknown) > 12 else "")
    return DataError(
        f"{where} has faces of {shown}; the classes are {', '.join(classes.names)}. Name your own "
        "in the recipe's table [classes]: names, other_names for what the data call them, left_out "
        "for what is not to be learnt. To score or see a network that has learnt yours, name it "
        "with --model."
    )
