"""The web page: the files that `make web` built, and the API's documentation."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path

import brotli
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from mien.serve.http.files import file_response
from mien.serve.http.problems import Problem
from mien.serve.routes.dependencies import ServerContext

router = APIRouter(include_in_schema=False)

mimetypes.add_type("application/manifest+json", ".webmanifest")

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>mien</title>
<h1>The page is not built</h1>
<p>The API is served all the same: its description is <a href="/openapi.json">/openapi.json</a>.</p>
<p>For the page, run <code>make web</code> in the repository (it needs Node.js 20.19 or later), and
then install mien from there again, unless it was installed with <code>--editable</code>.</p>
</html>
"""
_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATED = "no-cache"
_PIECE_BYTES = 2**16
_REFUSED = re.compile(r"q\s*=\s*0(\.0*)?")  # The weight of a coding that is not taken.


def static_folder() -> Path:
    """Return where `make web` puts the page."""
    return Path(__file__).parents[1] / "static"


def is_built(folder: Path | None = None) -> bool:
    """Whether the page is there."""
    return ((folder or static_folder()) / "index.html").is_file()


@router.get("/")
def index(request: Request, context: ServerContext) -> Response:
    """Show the page, or what to do for it."""
    return _html(request, context.static_folder, "index.html")


@router.get("/docs")
def docs(request: Request, context: ServerContext) -> Response:
    """Show the API's documentation."""
    return _html(request, context.static_folder, "docs.html")


@router.get("/assets/{name}")
def asset(request: Request, context: ServerContext, name: str) -> Response:
    """Send a script, style sheet, icon or WebAssembly file; its name changes with its content."""
    return _send(request, context.static_folder, f"assets/{name}", _IMMUTABLE)


@router.get("/{name}")
def root_file(request: Request, context: ServerContext, name: str) -> Response:
    """Send one of the few files with fixed names, such as the icon."""
    return _send(request, context.static_folder, name, _REVALIDATED)


def _html(request: Request, folder: Path, name: str) -> Response:
    if not is_built(folder):
        return HTMLResponse(_NOT_BUILT, status_code=404)
    return file_response(request, folder / name, {"Cache-Control": _REVALIDATED})


def _send(request: Request, folder: Path, path: str, cache_control: str) -> Response:
    """Send a file of the built page; the big ones lie there compressed."""
    file = _find(folder, path)
    compressed = _find(folder, path + ".br")
    headers = {"Cache-Control": cache_control}
    if file is not None:
        return file_response(request, file, headers)
    if compressed is None:
        raise _missing(path)
    headers["Vary"] = "Accept-Encoding"
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    if _takes_brotli(request):
        headers["Content-Encoding"] = "br"
        return file_response(request, compressed, headers, media_type)
    content = _unpacked(compressed, compressed.stat().st_mtime_ns)
    headers["Content-Length"] = str(len(content))
    return StreamingResponse(_pieces(content), headers=headers, media_type=media_type)


@lru_cache(maxsize=8)
def _unpacked(file: Path, _changed_ns: int) -> bytes:
    """Unpack a file once: some take a tenth of a second and 30 MB."""
    content: bytes = brotli.decompress(file.read_bytes())
    return content


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    """Give a few bytes at a time, so that clients who fetch slowly share the one copy."""
    for start in range(0, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]


def _find(folder: Path, path: str) -> Path | None:
    """Return the file in `folder`; None where there is none, or it lies elsewhere."""
    try:
        file = (folder / path).resolve()
        found = file.is_relative_to(folder.resolve()) and file.is_file()
    except (OSError, ValueError):  # A name that no file can have: too long, or with a NUL.
        return None
    return file if found else None


def _takes_brotli(request: Request) -> bool:
    """Browsers say so over HTTPS and on this machine; over plain HTTP they do not."""
    for coding in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() == "br":
            return not _REFUSED.fullmatch(weight.strip())
    return False


def _missing(path: str) -> Problem:
    return Problem("not-found", f"There is no /{path}.")
