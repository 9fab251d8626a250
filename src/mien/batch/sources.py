"""What a batch is made of: files, folders, globs, lists of paths and object stores, as sources."""

from __future__ import annotations

import csv
import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mien.core.errors import DataError, SourceError
from mien.media.local_path import is_address, local_path
from mien.media.picture_files import PICTURE_SUFFIXES, is_hidden, natural_order
from mien.media.source import VIDEO_SUFFIXES, without_secrets
from mien.record.parquet import require_pyarrow
from mien.record.table import file_of_name, plain_text, table_name

MANIFEST_SUFFIXES = frozenset({".csv", ".parquet", ".txt"})
"""Names of lists of paths."""

MANIFEST_COLUMNS = ("source", "path")
"""The column of a CSV or Parquet list that holds the paths: the first of these that it has."""

Kind = Literal["picture", "video"]

_GLOB = re.compile(r"[*?\[]")
_LONGEST_CELL = 1 << 17
"""Characters of a cell in a list: what lies between two quotation marks far apart is longer."""


@dataclass(frozen=True, slots=True)
class BatchSource:
    """A picture or video of a batch.

    Attributes:
        name: What it is called in the tables: as it was named, in UTF-8.
        kind: Whether it is a picture or a video, by its name.
        location: Its absolute path, or its address.
        size_bytes: Its size; None where it cannot be told.
        modified_ns: When it was changed last, in nanoseconds since 1970; None likewise.
        error: Why it cannot be read, where that is known beforehand.
    """

    name: str
    kind: Kind
    location: str
    size_bytes: int | None = None
    modified_ns: int | None = None
    error: str | None = None

    @property
    def is_remote(self) -> bool:
        """Whether it lies in an object store."""
        return is_address(self.location)


@dataclass(frozen=True, slots=True)
class FoundSources:
    """What the inputs of a batch hold.

    Attributes:
        sources: The pictures and videos, each once.
        passed_over: The names of other files in folders.
    """

    sources: tuple[BatchSource, ...]
    passed_over: tuple[str, ...]


def find_sources(inputs: Sequence[str]) -> FoundSources:
    """Return the pictures and videos that a batch's inputs name.

    Args:
        inputs: Pictures, videos, folders (with the folders in them; links to folders are not
            followed), patterns (`**` reaches into folders; likewise), lists of paths (`.csv`,
            `.parquet`, `.txt`), and addresses that `pyarrow.fs` opens, of files, folders and
            patterns.

    Raises:
        SourceError: if an input is not there, or there is no picture or video in all of them.
        DataError: if a list of paths is none.
        MissingExtraError: if an address or a Parquet list is named and pyarrow is missing.
    """
    sources: dict[str, BatchSource] = {}
    passed_over: list[str] = []
    for text in inputs:
        for found in _of_input(text):
            if isinstance(found, BatchSource):
                sources.setdefault(found.location, found)
            else:
                passed_over.append(table_name(found))
    if not sources:
        raise SourceError(
            f"There is no picture or video in {', '.join(map(table_name, inputs))}: expected files "
            f"that end in {', '.join(sorted(PICTURE_SUFFIXES | VIDEO_SUFFIXES))}."
        )
    _refuse_one_name_for_two(sources.values())
    return FoundSources(tuple(sources.values()), tuple(passed_over))


def files_under(folder: str, on_failure: Callable[[OSError], object]) -> Iterator[str]:
    """Give the files of a folder and of the folders in it, in the order of their names.

    The order is that of `mien.media.picture_files.natural_order`, in each folder the files first.
    Hidden files and folders are left out, and links to folders are not followed. Pipes and broken
    links count as files.

    Args:
        folder: Where to begin; it may be hidden itself.
        on_failure: Called for each folder that cannot be listed; see `why_unlisted`.
    """
    for parent, folders, files in os.walk(folder, onerror=on_failure):
        folders[:] = [name for name in folders if not name.startswith(".")]
        folders.sort(key=natural_order)
        for name in sorted(files, key=natural_order):
            if not is_hidden(Path(name)):
                yield os.path.join(parent, name)  # noqa: PTH118 - Path would cost most of the time


def why_unlisted(failure: OSError) -> str:
    """Return a sentence about a folder that cannot be listed."""
    path = table_name(str(failure.filename))
    return f"The folder {path} cannot be listed: {failure.strerror}."


def open_filesystem(location: str) -> tuple[Any, str]:
    """Return the `pyarrow.fs.FileSystem` of an address, and the path in it.

    Raises:
        SourceError: if pyarrow knows no such address.
        MissingExtraError: if pyarrow is missing.
    """
    require_pyarrow()
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    try:
        filesystem, path = FileSystem.from_uri(location)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise SourceError(
            f"{without_secrets(location)} cannot be opened: {error}; expected an address that "
            "pyarrow.fs knows, such as s3://bucket/folder."
        ) from None
    return filesystem, path


