"""The folder that a batch writes: what is in it, how it grows, and how it stays whole.

    batch.json                 what was asked: artifact, reading, options
    faces/kind=picture/*.parquet   rows of pictures, those of some pictures a file
    faces/kind=video/*.parquet     rows of videos, those of one video a file
    sources.parquet            what became of each source
    summary.parquet            a row a video, if asked for
    unfinished/                what is being written

A part of `faces` appears as a whole, by being renamed, and carries in its metadata what became of
its sources. Nothing else says what is done: whatever is killed whenever, a source has all its rows
and its state, or neither. One process at a time writes: the driver, which holds a lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mien.batch.sources import BatchSource
from mien.batch.worker import SET_ASIDE, SOURCES_KEY, PartWriter, SourceResult, results_json
from mien.core.errors import DataError, OutputError
from mien.core.files import hash_file, write_atomically
from mien.core.lock import try_lock
from mien.record.table import label_columns

FORMAT = 1
"""Of `batch.json`; raised when what is in the folder changes."""

SETTINGS_NAME = "batch.json"


class BatchFolder:
    """The folder of a batch, held by this process alone; a context manager.

    Args:
        path: The folder; it is made where it is missing.
        asked: What the rows depend on: artifact, reading, options. JSON.
        labels: What the network tells apart.

    Raises:
        OutputError: if the folder holds something else, cannot be written, or another process is
            writing to it.
    """

    def __init__(self, path: Path, asked: dict[str, Any], labels: tuple[str, ...]) -> None:
        self.path = path
        self._asked = {"format": FORMAT, **asked}
        self._labels = labels
        self._parts: dict[Path, list[SourceResult]] = {}
        self._has_summary = False

    def __enter__(self) -> BatchFolder:
        settings = self.path / SETTINGS_NAME
        try:
            there = set(self.path.iterdir()) if self.path.exists() else set()
            # A batch that was killed at its very beginning has left nothing else.
            if not settings.exists() and there - {self._unfinished}:
                raise OutputError(
                    f"{self.path} holds something, but no batch of mien's: name an empty or a new "
                    "folder."
                )
            self._unfinished.mkdir(parents=True, exist_ok=True)
            self._lock = (self._unfinished / "lock").open("wb")
            if not try_lock(self._lock.fileno()):
                self._lock.close()
                raise OutputError(
                    f"Another `mien batch` is writing to {self.path}: wait for it, or stop it."
                )
            for left in self._unfinished.glob("*.parquet"):
                left.unlink()
        except OSError as error:
            raise OutputError(
                f"The folder {self.path} cannot be written: {error.strerror}."
            ) from None
        return self

    def __exit__(self, *_error: object) -> None:
        self._lock.close()

    @property
    def _unfinished(self) -> Path:
        return self.path / "unfinished"

    def results(self) -> Iterator[SourceResult]:
        """What became of the sources that are done, failed or set aside."""
        for results in self._parts.values():
            yield from results

    def names(self) -> frozenset[str]:
        """The names of those sources."""
        return frozenset(result.source for result in self.results())

    def begin(self, sources: Sequence[BatchSource], *, redo: bool) -> list[BatchSource]:
        """Compare what is there with what is asked, and return the sources that are missing.

        What was set aside is missing, too: it is tried again.

        Args:
            sources: What the batch is to hold.
            redo: Remove what does not fit, and what failed, instead of refusing.

        Raises:
            OutputError: if the folder was made by other options, of files that have changed since
                or of sources that are not asked for any more, and not `redo`; or if it cannot be
                written.
        """
        settings = self.path / SETTINGS_NAME
        before = read_asked(self.path) if settings.exists() else self._asked
        different = sorted(
            key for key in {*before, *self._asked} if before.get(key) != self._asked.get(key)
        )
        if different and not redo:
            told = ", ".join(
                f"{key} was {before.get(key)!r} and is {self._asked.get(key)!r}"
                for key in different
            )
            raise OutputError(
                f"{self.path} was made otherwise: {told}. Use the same options, name another "
                "folder, or give --redo to do all of it again."
            )
        self._has_summary = self._table("summary").exists()
        with self._writing():
            if different:
                self._remove_tables()
                for part in part_files(self.path):
                    part.unlink()
        if different or not settings.exists():
            write_atomically(settings, json.dumps(self._asked, indent=2) + "\n")
        self._parts = {part: read_results(part) for part in part_files(self.path)}
        self._drop_unwanted(sources, redo=redo)
        there = {result.source for result in self.results() if result.state != SET_ASIDE}
        return [source for source in sources if source.name not in there]

    def write_part(
        self, results: Sequence[SourceResult], size_bytes: int, pieces: Iterable[bytes]
    ) -> None:
        """Add the rows of some sources of one kind, all or none.

        Raises:
            OutputError: if they cannot be written.
        """
        part = self._part_of(results)
        temporary = self._unfinished / part.name
        with self._writing():
            with temporary.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
                if file.tell() != size_bytes:
                    raise OutputError(
                        f"A part of {size_bytes} bytes came as {file.tell()} bytes: start again."
                    )
            self._put(temporary, part)
        self._parts[part] = list(results)

    def set_aside(self, source: BatchSource, reason: str) -> SourceResult:
        """Add the row of a source that no worker survives.

        Raises:
            OutputError: if it cannot be written.
        """
        result = SourceResult.begin(source, self._labels, SET_ASIDE)
        result.error = reason
        part = self._part_of([result])
        temporary = self._unfinished / part.name
        sha256, temporal = self._asked["artifact_sha256"], self._asked["temporal"] is not None
        with self._writing():
            with PartWriter(temporary, self._labels, sha256, temporal=temporal) as writer:
                writer.error(result)
                writer.finish(result)
            self._put(temporary, part)
        self._parts[part] = [result]
        return result

    def write_tables(self, *, summary: bool) -> None:
        """Write the table of sources, and that of videos.

        Args:
            summary: Write that of videos though the folder had none.

        Raises:
            OutputError: if they cannot be written.
        """
        results = sorted(self.results(), key=lambda result: result.source)
        self._write_table("sources", [_source_row(each, self._labels) for each in results])
        if summary or self._has_summary:
            videos = [each for each in results if each.summary is not None]
            self._write_table("summary", [_video_row(each, self._labels) for each in videos])

    def _drop_unwanted(self, sources: Sequence[BatchSource], *, redo: bool) -> None:
        asked = {source.name: source for source in sources}
        gone, changed, failed = set(), set(), set()
        for result in self.results():
            source = asked.get(result.source)
            if source is None:
                gone.add(result.source)
            elif result.state != SET_ASIDE and _has_changed(result, source):
                changed.add(result.source)
            elif result.state == "failed":
                failed.add(result.source)
        if not redo and gone:
            raise OutputError(
                f"{self.path} holds {_told(gone)} that the inputs do not name any more: name them "
                "too, or give --redo to remove their rows."
            )
        if not redo and changed:
            raise OutputError(
                f"{_told(changed)} of {self.path} changed since: give --redo to do them again, or "
                "name another folder."
            )
        if redo and (names := gone | changed | failed):
            with self._writing():
                self._remove_tables()
                self._remove(names)

    def _remove(self, names: set[str]) -> None:
        """Remove the rows of some sources; each part is exchanged as a whole."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pa_parquet

        for part, results in list(self._parts.items()):
            kept = [result for result in results if result.source not in names]
            if len(kept) == len(results):
                continue
            if not kept:
                part.unlink()
                del self._parts[part]
                continue
            table = pa_parquet.read_table(part, partitioning=None)
            table = table.filter(pc.invert(pc.is_in(table["source"], _strings(names))))
            metadata = {**(table.schema.metadata or {}), SOURCES_KEY: results_json(kept)}
            temporary = self._unfinished / part.name
            pa_parquet.write_table(
                table.replace_schema_metadata(metadata), temporary, compression="zstd"
            )
            self._put(temporary, part)
            self._parts[part] = kept

    def _remove_tables(self) -> None:
        """Remove what would tell of rows that are not there any more, until it is written anew."""
        for name in ("sources", "summary"):
            self._table(name).unlink(missing_ok=True)

    def _table(self, name: str) -> Path:
        return self.path / f"{name}.parquet"

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Say that the folder cannot be written, where it cannot.

        Raises:
            OutputError: for the system's error.
        """
        try:
            yield
        except OSError as error:
            # pyarrow tells it in a text of its own.
            reason = os.strerror(error.errno) if error.errno else error
            raise OutputError(
                f"{self.path} cannot be written any further: {reason}. What is there is whole; "
                "the same command goes on."
            ) from None

    def _part_of(self, results: Sequence[SourceResult]) -> Path:
        """Where the rows of some sources go: always there, so that they replace themselves."""
        # No name has a line break: see `mien.record.table.table_name`.
        names = "\n".join(result.source for result in results)
        digest = hashlib.sha256(names.encode()).hexdigest()[:20]
        return self.path / "faces" / f"kind={results[0].kind}" / f"part-{digest}.parquet"

    def _put(self, temporary: Path, part: Path) -> None:
        part.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(part)
        _sync_folder(part.parent)

    def _write_table(self, name: str, rows: list[dict[str, Any]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pa_parquet

        schemas: dict[str, Callable[[tuple[str, ...]], Any]] = {
            "sources": sources_schema,
            "summary": summary_schema,
        }
        temporary = self._unfinished / f"{name}.parquet"
        table = pa.Table.from_pylist(rows, schema=schemas[name](self._labels))
        with self._writing():
            pa_parquet.write_table(table, temporary, compression="zstd")
            temporary.replace(self._table(name))


def read_asked(folder: Path) -> dict[str, Any]:
    """Return what a batch was asked for: artifact, reading, options.

    Raises:
        DataError: if the folder holds no batch.
    """
    path = folder / SETTINGS_NAME
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{folder} holds no batch: expected a folder that `mien batch --out {folder}` wrote."
        ) from None
    except ValueError:
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path} is not what this mien writes: name another folder.")
    return content


def part_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a batch's rows."""
    return sorted(folder.glob("faces/kind=*/*.parquet"))


