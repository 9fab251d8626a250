"""`mien web export`: the page as plain files."""

import json

import brotli
import pytest

from mien.core.errors import DataError, ModelError, OutputError
from mien.serve import site


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A folder as `make web` leaves it."""
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<html><head><title>mien</title></head></html>")
    (static / "docs.html").write_text("<title>API</title>")
    (static / "service_worker.js").write_text("serve();\n// 0123\n")
    (static / "assets/docs-1.js.br").write_bytes(brotli.compress(b"swagger"))
    (static / "assets/big.wasm.br").write_bytes(brotli.compress(b"\0asm"))
    monkeypatch.setattr(site, "static_folder", lambda: static)
    return static


def test_the_page_lies_there_with_its_networks(built, tmp_path, yunet_path, monkeypatch):
    monkeypatch.setenv("MIEN_YUNET", str(yunet_path))
    folder = tmp_path / "site"
    written = site.export_site(folder)
    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    networks = {"model/model.json", "model/emotion.onnx", "model/yunet.onnx", "model/temporal.onnx"}
    assert files == {"index.html", "service_worker.js", "assets/big.wasm"} | networks
    assert written == sum((folder / file).stat().st_size for file in files)
    assert (folder / "assets/big.wasm").read_bytes() == b"\0asm"
    page = (folder / "index.html").read_text()
    assert 'name="mien-model" content="model/model.json"' in page
    info = json.loads((folder / "model/model.json").read_text())
    for url in (info["url"], info["page_detector"]["url"], info["page_temporal"]["url"]):
        assert (folder / url).is_file()


def test_browsers_that_know_another_page_of_the_address_take_it_for_a_newer_one(
    built, tmp_path, yunet_path, monkeypatch
):
    monkeypatch.setenv("MIEN_YUNET", str(yunet_path))

    def worker_of(name):
        site.export_site(tmp_path / name)
        return (tmp_path / name / "service_worker.js").read_text()

    served = (built / "service_worker.js").read_text()
    exported = worker_of("one")
    # The same worker, but for bytes that say which page is meant: it is not the server's.
    assert exported.startswith(served)
    assert exported != served
    assert worker_of("same") == exported
    monkeypatch.setattr(site, "SITE_POLICY", "default-src 'self'")
    assert worker_of("another") != exported


def test_what_is_there_already_stays(built, tmp_path, yunet_path, monkeypatch):
    monkeypatch.setenv("MIEN_YUNET", str(yunet_path))
    (tmp_path / "site").mkdir()
    (tmp_path / "site/mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not an empty folder"):
        site.export_site(tmp_path / "site")
    assert [file.name for file in (tmp_path / "site").iterdir()] == ["mine.txt"]


def test_without_a_detector_or_a_page_it_says_what_to_run(built, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "find_yunet", lambda: None)
    with pytest.raises(ModelError, match="mien models download"):
        site.export_site(tmp_path / "site")
    (built / "index.html").unlink()
    with pytest.raises(DataError, match="make web"):
        site.export_site(tmp_path / "site")
    assert not (tmp_path / "site").exists()
