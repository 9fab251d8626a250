"""Records in Parquet, which needs pyarrow (`pip install 'mien[parquet]'`)."""

from __future__ import annotations

import csv as csv_module
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mien.core.errors import DataError, MissingExtraError, OutputError
from mien.core.files import take_place, temporary_beside
from mien.record.table import plain_text, type_of_column


def require_pyarrow() -> None:
    """Raise MissingExtraError unless pyarrow is installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet") from None


def schema_of(columns: Iterable[str]) -> Any:
    """Return the `pyarrow.Schema` of a table's columns: what each holds is told by its name."""
    import pyarrow as pa

    kinds = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float32()}
    of_time = {"timestamp_ms": pa.float64()}  # Hours in thousandths of a millisecond.
    return pa.schema([(name, of_time.get(name, kinds[type_of_column(name)])) for name in columns])


def csv_to_parquet(csv: Path, parquet: Path) -> None:
    """Turn a record in CSV into one in Parquet, a part at a time; it appears as a whole.

    Raises:
        OutputError: if the file cannot be written.
        MissingExtraError: if pyarrow is missing.
    """
    require_pyarrow()
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pa_parquet

    try:
        names = _header_of(csv, parquet)
        schema = schema_of(map(plain_text, names))
        types = dict(zip(names, schema.types, strict=True))
        temporary = temporary_beside(parquet)
        try:
            reader = pa_csv.open_csv(
                csv,
                # A picture may be called null or NA; only what is empty is missing.
                convert_options=pa_csv.ConvertOptions(
                    column_types=types, null_values=[""], strings_can_be_null=True
                ),
            )
            with pa_parquet.ParquetWriter(temporary, schema) as writer:
                for batch in reader:
                    writer.write_batch(_plain(batch, schema))
            take_place(temporary, parquet)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except (pa.ArrowException, OSError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else error
        raise OutputError(
            f"The record {parquet} cannot be written: {reason}. The rows are in {csv}."
        ) from None


def _header_of(csv: Path, parquet: Path) -> list[str]:
    try:
        with csv.open(encoding="utf-8", newline="") as file:
            return next(csv_module.reader(file))
    except (FileNotFoundError, StopIteration):
        raise OutputError(
            f"The record {parquet} cannot be written: {csv}, which it is made of, was emptied or "
            "removed meanwhile. Write both again."
        ) from None


def _plain(batch: Any, schema: Any) -> Any:
    """The rows without the apostrophes that keep spreadsheets from running texts."""
    import pyarrow as pa

    columns = [
        pa.array([None if text is None else plain_text(text) for text in column.to_pylist()])
        if kind == pa.string() and column.null_count < len(column)
        else column
        for column, kind in zip(batch.columns, schema.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, by column.

    Raises:
        DataError: if it is no Parquet file.
        MissingExtraError: if pyarrow is missing.
    """
    require_pyarrow()
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    try:
        with pa_parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a Parquet file that can be read: {error}.") from None
