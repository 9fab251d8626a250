"""Fetch a file from an address, whole or not at all; an interrupted download goes on later."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from mien.core.errors import OutputError, SourceError
from mien.core.files import hash_file

Progress = Callable[[int, int | None], None]

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = 30.0


def fetch(
    url: str, destination: Path, *, sha256: str | None = None, progress: Progress | None = None
) -> Path:
    """Fetch a file.

    What has come of it is kept in `<destination>.part`. If the server knows ranges and still has
    the same file, the next call goes on where the last one was interrupted.

    Args:
        url: An address (http, https or file) or a path.
        destination: The file to write; its folder is made where it is missing. A file that is
            already there is replaced, but left alone if it has the wanted hash.
        sha256: What the file must hash to, 64 hexadecimal digits.
        progress: Called with the bytes that have come and the bytes in all, None if the server
            does not say.

    Returns:
        `destination`.

    Raises:
        SourceError: if the address or path cannot be read, the connection breaks, or the hash is
            another one.
        OutputError: if the file cannot be written.
    """
    if sha256 is not None and destination.is_file() and hash_file(destination) == sha256:
        return destination
    part = destination.with_name(f"{destination.name}.part")
    report = progress or (lambda _done, _total: None)
    local = _local_path(url)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        if local is None:
            _download(url, part, report)
        else:
            _copy(local, part, report)
        _check_hash(url, part, sha256)
        part.replace(destination)
    except OSError as error:
        raise OutputError(f"{part} cannot be written: {error.strerror or error}.") from error
    _tag_file(part).unlink(missing_ok=True)
    return destination


def _check_hash(url: str, part: Path, expected: str | None) -> None:
    if expected is None or (found := hash_file(part)) == expected:
        return
    part.unlink()
    _tag_file(part).unlink(missing_ok=True)
    raise SourceError(
        f"{url} is another file than expected: its SHA-256 is {found}, expected {expected}. "
        "It was thrown away; try again, or another network if this repeats."
    )


def _local_path(url: str) -> Path | None:
    """Return the path that `url` names; None if it is on the network."""
    address = urllib.parse.urlsplit(url)
    if address.scheme in ("http", "https"):
        return None
    if address.scheme == "file":
        return Path(urllib.request.url2pathname(address.path))
    # One letter is a drive of Windows.
    if len(address.scheme) > 1 and "://" in url:
        raise SourceError(
            f"{url} cannot be fetched: expected http://…, https://…, file://… or a path."
        )
    return Path(url)


def _copy(source: Path, part: Path, report: Progress) -> None:
    try:
        file = source.open("rb")
    except OSError as error:
        raise SourceError(f"{source} cannot be read: {error.strerror}.") from error
    _tag_file(part).unlink(missing_ok=True)
    with file, part.open("wb") as copy:
        _write_chunks(_chunks(file, str(source)), copy, 0, source.stat().st_size, report)


def _download(url: str, part: Path, report: Progress) -> None:
    with _open(url, part) as response:
        goes_on = response.status == http.client.PARTIAL_CONTENT
        done = part.stat().st_size if goes_on else 0
        total = None if response.length is None else done + response.length
        with part.open("ab" if goes_on else "wb") as file:
            if not goes_on:
                _keep_tag(response, part)
            done = _write_chunks(_chunks(response, url), file, done, total, report)
    if total is not None and done < total:
        raise SourceError(_broken(url, f"{done:,} of {total:,} bytes have come"))


def _open(url: str, part: Path) -> http.client.HTTPResponse:
    headers = {"User-Agent": "mien", "Accept-Encoding": "identity"} | _range_headers(part)
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_SECONDS
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and "Range" in headers:
            part.unlink()
            return _open(url, part)
        raise SourceError(f"{url} answered {error.code} {error.reason}.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SourceError(f"{url} cannot be reached: {reason}. Is there a network?") from error
    return response


def _range_headers(part: Path) -> dict[str, str]:
    """Ask for the rest of what `part` holds, if the server still has the same file."""
    tag = _tag_file(part)
    if not (part.is_file() and tag.is_file() and part.stat().st_size > 0):
        return {}
    return {
        "Range": f"bytes={part.stat().st_size}-",
        "If-Range": tag.read_text(encoding="utf-8"),
    }


def _keep_tag(response: http.client.HTTPResponse, part: Path) -> None:
    """Keep what tells this version of the file from another; without it nothing is resumed."""
    tag = response.headers.get("ETag")
    if tag is None or tag.startswith("W/"):
        tag = response.headers.get("Last-Modified")
    if tag is None:
        _tag_file(part).unlink(missing_ok=True)
    else:
        _tag_file(part).write_text(tag, encoding="utf-8")


def _tag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")


def _write_chunks(
    chunks: Iterator[bytes], file: BinaryIO, done: int, total: int | None, report: Progress
) -> int:
    report(done, total)
    for chunk in chunks:
        file.write(chunk)
        done += len(chunk)
        report(done, total)
    return done


def _chunks(source: BinaryIO | http.client.HTTPResponse, name: str) -> Iterator[bytes]:
    while True:
        try:
            chunk = source.read(_CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise SourceError(_broken(name, str(error))) from error
        if not chunk:
            return
        yield chunk


def _broken(url: str, what: str) -> str:
    return f"{url} broke off: {what}. Run the same command again: it goes on where it stopped."
