"""`POST /v1/reports`: a record in, the same report as `mien report` makes out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from mien.core.temporary import temporary_folder
from mien.serve.http.clients import while_there
from mien.serve.http.openapi import responses
from mien.serve.http.problems import Problem
from mien.serve.routes.dependencies import ServerContext, require_access
from mien.serve.routes.uploads import media_type_of
from mien.serve.settings import environment_for_children

log = logging.getLogger("mien.serve")

router = APIRouter(prefix="/v1", tags=["reports"], dependencies=[Depends(require_access)])

_RECORD, _PAGE = "session.csv", "report.html"
_LONGEST_S = 300.0
_LOOK_S = 0.2
# One at a time: a large record keeps a core busy for a while.
_writer = ThreadPoolExecutor(1, thread_name_prefix="report")


@router.post(
    "/reports",
    response_class=Response,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}}},
        **responses(401, 403, 408, 413, 415, 422, 429, 503, 507),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": {"schema": {"type": "string"}}},
        }
    },
)
async def make_report(request: Request, context: ServerContext) -> Response:
    """Make one self-contained HTML page of a record in CSV; nothing is kept.

    The columns are those of `GET /v1/videos/{job_id}/result?format=csv`.
    """
    declared = media_type_of(request.headers)
    if declared != "text/csv":
        raise Problem("wrong-type", f"The record is sent as {declared[:80]!r}; expected text/csv.")
    async with _own_folder() as folder:
        with (folder / _RECORD).open("wb") as file:
            async for piece in request.stream():
                await run_in_threadpool(file.write, piece)
        memory_mb = context.settings.limits.video_memory_mb
        content = await _page_of(request, folder, memory_mb)
    headers = {"Content-Disposition": 'attachment; filename="mien-report.html"'}
    return Response(content, headers=headers, media_type="text/html")


@contextlib.asynccontextmanager
async def _own_folder() -> AsyncIterator[Path]:
    """Give a temporary folder; a thread makes and removes it, as that may wait for the disk."""
    stack = contextlib.ExitStack()
    try:
        yield await run_in_threadpool(stack.enter_context, temporary_folder())
    finally:
        await run_in_threadpool(stack.close)


async def _page_of(request: Request, folder: Path, memory_mb: int) -> bytes:
    """Write a record's page when its turn has come, unless the client leaves before."""
    left = threading.Event()
    writing = _writer.submit(_write_page, folder, memory_mb, left)
    try:
        return await while_there(request, asyncio.wrap_future(writing))
    finally:
        left.set()
        if not writing.cancel():
            # The folder is removed next: nobody may be at work in it.
            await asyncio.to_thread(wait, [writing])


def _write_page(folder: Path, memory_mb: int, left: threading.Event) -> bytes:
    """Write a record's page in a process of its own, which a hostile one cannot outgrow."""
    words = ["-m", "mien.serve.jobs.report_process", str(folder), _RECORD, _PAGE, str(memory_mb)]
    begun_s = time.monotonic()
    with subprocess.Popen(
        [sys.executable, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment_for_children(),
    ) as process:
        while True:
            try:
                faults, errors = process.communicate(timeout=_LOOK_S)
                break
            except subprocess.TimeoutExpired:
                if left.is_set():
                    process.kill()
                    raise ClientDisconnect from None
                if time.monotonic() - begun_s > _LONGEST_S:
                    process.kill()
                    raise Problem(
                        "too-long", f"The report took more than {_LONGEST_S:g} s."
                    ) from None
    if process.returncode != 0:
        log.warning("The report's process ended with %d: %r", process.returncode, errors[-500:])
        # A process that is killed had too much, too.
        if process.returncode < 0 or b"MemoryError" in errors:
            raise Problem("unreadable", "The record needs too much memory.")
        raise Problem("failed", "This is a fault of the server.")
    if fault := faults.decode():
        raise Problem("unreadable", fault.replace(_RECORD, "The table").strip())
    return (folder / _PAGE).read_bytes()
