"""`POST /v1/reports`: a record in, the same report as `mien report` makes out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from mien.serve.http.openapi import responses
from mien.serve.http.problems import Problem
from mien.serve.routes.dependencies import ServerContext, require_access

log = logging.getLogger("mien.serve")

router = APIRouter(prefix="/v1", tags=["reports"], dependencies=[Depends(require_access)])

_FOLDER_PREFIX = "mien-report-"
_LONGEST_S = 300.0
# Longer than a report that is received, waits for others and is made can take.
_STALE_S = 4 * 3600.0
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
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "text/csv":
        raise Problem("wrong-type", f"The record is sent as {declared[:80]!r}; expected text/csv.")
    with tempfile.TemporaryDirectory(prefix=_FOLDER_PREFIX) as folder:
        record, page = Path(folder) / "session.csv", Path(folder) / "report.html"
        with record.open("wb") as file:
            async for piece in request.stream():
                await run_in_threadpool(file.write, piece)
        memory_mb = context.settings.limits.video_memory_mb
        run = partial(_write_page, record, page, memory_mb)
        content = await asyncio.get_running_loop().run_in_executor(_writer, run)
    headers = {"Content-Disposition": 'attachment; filename="mien-report.html"'}
    return Response(content, headers=headers, media_type="text/html")


async def keep_tidy() -> None:
    """Remove, now and then, what killed servers left of reports that they were making."""
    while True:
        await asyncio.to_thread(_remove_stale_folders)
        await asyncio.sleep(_LONGEST_S)


def _remove_stale_folders() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        # Another worker may have removed it just now.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > _STALE_S:
                shutil.rmtree(folder, ignore_errors=True)


def _write_page(record: Path, page: Path, memory_mb: int) -> bytes:
    """Write a record's page in a process of its own, which a hostile one cannot outgrow."""
    words = ["-m", "mien.serve.jobs.report_process", str(record), str(page), str(memory_mb)]
    try:
        ended = subprocess.run([sys.executable, *words], capture_output=True, timeout=_LONGEST_S)
    except subprocess.TimeoutExpired:
        raise Problem("too-long", f"The report took more than {_LONGEST_S:g} s.") from None
    if ended.returncode != 0:
        log.warning("The report's process ended with %d: %r", ended.returncode, ended.stderr[-500:])
        # A process that is killed had too much, too.
        if ended.returncode < 0 or b"MemoryError" in ended.stderr:
            raise Problem("unreadable", "The record needs too much memory.")
        raise Problem("failed", "This is a fault of the server.")
    if fault := ended.stdout.decode():
        raise Problem("unreadable", fault.replace(str(record), "The table").strip())
    return page.read_bytes()
