"""`/v1/videos`: a video in, a job that tells how far it is, a table out."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Depends, File, Path, Query, Request, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from mien.serve.access import require_access
from mien.serve.documents import responses
from mien.serve.images import check_name
from mien.serve.jobs import JobRunner
from mien.serve.problems import Problem
from mien.serve.schemas import FaceRecord, JobStatus, VideoResult
from mien.serve.store import Job, Store

router = APIRouter(prefix="/v1/videos", tags=["videos"], dependencies=[Depends(require_access)])

_HEAD_BYTES = 4096
_ROWS_AT_ONCE = 500
_FACES = TypeAdapter(list[FaceRecord])
JobId = Annotated[str, Path(description="As `POST /v1/videos` gave it.", max_length=64)]


_LINKS = {
    operation: {"operationId": operation, "parameters": {"job_id": "$response.body#/id"}}
    for operation in ("video_status", "video_result", "delete_video")
}


@router.post(
    "",
    status_code=202,
    responses={
        202: {"links": _LINKS},
        **responses(400, 401, 403, 408, 413, 415, 422, 429, 501, 503),
    },
)
async def add_video(
    request: Request,
    response: Response,
    file: Annotated[UploadFile, File(description="An MP4, MOV, WebM, Matroska or AVI video.")],
) -> JobStatus:
    """Take a video in. The answer is a job: ask for it until it is `done` or `failed`.

    The video lies in a file without a name, which is gone when the job ends, or the server.
    """
    if os.name != "posix":
        raise Problem(
            "not-supported",
            "Videos are taken on Linux and macOS only, where an open file needs no name.",
        )
    check_name(file.filename)
    head = await file.read(_HEAD_BYTES)
    check_container(head)
    jobs: JobRunner = request.app.state.jobs
    video = _unnamed(file)
    try:
        job_id = await jobs.add(video)
    except BaseException:
        video.close()
        raise
    response.headers["Location"] = f"/v1/videos/{job_id}"
    return _status(_find(request.app.state.store, job_id))


@router.get("/{job_id}", responses=responses(401, 404, 422, 429))
def video_status(request: Request, job_id: JobId) -> JobStatus:
    """Tell how far a job is."""
    return _status(_find(request.app.state.store, job_id))


@router.get(
    "/{job_id}/result",
    response_model=VideoResult,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **responses(401, 404, 409, 422, 429),
    },
)
def video_result(
    request: Request,
    job_id: JobId,
    format: Annotated[str, Query(pattern="^(json|csv)$", description="json or csv.")] = "json",
) -> Response:
    """Fetch the table of a job that is done: one row per face and frame."""
    store: Store = request.app.state.store
    job = _find(store, job_id)
    table = store.result(job_id)
    if table is None:
        raise Problem("job-not-done", f"The job is {job.state}.", state=job.state)
    if format == "csv":
        return StreamingResponse(table, media_type="text/csv")
    # Made as a whole, the answer for a long video would hold up everyone else for most of a minute.
    return StreamingResponse(_as_json(table), media_type="application/json")


@router.delete("/{job_id}", status_code=204, responses=responses(401, 403, 404, 422, 429))
def delete_video(request: Request, job_id: JobId) -> None:
    """End a job if it still runs, and forget it with its result."""
    if not request.app.state.store.delete_job(job_id):
        raise _no_such_job()


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
    is_mp4 = head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
    is_matroska = head.startswith(b"\x1aE\xdf\xa3")
    is_avi = head.startswith(b"RIFF") and head[8:12] == b"AVI "
    if not (is_mp4 or is_matroska or is_avi):
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
    return JobStatus(
        id=job.id,
        state=cast(Any, job.state),
        created_s=job.created_s,
        finished_s=job.finished_s,
        frames_done=job.frames_done,
        frames_total=job.frames_total,
        warning=job.warning,
        problem=job.problem,
        result_url=f"/v1/videos/{job.id}/result" if job.state == "done" else None,
    )


def _as_json(table: Iterator[str]) -> Iterator[bytes]:
    """Write a table in CSV as a `VideoResult`, some rows at a time."""
    rows = csv.DictReader(line for piece in table for line in piece.splitlines())
    yield b'{"faces":['
    separator = b""
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        yield separator + _FACES.dump_json(_FACES.validate_python(some))[1:-1]
        separator = b","
    yield b"]}"