def _refuse_one_name_for_two(sources: Iterable[BatchSource]) -> None:
    locations: dict[str, str] = {}
    for source in sources:
        other = locations.setdefault(source.name, source.location)
        if other != source.location:
            raise SourceError(
                f"{table_name(other)} and {table_name(source.location)} would both be called "
                f"{source.name} in the tables: name their folders so that they differ."
            )


def _of_input(text: str) -> Iterator[BatchSource | str]:
    """The sources that an input names, and the names of files that are none."""
    path = None if is_address(text) else local_path(text)
    if path is None:
        yield from _of_uri(text)
    elif path.is_dir():
        yield from _of_folder(str(path))
    elif os.path.lexists(path):
        if path.suffix.lower() in MANIFEST_SUFFIXES:
            yield from _of_manifest(path)
        else:
            yield _of_file(str(path))
    elif _GLOB.search(text):
        yield from _of_pattern(str(path))
    else:
        raise SourceError(
            f"There is nothing at {table_name(text)}: expected a picture, a video, a folder, a "
            "pattern, a list of paths or an address such as s3://bucket/folder."
        )


def paths_matching(pattern: str) -> list[str]:
    """Return the files and folders that a pattern matches, in natural order.

    Args:
        pattern: A path with `*`, `?` or `[…]` in it, or with `**`, which reaches into folders.
            Links to folders are not followed, and nothing hidden matches unless its dot is given.
            Without any of these, nothing matches.
    """
    parts = Path(pattern).parts
    first = next((number for number, part in enumerate(parts) if _GLOB.search(part)), len(parts))
    matching = set(_matching(os.path.join("", *parts[:first]), parts[first:]))  # noqa: PTH118
    return sorted(matching, key=natural_order)


def _of_pattern(pattern: str) -> Iterator[BatchSource | str]:
    parts = Path(pattern).parts
    # These give the files of all folders already.
    gives_all = parts[-1] == "**" or parts[-2:] == ("**", "*")
    found = paths_matching(pattern)
    if not found:
        raise SourceError(
            f"Nothing matches the pattern {table_name(pattern)}; links to folders are not followed."
        )
    for path in found:
        if Path(path).is_dir():
            if not gives_all:
                yield from _of_folder(path)
        elif _kind_of(path) is None:
            yield path
        else:
            yield _of_file(path)


def _matching(folder: str, parts: Sequence[str]) -> Iterator[str]:
    """Give what matches the parts of a pattern below a folder; `glob` would follow links for ever.

    `**` at its end gives files alone, all that there are.
    """
    if not parts:
        return
    head, *rest = parts
    if head == "**" and rest:
        yield from _matching(folder, rest)
    for name in _names_in(folder):
        if name.startswith(".") and not head.startswith("."):
            continue
        path = os.path.join(folder, name)  # noqa: PTH118 - Path would cost most of the time
        is_folder = os.path.isdir(path)  # noqa: PTH112
        if is_folder and os.path.islink(path):  # noqa: PTH114
            continue
        if head == "**":
            if is_folder:
                yield from _matching(path, parts)
            elif not rest:
                yield path
        elif fnmatch.fnmatch(name, head):
            if not rest:
                yield path
            elif is_folder:
                yield from _matching(path, rest)


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")  # noqa: PTH208
    except OSError:
        return []  # As `glob` does: what cannot be listed matches nothing.


def _of_folder(folder: str) -> Iterator[BatchSource | str]:
    failures: list[OSError] = []
    for path in files_under(folder, failures.append):
        yield path if _kind_of(path) is None else _of_file(path)
    for failure in failures:
        # What is in it cannot be told: it is a row, and not silently less.
        path = str(failure.filename)
        location = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links
        yield BatchSource(table_name(path), "picture", location, error=why_unlisted(failure))


def _of_file(path: str, name: str | None = None) -> BatchSource:
    name = table_name(name or path)
    kind = _kind_by_suffix(path) or "video"
    location = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError as error:
        reason = f"{name} cannot be read: {error.strerror}."
        return BatchSource(name, kind, location, error=reason)
    if not stat.S_ISREG(found.st_mode):
        reason = f"{name} is not a file; a folder or pipe is neither picture nor video."
        return BatchSource(name, kind, location, error=reason)
    return BatchSource(name, kind, location, found.st_size, found.st_mtime_ns)


def _kind_of(name: str) -> Kind | None:
    """What a file that was found is; None where it is hidden, or neither a picture nor a video."""
    return None if is_hidden(Path(name)) else _kind_by_suffix(name)


def _kind_by_suffix(name: str) -> Kind | None:
    suffix = Path(name).suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return "picture"
    return "video" if suffix in VIDEO_SUFFIXES else None


def _of_manifest(path: Path) -> Iterator[BatchSource]:
    """The sources of a list; a relative path begins in the list's folder."""
    for name in _manifest_names(path):
        _refuse_nul(path, name)
        if is_address(name):
            yield from (found for found in _of_uri(name) if isinstance(found, BatchSource))
        else:
            yield _of_file(str(file_of_name(name, path.parent)), name)


