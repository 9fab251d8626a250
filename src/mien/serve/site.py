"""The page as plain files, for any web server: it recognises in the browser, without Python."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import brotli

from mien.core.errors import DataError, ModelError, OutputError
from mien.engine.settings import EngineSettings
from mien.faces.models import YUNET_VARIABLE, find_yunet, read_yunet
from mien.recognizer import Recognizer
from mien.serve.http.headers import SITE_POLICY
from mien.serve.routes.model import model_info, temporal_for_page
from mien.serve.routes.page import is_built, static_folder

_DESCRIPTION = "model/model.json"
_HEAD = "<head>"
# The API's documentation is a server's.
_LEFT_OUT = ("docs.html", "docs-*")


def export_site(folder: Path, artifact: Path | None = None) -> int:
    """Write the page with its networks as plain files.

    Args:
        folder: Where to; made if it is missing. It must be empty.
        artifact: A network in ONNX with its sidecar; None for the one that ships with mien.

    Returns:
        How many bytes were written.

    Raises:
        OutputError: if the folder is not empty or cannot be written.
        DataError: if the page is not built.
        ModelError: if the network cannot be used, or YuNet is missing.
    """
    static = static_folder()
    if not is_built(static):
        raise DataError(f"The page is not built: {static} has no index.html. Run  make web  first.")
    yunet = find_yunet()
    if yunet is None:
        raise ModelError(
            "A page without a server needs the detector YuNet: run  mien models download  or name "
            f"its file in the environment variable {YUNET_VARIABLE}."
        )
    recognizer = Recognizer(artifact, detector="yunet")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is not an empty folder: name another one, or empty it.")
    try:
        _copy(static, folder)
        _write_networks(folder / "model", recognizer, read_yunet(yunet))
        page = _tell_page(folder / "index.html")
        _renew(folder / "service_worker.js", page)
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}.") from None


def _copy(static: Path, folder: Path) -> None:
    """Copy the built page; plain web servers do not know files that are kept in Brotli's form."""
    shutil.copytree(static, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    for packed in folder.rglob("*.br"):
        packed.with_suffix("").write_bytes(brotli.decompress(packed.read_bytes()))
        packed.unlink()


def _write_networks(folder: Path, recognizer: Recognizer, yunet: bytes) -> None:
    folder.mkdir()
    shutil.copyfile(recognizer.artifact.onnx_path, folder / "emotion.onnx")
    (folder / "yunet.onnx").write_bytes(yunet)
    info = model_info(recognizer, EngineSettings())
    info.url = "model/emotion.onnx"
    if info.page_detector is not None:
        info.page_detector.url = "model/yunet.onnx"
    temporal = temporal_for_page(recognizer.artifact, None)
    if temporal is not None and info.page_temporal is not None:
        shutil.copyfile(temporal.onnx_path, folder / "temporal.onnx")
        info.page_temporal.url = "model/temporal.onnx"
    (folder / "model.json").write_text(info.model_dump_json(), encoding="utf-8")


def _tell_page(index: Path) -> str:
    """Let the page look for its networks beside it, and do without a server; return it."""
    added = (
        f'{_HEAD}<meta http-equiv="Content-Security-Policy" content="{SITE_POLICY}">'
        f'<meta name="mien-model" content="{_DESCRIPTION}">'
    )
    page = index.read_text(encoding="utf-8").replace(_HEAD, added, 1)
    index.write_text(page, encoding="utf-8")
    return page


def _renew(worker: Path, page: str) -> None:
    """Let browsers that have another page of this address take this one for a newer one.

    They compare the service worker's bytes alone, and the build has hashed another page into them.
    """
    with worker.open("a", encoding="utf-8") as script:
        script.write(f"// {hashlib.sha256(page.encode()).hexdigest()}\n")
