"""A reader for other people's tables of faces: CSV with names, file names, any separator."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError, SourceError
from mien.data.classes import LEFT_OUT, ClassTable, unknown_names
from mien.data.dataset import LEFT_OUT_BY_RECIPE, Dataset, Skipped, group_name
from mien.data.picture_folder import read_face, square_face, why_skipped
from mien.data.table_file import named_file, open_table
from mien.data.usage import USAGE_OF_NAME

LABEL_COLUMNS = ("emotion", "label", "class", "expression")
PATH_COLUMNS = ("path", "file", "filename", "image", "picture")
USAGE_COLUMNS = ("usage", "split", "set", "subset")
PIXEL_COLUMN = "pixels"


def read_table(path: Path, classes: ClassTable, groups: str = "") -> Dataset:
    """Read a CSV file with a column of pixels or of pictures' paths.

    The header names the columns, in any order and in capitals or not: one of `LABEL_COLUMNS` if the
    faces have labels, `PIXEL_COLUMN` or one of `PATH_COLUMNS`, one of `USAGE_COLUMNS` if the table
    says what a face is for. Others are passed over. Comma, semicolon or tab separate them.

    Args:
        path: The file, in UTF-8. Paths in it are seen from its folder.
        classes: The classes, and what the table calls them.
        groups: The column that names each face's group; empty for none.

    Returns:
        In the order of the rows. Rows whose picture cannot be read are skipped.

    Raises:
        DataError: if the file cannot be read, a column is missing, a class or a use is unknown, or
            the pixels of a row are no square picture; the message says in which row.
    """
    with open_table(path) as (names, cells):
        columns = _Columns(path, names, groups)
        rows = list(cells)
    return _read_rows(path, columns, rows, classes)


def label_cells(path: Path) -> list[str] | None:
    """Return what a table calls the class of each of its faces; None if it has no such column.

    Raises:
        DataError: if the file cannot be read.
    """
    with open_table(path) as (names, rows):
        columns = _Columns(path, names, groups="")
        if columns.label is None:
            return None
        return [row[columns.label] for _, row in rows if len(row) == columns.count]


def no_labels(path: Path) -> DataError:
    """Say that a table has no column of labels, and which columns it has."""
    with open_table(path) as (names, _):
        return DataError(
            f"{path}, line 1: found the columns {_shown(names)}; expected what each face shows in "
            f"one of {', '.join(LABEL_COLUMNS)}: rename a column, or give a file with labels."
        )


class _Columns:
    """Where in a row is what; None for a column that the table does not have."""

    def __init__(self, path: Path, names: list[str], groups: str) -> None:
        plain = [name.casefold() for name in names]
        self.label = _first(plain, LABEL_COLUMNS)
        self.pixels = _first(plain, (PIXEL_COLUMN,))
        self.path = _first(plain, PATH_COLUMNS)
        self.usage = _first(plain, USAGE_COLUMNS)
        self.group = _first(plain, (groups.casefold(),)) if groups else None
        self.count = len(names)
        found = f"{path}, line 1: found the columns {_shown(names)}"
        if self.pixels is None and self.path is None:
            raise DataError(
                f"{found}; expected 'pixels', or the path of a picture in one of "
                f"{', '.join(PATH_COLUMNS)}."
            )
        if groups and self.group is None:
            raise DataError(
                f"{found}; expected {groups!r} among them, which is to name the groups."
            )


def _shown(names: list[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


def _first(names: list[str], wanted: tuple[str, ...]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _read_rows(
    path: Path, columns: _Columns, rows: list[tuple[int, list[str]]], classes: ClassTable
) -> Dataset:
    if columns.label is not None:
        named = [row[columns.label] for _, row in rows if len(row) == columns.count]
        if any(classes.label_of(name) is None for name in named):
            raise unknown_names(named, classes, str(path))
    faces, kept, skipped = [], [], []
    for number, row in rows:
        where = f"row {number:,}"
        if len(row) != columns.count:
            raise DataError(
                f"{path}, {where}: found {len(row)} columns; expected {columns.count}, as in the "
                "header."
            )
        if columns.label is not None and classes.label_of(row[columns.label]) == LEFT_OUT:
            skipped.append(Skipped(where, LEFT_OUT_BY_RECIPE))
            continue
        try:
            faces.append(_face(path, columns, row, where))
        except SourceError as error:
            assert columns.path is not None
            reason = why_skipped(_picture(path, columns, row), error)
            skipped.append(Skipped(f"{where}, {row[columns.path]}", reason))
            continue
        kept.append((where, row))
    if not kept:
        why = f" ({len(skipped)} were skipped: {skipped[0].reason})" if skipped else ""
        raise DataError(f"{path} holds no face that can be read, in {len(rows):,} rows{why}.")
    return Dataset(
        faces_u8=np.stack(faces),
        labels=_labels(columns, kept, classes),
        usage=_usage(path, columns, kept),
        source=path,
        classes=classes,
        groups=_groups(columns, kept),
        files=None if columns.path is None else tuple(row[columns.path] for _, row in kept),
        skipped=tuple(skipped),
    )


_Kept = list[tuple[str, list[str]]]


def _labels(columns: _Columns, kept: _Kept, classes: ClassTable) -> NDArray[np.int64] | None:
    if columns.label is None:
        return None
    return np.array([classes.label_of(row[columns.label]) for _, row in kept], dtype=np.int64)


def _usage(path: Path, columns: _Columns, kept: _Kept) -> NDArray[np.str_] | None:
    if columns.usage is None:
        return None
    usage = []
    for where, row in kept:
        name = row[columns.usage]
        if name.strip().casefold() not in USAGE_OF_NAME:
            raise DataError(
                f"{path}, {where}: found the use {name!r}; expected one of "
                f"{', '.join(USAGE_OF_NAME)}."
            )
        usage.append(USAGE_OF_NAME[name.strip().casefold()])
    return np.array(usage)


def _groups(columns: _Columns, kept: _Kept) -> NDArray[np.str_] | None:
    if columns.group is None:
        return None
    # A picture without a group stands alone.
    return np.array([group_name(row[columns.group]) or where for where, row in kept])


def _picture(path: Path, columns: _Columns, row: list[str]) -> Path:
    assert columns.path is not None
    return named_file(path, row[columns.path])


def _face(path: Path, columns: _Columns, row: list[str], where: str) -> NDArray[np.uint8]:
    if columns.pixels is None:
        try:
            return read_face(_picture(path, columns, row))
        except (OSError, ValueError) as error:
            # No file's name: it is too long, or holds a NUL.
            raise SourceError(f"{row[columns.path or 0][:60]!r} is no path: {error}.") from None
    try:
        values = np.frombuffer(bytearray(map(int, row[columns.pixels].split())), np.uint8)
    except ValueError:
        raise DataError(
            f"{path}, {where}, column pixels: expected whole numbers from 0 to 255 with spaces "
            "between them."
        ) from None
    for channels in (1, 3):
        side = math.isqrt(len(values) // channels)
        if side and side * side * channels == len(values):
            picture = values.reshape(side, side, channels)
            return square_face(
                picture[..., 0] if channels == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            )
    raise DataError(
        f"{path}, {where}, column pixels: found {len(values):,} values; expected those of a square "
        "picture, grey or in three colours, such as 2,304 for 48 × 48."
    )
