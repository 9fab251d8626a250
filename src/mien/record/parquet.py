"""Records in Parquet, which needs pyarrow (`pip install 'mien[batch]'`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mien.core.errors import DataError, MissingExtraError
from mien.core.files import temporary_beside


def require_pyarrow() -> None:
    """Raise MissingExtraError unless pyarrow is installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MissingExtraError("pyarrow", "batch") from None


def csv_to_parquet(csv: Path, parquet: Path) -> None:
    """Turn a record in CSV into one in Parquet, a part at a time; it appears as a whole.

    Raises:
        DataError: if the file cannot be written.
        MissingExtraError: if pyarrow is missing.
    """
    require_pyarrow()
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pa_parquet

    kinds = {
        "frame": pa.int64(),
        "timestamp_ms": pa.float64(),
        "track_id": pa.int64(),
        **dict.fromkeys(("emotion", "path", "error"), pa.string()),
        **dict.fromkeys(("uncertain", "detected"), pa.bool_()),
    }
    with csv.open(encoding="utf-8") as file:
        names = file.readline().strip().split(",")
    types = {name: kinds.get(name, pa.float32()) for name in names}
    try:
        temporary = temporary_beside(parquet)
        try:
            reader = pa_csv.open_csv(
                csv,
                convert_options=pa_csv.ConvertOptions(column_types=types, strings_can_be_null=True),
            )
            with pa_parquet.ParquetWriter(temporary, pa.schema(types.items())) as writer:
                for batch in reader:
                    writer.write_batch(batch)
            temporary.replace(parquet)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"The record {parquet} cannot be written: {error}.") from None


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
