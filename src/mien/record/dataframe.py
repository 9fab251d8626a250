"""Results as a table of pandas or Polars, whichever is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from mien.core.errors import DataError
from mien.core.labels import EMOTIONS
from mien.core.types import FaceEmotion
from mien.record.table import SMOOTH_COLUMN, columns_of, row_of, type_of_column

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Results: TypeAlias = "FaceEmotion | Iterable[Results]"
"""One face, those of a frame, or those of many frames or pictures: lists in lists are taken too."""


def to_dataframe(results: Results) -> pd.DataFrame | pl.DataFrame:
    """Return results as a table, one row a face, with the columns of a record.

    Args:
        results: What `mien.stream`, `Recognizer.recognize` or `mien.record.read.read_record` gave;
            a stream is read to its end.

    Returns:
        A table of pandas; of Polars where pandas is not installed. A column has the same type
        whatever is in it: without results there are all columns and no rows. Rows whose
        probabilities were not smoothed have those of `raw_…` too. The columns of a temporal network
        are there where it judged all of them.

    Raises:
        DataError: if neither is installed, the results are something else, or are of networks that
            tell different things apart.
    """
    faces = list(_faces(results))
    labels = faces[0].labels if faces else EMOTIONS
    for face in faces:
        if face.labels != labels:
            raise DataError(
                f"Found results with the labels {', '.join(labels)} and others with "
                f"{', '.join(face.labels)}; expected those of one network. Make a table of each."
            )
    temporal = bool(faces) and all(face.whole_probabilities is not None for face in faces)
    every = columns_of(labels, raw=True, temporal=temporal)
    columns = [name for name in every if name != SMOOTH_COLUMN]
    rows = [row_of(face, smooth_ms=0.0, raw=True) for face in faces]
    return _table({name: [row[name] for row in rows] for name in columns})


def _faces(results: Any) -> Iterator[FaceEmotion]:
    if isinstance(results, FaceEmotion):
        yield results
        return
    if isinstance(results, str) or not isinstance(results, Iterable):
        raise DataError(
            f"Found {type(results).__name__} among the results; expected FaceEmotion, as "
            "mien.stream and Recognizer.recognize give it."
        )
    for part in results:
        yield from _faces(part)


def _table(columns: dict[str, list[Any]]) -> pd.DataFrame | pl.DataFrame:
    types = {name: type_of_column(name) for name in columns}
    try:
        import pandas as pd
    except ImportError:
        pass
    else:
        text = pd.Series(["text"]).dtype  # `object` before pandas 3
        return pd.DataFrame(
            {
                name: pd.Series(values, dtype=text if types[name] is str else types[name])
                for name, values in columns.items()
            }
        )
    try:
        import polars as pl
    except ImportError:
        raise DataError(
            "A table needs pandas or Polars, and neither is installed: run  pip install pandas"
        ) from None
    of_polars = {str: pl.String, bool: pl.Boolean, int: pl.Int64, float: pl.Float64}
    return pl.DataFrame(columns, schema={name: of_polars[types[name]] for name in columns})
