"""What `mien serve` sends of the built page, and what it says where there is none."""

import json
from pathlib import Path

import brotli
import pytest

from mien.serve.routes.page import is_built

WEBASSEMBLY = b"\0asm" + bytes(300_000)


@pytest.fixture
def built(tmp_path):
    """A folder as `make web` leaves it: small files as they are, big ones in Brotli's form."""
    assets = tmp_path / "static/assets"
    assets.mkdir(parents=True)
    (assets.parent / "index.html").write_text("<title>mien</title>")
    (assets.parent / "docs.html").write_text("<title>API</title>")
    (assets / "small.js").write_text("1;")
    (assets / "big.wasm.br").write_bytes(brotli.compress(WEBASSEMBLY))
    (tmp_path / "secret.js").write_text("no")
    return assets.parent


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip;q=0.5, BR;q=0.9", "br"),
        ("gzip, deflate", None),
        ("identity", None),
        ("brx", None),
        ("br;q=0, identity", None),
        ("br; q=0.00, gzip", None),
    ],
)
def test_a_big_file_comes_small_to_who_can_unpack_it(client_of, built, accepted, coding):
    client = client_of(static_folder=built)
    with client.stream("GET", "/assets/big.wasm", headers={"Accept-Encoding": accepted}) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.status_code == 200
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["content-type"] == "application/wasm"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "immutable" in answer.headers["cache-control"]
    assert (brotli.decompress(sent) if coding else sent) == WEBASSEMBLY


def test_the_page_and_its_files_are_sent(client_of, built):
    client = client_of(static_folder=built)
    assert "<title>mien" in client.get("/").text
    assert "<title>API" in client.get("/docs").text
    assert client.get("/assets/small.js").text == "1;"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/..%2f..%2fsecret.js",
        "/..%2fsecret.js",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.js",
        "/assets/..%5c..%5csecret.js",
        "/nothing",
        "/assets/nothing",
        "/%00",
        "/assets/%00",
        "/" + "a" * 300,
    ],
)
def test_nothing_outside_the_page_is_sent(client_of, built, path):
    answer = client_of(static_folder=built).get(path)
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:mien:problem:not-found"


def test_without_a_page_it_says_what_to_run_and_serves_the_rest(
    client_of, tmp_path, astronaut_jpeg, stream_of
):
    client = client_of(static_folder=tmp_path)
    for path in ("/", "/docs"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "make web" in answer.text
    assert client.post("/v1/images", files={"files": astronaut_jpeg}).json()["images"][0]["faces"]
    with stream_of(client) as stream:
        stream.receive_json()
        stream.send_bytes(astronaut_jpeg)
        assert stream.receive_json()["faces"]


@pytest.mark.skipif(not is_built(), reason="the page is not built: run  make web")
def test_the_built_page_comes_with_the_licences_of_what_it_is_made_of(client_of):
    client = client_of()
    assert "licenses.txt" in client.get("/").text
    said = client.get("/licenses.txt").text
    manifest = Path(__file__).parents[2] / "web/package.json"
    shipped = json.loads(manifest.read_text(encoding="utf-8"))["dependencies"]
    for name, version in shipped.items():
        title, text = said.split(f"{name} {version} (", 1)[1].split("\n", 1)
        assert f"https://www.npmjs.com/package/{name}" in title
        assert len(text.partition("=" * 72)[0]) > 1000
