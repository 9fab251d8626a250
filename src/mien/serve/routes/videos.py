"""`/v1/videos`: a video in, a job that tells how far it is, a table out."""

from __future__ import annotations

import asyncio
import csv
import json
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter
from starlette.datastructures import UploadFile

from mien.media.container import container_of
from mien.media.heif import has_boxes
from mien.record.summary import Summary
from mien.record.table import parse_row, plain_text
from mien.serve.http.clients import client_of
from mien.serve.http.openapi import responses
from mien.serve.http.problems import Problem
from mien.serve.routes.dependencies import (
    ReadingName,
    ServerContext,
    check_reading_over_time,
    require_access,
)
from mien.serve.routes.schemas import FaceRecord, JobList, JobStatus, VideoResult
from mien.serve.routes.uploads import check_name, receive_file
from mien.serve.store import Job, Store

router = APIRouter(prefix="/v1/videos", tags=["videos"], dependencies=[Depends(require_access)])

_HEAD_BYTES = 4096
# JPEG 2000 and JPEG XL: FFmpeg takes such a file for a video only if it is nothing else.
_PICTURE_BRANDS = (b"jp2 ", b"jpx ", b"jxl ")
_ROWS_AT_ONCE = 500
_FACES = TypeAdapter(list[FaceRecord])
JobId = Annotated[str, Path(description="As `POST /v1/videos` gave it.", max_length=64)]


_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                # Swagger UI shows a button for a file where it says so.
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        }
    },
}
_LINKS = {
    operation: {"operationId": operation, "parameters": {"job_id": "$response.body#/id"}}
    for operation in ("video_status", "video_result", "delete_video")
}


@router.post(
    "",
    status_code=202,
    responses={
        202: {"links": _LINKS},
        **responses(400, 401, 403, 408, 413, 415, 422, 429, 501, 503, 507),
    },
    openapi_extra={"requestBody": _BODY},
)
async def add_video(
    request: Request, context: ServerContext, response: Response, reading: ReadingName = None
) -> JobStatus:
    """Take a video in. The answer is a job: ask for it until it is `done` or `failed`.

    Send an MP4, MOV, WebM, Matroska or AVI as `file` of a form. It lies in a file without a name,
    which is gone when the job ends, or the server.
    """
    if os.name != "posix":
        raise Problem(
            "not-supported",
            "Videos are taken on Linux and macOS only, where an open file needs no name.",
        )
    check_reading_over_time(context, reading)
    async with AsyncExitStack() as stack:
        file = await receive_file(request, stack, "file")
        check_name(file.filename)
        check_container(await file.read(_HEAD_BYTES))
        video = _unnamed(file)
    try:
        job_id = await context.jobs.add(video, client_of(request.scope), reading)
    except BaseException:
        video.close()
        raise
    response.headers["Location"] = f"/v1/videos/{job_id}"
    return _status(await asyncio.to_thread(_find, context.store, job_id))


@router.get("", responses=responses(401, 403, 429))
def list_videos(request: Request, context: ServerContext) -> JobList:
    """List the jobs whose videos came from this client's address, the newest first.

    Who knows a job may fetch and delete it. So a server that has no token, and that more than this
    machine can reach, lists none: strangers may share an address.
    """
    settings = context.settings
    if settings.token is None and (settings.allowed_hosts or not settings.is_loopback):
        raise Problem("list-refused", "A server without a token lists no jobs to its network.")
    jobs = context.store.jobs_of(client_of(request.scope))
    return JobList(jobs=[_status(job) for job in jobs])


@router.get("/{job_id}", responses=responses(401, 404, 422, 429))
def video_status(context: ServerContext, job_id: JobId) -> JobStatus:
    """Tell how far a job is."""
    return _status(_find(context.store, job_id))


@router.get(
    "/{job_id}/result",
    response_model=VideoResult,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **responses(401, 404, 409, 422, 429),
    },
)
def video_result(
    context: ServerContext,
    job_id: JobId,
    format: Annotated[str, Query(pattern="^(json|csv)$", description="json or csv.")] = "json",
) -> Response:
    """Fetch the table of a job that is done: one row per face and frame.

    As JSON, with what each person and everyone showed on the whole.
    """
    job = _find(context.store, job_id)
    table = context.store.result(job_id)
    if table is None:
        raise Problem("job-not-done", f"The job is {job.state}.", state=job.state)
    if format == "csv":
        return StreamingResponse(table, media_type="text/csv")
    # Made as a whole, the answer for a long video would hold up everyone else for most of a minute.
    return StreamingResponse(_as_json(table), media_type="application/json")


@router.delete("/{job_id}", status_code=204, responses=responses(401, 403, 404, 422, 429))
async def delete_video(context: ServerContext, job_id: JobId) -> None:
    """End a job if it still runs, and forget it with its result."""
    if not await asyncio.to_thread(context.store.delete_job, job_id):
        raise _no_such_job()
    await context.jobs.discard_deleted()


def check_container(head: bytes) -> None:
    """Refuse what is no video file by its first bytes.

    FFmpeg would also open play lists that name files and addresses of the server's network.

    Args:
        head: The first bytes, as many as there are up to 4096.

    Raises:
        Problem: `unreadable` if there are none, `wrong-type`.
    """
    if not head:
        raise Problem("unreadable", "The file is empty (0 bytes).")
    is_picture = has_boxes(head) and head[8:12] in _PICTURE_BRANDS
    if is_picture or container_of(head) is None:
        raise Problem(
            "wrong-type", "The file's content is no MP4, MOV, WebM, Matroska or AVI video."
        )


def _unnamed(file: UploadFile) -> BinaryIO:
    """Return the upload as a file of its own, which outlives the request."""
    spooled = cast(Any, file.file)
    spooled.rollover()
    video = os.fdopen(os.dup(spooled.fileno()), "rb")
    video.seek(0)
    return video


def _find(store: Store, job_id: str) -> Job:
    job = store.job(job_id)
    if job is None:
        raise _no_such_job()
    return job


def _no_such_job() -> Problem:
    return Problem("no-such-job", "There is no such job, or its result has been forgotten.")


def _status(job: Job) -> JobStatus:
    result_url = f"/v1/videos/{job.id}/result" if job.state == "done" else None
    return JobStatus(**asdict(job), result_url=result_url)


def _as_json(table: Iterator[str]) -> Iterator[bytes]:
    """Write a table in CSV as a `VideoResult`, some rows at a time."""
    lines = csv.reader(line for piece in table for line in piece.splitlines())
    values = ([plain_text(value) for value in line] for line in lines)
    columns = next(values)
    rows = (dict(zip(columns, row, strict=True)) for row in values)
    yield b'{"faces":['
    separator = b""
    summary = Summary()
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        summary.add(parse_row(row, "The table") for row in some)
        yield separator + _FACES.dump_json(_FACES.validate_python(some))[1:-1]
        separator = b","
    yield b'],"summary":' + json.dumps(summary.document()).encode() + b"}"