def read_results(part: Path) -> list[SourceResult]:
    """Return what became of the sources of a part.

    Raises:
        DataError: if the file is no part of a batch.
    """
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    try:
        metadata = pa_parquet.read_metadata(part).metadata or {}
        return [SourceResult(**each) for each in json.loads(metadata[SOURCES_KEY])]
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{part} is no part of a batch ({error}): remove it; the same command makes it again."
        ) from None


def sources_schema(labels: tuple[str, ...]) -> Any:
    """Return the `pyarrow.Schema` of the table of sources.

    Args:
        labels: What the network tells apart; a column each, of the number of certain faces.
    """
    import pyarrow as pa

    return pa.schema(
        [
            *(
                (name, pa.string())
                for name in ("source", "source_sha256", "kind", "state", "error")
            ),
            ("size_bytes", pa.int64()),
            *((name, pa.int64()) for name in ("frames", "faces", "uncertain")),
            *((name, pa.int64()) for name in label_columns(labels)),
            ("duration_ms", pa.float64()),
            ("seconds", pa.float64()),
        ]
    )


def summary_schema(labels: tuple[str, ...]) -> Any:
    """Return the `pyarrow.Schema` of the table of videos.

    Args:
        labels: What the network tells apart; a column each, of its probability on the whole: see
            `mien.record.summary.Answer`.
    """
    import pyarrow as pa

    return pa.schema(
        [
            *((name, pa.string()) for name in ("source", "source_sha256", "state", "error")),
            *((name, pa.int64()) for name in ("frames", "frames_with_faces", "faces", "people")),
            *((name, pa.float64()) for name in ("duration_ms", "seen_ms", "uncertain_share")),
            ("emotion", pa.string()),
            ("confidence", pa.float64()),
            *((name, pa.float64()) for name in label_columns(labels)),
        ]
    )


