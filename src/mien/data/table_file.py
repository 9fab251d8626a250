"""Other people's CSV files, as spreadsheets and Windows write them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.core.errors import DataError

_SEPARATORS = ",;\t"
_LONGEST_CELL = 1 << 24
"""Characters of a cell: those of a large picture, which Python's limit is below."""


@contextmanager
def open_table(path: Path) -> Iterator[tuple[list[str], Iterator[tuple[int, list[str]]]]]:
    """Open a CSV file in UTF-8 whose cells are separated by commas, semicolons or tabs.

    Returns:
        The names in its header, as they are spelt there, and its rows but the empty ones, each
        with its number: 1 is that after the header, and empty ones count.

    Raises:
        DataError: if it cannot be read, then or while its rows are.
    """
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            separator = max(_SEPARATORS, key=header.count)
            of_header = csv.reader([header], delimiter=separator, skipinitialspace=True)
            names = [name.strip() for name in next(of_header, [])]
            rows = csv.reader(file, delimiter=separator, skipinitialspace=True)
            yield (
                names,
                (
                    (number, _without_empty_end(row, len(names)))
                    for number, row in enumerate(rows, start=1)
                    if any(row)
                ),
            )
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not in UTF-8 ({error}): save it so.") from None
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: {error}.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None


def _without_empty_end(row: list[str], count: int) -> list[str]:
    """Return a row without the empty cells that commas at its end make, as spreadsheets write."""
    return row[:count] if not any(row[count:]) else row


def named_file(table: Path, cell: str) -> Path:
    """Return the file that a cell of a table names, seen from the table's folder."""
    path = table.parent / cell.strip()
    # Tables from Windows name folders with backslashes, which are letters like others elsewhere.
    if os.name == "nt" or "\\" not in cell or path.exists():
        return path
    return table.parent / cell.strip().replace("\\", "/")