def _refuse_nul(path: Path, text: str) -> None:
    if "\0" in text:
        raise DataError(
            f"The list {path} has zero bytes in its text, as UTF-16 does; expected UTF-8: save it "
            "in that."
        )


def _manifest_names(path: Path) -> Iterator[str]:
    try:
        if path.suffix.lower() == ".parquet":
            yield from _parquet_names(path)
        elif path.suffix.lower() == ".csv":
            yield from _csv_names(path)
        else:
            # A name may hold what `splitlines` takes for the end of a line, such as U+2028.
            text = os.fsdecode(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
            yield from (line for line in re.split(r"\r?\n", text) if line.strip())
    except OSError as error:
        raise DataError(f"The list {path} cannot be read: {error.strerror}.") from None


def _csv_names(path: Path) -> Iterator[str]:
    # Python has one limit for all readers, which tables of faces raise (mien.data.table_file).
    csv.field_size_limit(_LONGEST_CELL)
    # The names need not be UTF-8.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.DictReader(file)
        try:
            column = _manifest_column(path, rows.fieldnames or ())
            for name in (row[column] for row in rows if row[column]):
                # mien's own tables have an apostrophe before what a spreadsheet would run.
                is_there = os.path.lexists(os.path.join(path.parent, name))  # noqa: PTH118
                yield name if is_there else plain_text(name)
        except csv.Error as error:
            raise DataError(
                f"The list {path}, before line {rows.line_num + 1}, is not CSV: {error}; expected "
                "a quotation mark at the end of each value that begins with one."
            ) from None


def _parquet_names(path: Path) -> Iterator[str]:
    require_pyarrow()
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    try:
        with pa_parquet.ParquetFile(path) as file:
            column = _manifest_column(path, file.schema_arrow.names)
            for batch in file.iter_batches(columns=[column]):
                for name in dict.fromkeys(filter(None, batch.column(0).to_pylist())):
                    if not isinstance(name, str):
                        raise DataError(
                            f"The list {path} has {name!r} in its column {column}; expected paths."
                        )
                    yield name
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a Parquet file that can be read: {error}.") from None


def _manifest_column(path: Path, columns: Iterable[str]) -> str:
    present = list(columns)
    _refuse_nul(path, "".join(present))
    for column in MANIFEST_COLUMNS:
        if column in present:
            return column
    raise DataError(
        f"The list {path} has the columns {', '.join(present) or 'of none'}; expected one that is "
        f"called {' or '.join(MANIFEST_COLUMNS)} and holds the paths."
    )


def _of_uri(uri: str) -> Iterator[BatchSource | str]:
    require_pyarrow()
    import pyarrow as pa
    from pyarrow.fs import FileSelector, FileType

    # A pattern is matched here: pyarrow knows none.
    base, pattern = _split_pattern(uri.replace(" ", "%20"))
    filesystem, path = open_filesystem(base)
    try:
        info = filesystem.get_file_info(path)
        if info.type == FileType.NotFound:
            raise SourceError(f"There is nothing at {without_secrets(base)}.")
        if info.type == FileType.File:
            yield _of_info(base, path, info, is_named=True)
            return
        matches = re.compile(pattern or ".*", re.DOTALL).fullmatch
        for each in filesystem.get_file_info(FileSelector(path, recursive=True)):
            if each.type != FileType.File or not matches(_below(path, each)):
                continue
            source = _of_info(base, path, each)
            yield source if _kind_of(each.base_name) else source.name
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{without_secrets(base)} cannot be listed: {error}.") from None


def _of_info(base: str, base_path: str, info: Any, *, is_named: bool = False) -> BatchSource:
    parts = urlsplit(base)
    # The names of objects may hold what stands for something else in an address.
    below = "" if is_named else quote(f"/{_below(base_path, info)}")
    location = urlunsplit(parts._replace(path=parts.path.rstrip("/") + below))
    kind = _kind_by_suffix(info.base_name) or "video"
    name = table_name(unquote(without_secrets(location)))
    return BatchSource(name, kind, location, info.size, info.mtime_ns)


def _split_pattern(uri: str) -> tuple[str, str | None]:
    """An address up to the first folder that has a pattern in its name, and the pattern below it.

    The latter as a regular expression: `*` stands for anything, also across folders, and `**/` for
    any folders or none.
    """
    scheme, _, rest = uri.partition("://")
    rest, mark, query = rest.partition("?") if _has_options(rest) else (rest, "", "")
    found = _GLOB.search(rest)
    if found is None:
        return uri, None
    base = rest[: rest.rfind("/", 0, found.start())]
    folders = "\0"  # no character of a name
    below = fnmatch.translate(unquote(rest[len(base) + 1 :]).replace("**/", folders))
    return f"{scheme}://{base}{mark}{query}", below.replace(folders, "(?:.*/)?")


def _has_options(rest: str) -> bool:
    return "?" in rest and "=" in rest.rpartition("?")[2]


def _below(base_path: str, info: Any) -> str:
    """The path of an object below a folder."""
    return str(info.path[len(base_path.rstrip("/")) :]).lstrip("/")
