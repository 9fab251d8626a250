"""`POST /v1/reports`: a record in, the same report as `mien report` makes out."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from pathlib import Path

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from mien.core.errors import DataError
from mien.record.report import write_report
from mien.serve.access import require_access
from mien.serve.documents import responses
from mien.serve.problems import Problem

router = APIRouter(prefix="/v1", tags=["reports"], dependencies=[Depends(require_access)])

_FOLDER_PREFIX = "mien-report-"
_LONGEST_S = 300.0


@router.post(
    "/reports",
    response_class=Response,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}}},
        **responses(401, 403, 408, 413, 415, 422, 429, 503),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": {"schema": {"type": "string"}}},
        }
    },
)
async def make_report(request: Request) -> Response:
    """Make one self-contained HTML page of a record in CSV; nothing is kept.

    The columns are those of `GET /v1/videos/{job_id}/result?format=csv`.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip()
    if declared != "text/csv":
        raise Problem("wrong-type", f"The record is sent as {declared[:80]!r}; expected text/csv.")
    page = await run_in_threadpool(_page, await request.body())
    headers = {"Content-Disposition": 'attachment; filename="mien-report.html"'}
    return Response(page, headers=headers, media_type="text/html")


async def keep_tidy() -> None:
    """Remove, now and then, what killed servers left of reports that they were making."""
    while True:
        await asyncio.to_thread(_remove_stale_folders)
        await asyncio.sleep(_LONGEST_S)


def _remove_stale_folders() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        # Another worker may have removed it just now.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > _LONGEST_S:
                shutil.rmtree(folder, ignore_errors=True)


def _page(table: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix=_FOLDER_PREFIX) as folder:
        record, page = Path(folder) / "session.csv", Path(folder) / "report.html"
        record.write_bytes(table)
        try:
            write_report(record, page)
        except DataError as error:
            detail = str(error).replace(str(record), "The table")
            raise Problem("unreadable", detail) from None
        return page.read_bytes()