def _source_row(result: SourceResult, labels: tuple[str, ...]) -> dict[str, Any]:
    names = sources_schema(labels).names
    row = {name: getattr(result, name) for name in names if hasattr(result, name)}
    return row | dict(zip(label_columns(labels), result.shown, strict=True))


def _video_row(result: SourceResult, labels: tuple[str, ...]) -> dict[str, Any]:
    row = {
        name: getattr(result, name)
        for name in summary_schema(labels).names
        if hasattr(result, name)
    }
    columns = dict(result.summary or {})
    shares = columns.pop("probabilities") or [None] * len(labels)
    return row | columns | dict(zip(label_columns(labels), shares, strict=True))


def _has_changed(result: SourceResult, source: BatchSource) -> bool:
    if source.error is not None:
        return result.state == "done"
    if result.size_bytes != source.size_bytes:
        return True
    if result.modified_ns == source.modified_ns:
        return False
    if source.is_remote:
        return True
    try:
        # A copy, or a file that was touched, may hold the same.
        return result.source_sha256 != hash_file(Path(source.location))
    except OSError:
        return result.source_sha256 is not None


def _told(names: set[str]) -> str:
    first = sorted(names)[:3]
    rest = f" and {len(names) - len(first):,} more" if len(names) > len(first) else ""
    sources = "1 source" if len(names) == 1 else f"{len(names):,} sources"
    return f"{sources} ({', '.join(first)}{rest})"


def _strings(names: set[str]) -> Any:
    import pyarrow as pa

    return pa.array(sorted(names), pa.string())


def _sync_folder(folder: Path) -> None:
    """Let a rename outlast a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
