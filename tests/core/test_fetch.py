"""A fetched file is whole, the wanted one, or not there; an interrupted download goes on."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mien.core.errors import OutputError, SourceError
from mien.core.fetch import fetch

CONTENT = bytes(range(256)) * 4_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Site(ThreadingHTTPServer):
    """A server of one file on this machine; its attributes say how it behaves."""

    content = CONTENT
    knows_ranges = True
    etag: str | None = '"first"'
    breaks_after: int | None = None
    has_length = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sent: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/file.bin"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site = self.server
        if self.path != "/file.bin":
            self.send_error(404)
            return
        start = self._wanted_start()
        if start >= len(site.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if site.etag:
            self.send_header("ETag", site.etag)
        if site.has_length:
            self.send_header("Content-Length", str(len(site.content) - start))
        self.end_headers()
        body = site.content[start:][: site.breaks_after]
        site.sent.append(len(body))
        self.wfile.write(body)

    def _wanted_start(self) -> int:
        wanted = self.headers.get("Range")
        same_file = self.headers.get("If-Range") == self.server.etag
        if wanted is None or not self.server.knows_ranges or not same_file:
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def break_off(site: Site, destination: Path, after: int) -> None:
    site.breaks_after = after
    with pytest.raises(SourceError, match=f"broke off: {after:,} of {len(site.content):,} bytes"):
        fetch(site.url, destination)
    assert not destination.exists()
    site.breaks_after = None


def test_a_file_comes_whole_and_says_how_far_it_is(site: Site, tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    destination = tmp_path / "new folder" / "file.bin"
    fetched = fetch(
        site.url,
        destination,
        sha256=SHA256,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert fetched.read_bytes() == CONTENT
    assert steps[0] == (0, len(CONTENT))
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert list(destination.parent.iterdir()) == [destination]


def test_an_interrupted_download_goes_on_where_it_stopped(site: Site, tmp_path: Path) -> None:
    destination = tmp_path / "file.bin"
    break_off(site, destination, after=300_000)
    steps: list[int] = []
    fetch(site.url, destination, sha256=SHA256, progress=lambda done, _: steps.append(done))
    assert destination.read_bytes() == CONTENT
    assert site.sent == [300_000, len(CONTENT) - 300_000]
    assert steps[0] == 300_000
    assert list(tmp_path.iterdir()) == [destination]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"knows_ranges": False}, id="the server knows no ranges"),
        pytest.param(
            {"etag": '"second"', "content": CONTENT[::-1]}, id="the file has changed meanwhile"
        ),
        pytest.param({"content": CONTENT[:300_000]}, id="nothing is left to send"),
    ],
)
def test_a_download_that_cannot_go_on_starts_afresh(
    site: Site, tmp_path: Path, change: dict[str, object]
) -> None:
    destination = tmp_path / "file.bin"
    break_off(site, destination, after=300_000)
    for name, value in change.items():
        setattr(site, name, value)
    assert fetch(site.url, destination).read_bytes() == site.content


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_a_server_that_does_not_tell_versions_apart_is_not_resumed(
    site: Site, tmp_path: Path, etag: str | None
) -> None:
    site.etag = etag
    destination = tmp_path / "file.bin"
    break_off(site, destination, after=300_000)
    site.content = CONTENT[::-1]
    assert fetch(site.url, destination).read_bytes() == CONTENT[::-1]


def test_a_file_of_unknown_length_is_fetched(site: Site, tmp_path: Path) -> None:
    site.has_length = False
    totals: set[int | None] = set()
    destination = fetch(
        site.url, tmp_path / "file.bin", progress=lambda _, total: totals.add(total)
    )
    assert destination.read_bytes() == CONTENT
    assert totals == {None}


def test_another_file_is_refused_and_the_old_one_kept(site: Site, tmp_path: Path) -> None:
    destination = tmp_path / "file.bin"
    destination.write_bytes(b"old")
    with pytest.raises(SourceError, match=f"its SHA-256 is {SHA256}, expected {'0' * 64}"):
        fetch(site.url, destination, sha256="0" * 64)
    assert destination.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [destination]


def test_a_file_that_is_there_already_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    for _ in range(2):
        fetch(site.url, tmp_path / "file.bin", sha256=SHA256)
    assert len(site.sent) == 1


def test_an_address_without_a_file_is_named(site: Site, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nothing\.bin answered 404"):
        fetch(site.url.replace("file", "nothing"), tmp_path / "file.bin")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1/file.bin", "cannot be reached"),
        ("http://", "cannot be reached"),
        ("ftp://127.0.0.1/file.bin", "expected http"),
        ("nowhere/file.bin", "nowhere/file.bin cannot be read: No such file"),
    ],
)
def test_an_address_that_leads_nowhere_is_named(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=message):
        fetch(url, tmp_path / "file.bin")


def test_a_file_of_this_machine_is_copied(tmp_path: Path) -> None:
    source = tmp_path / "a source.bin"
    source.write_bytes(CONTENT)
    for url in (str(source), source.as_uri()):
        assert fetch(url, tmp_path / "copy.bin", sha256=SHA256).read_bytes() == CONTENT
        (tmp_path / "copy.bin").unlink()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    source = tmp_path / "source.bin"
    source.write_bytes(CONTENT)
    with pytest.raises(OutputError, match=r"copy\.bin\.part cannot be written"):
        fetch(str(source), tmp_path / "file" / "copy.bin")
