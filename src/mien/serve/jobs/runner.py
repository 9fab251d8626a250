"""Runs video jobs, one at a time in each worker, each in a process of its own.

The process is what a hostile video can bring down, and what is ended when a job is deleted or takes
too long. It reads the video from a file that has no name: when the last process that has it open
ends, however it ends, the video is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from mien.serve.http.problems import Problem
from mien.serve.metrics import Metrics
from mien.serve.settings import Settings, environment_for_children
from mien.serve.store import STORE_ERRORS, Store

log = logging.getLogger("mien.serve")

BEAT_S = 3.0
"""How often a worker says that it lives."""

_LONGEST_LINE = 2**24
_ERRORS_KEPT = 2000


@dataclass(frozen=True, slots=True, eq=False)
class _Video:
    file: BinaryIO
    reading: str | None


class JobRunner:
    """Takes videos in and works them off in turn.

    Args:
        store: Where the jobs are noted.
        settings: The server's settings.
        metrics: Where ends are counted.
    """

    def __init__(self, store: Store, settings: Settings, metrics: Metrics) -> None:
        self._store = store
        self._settings = settings
        self._metrics = metrics
        # The oldest first.
        self._waiting: dict[str, _Video] = {}
        self._changed = asyncio.Event()
        self._stopping = False
        # Why jobs failed, until the store has it.
        self._failures: dict[str, Problem] = {}

    def start(self) -> None:
        """Begin to work jobs off; needs a running event loop."""
        self._worker = asyncio.create_task(self._work())
        self._heart = asyncio.create_task(self._beat())

    async def add(self, video: BinaryIO, client: str, reading: str | None = None) -> str:
        """Take a video in and return its job's id.

        Args:
            video: An open file without a name, at its start; closed here when the job ends.
            client: Who sent it.
            reading: Name of one of the artifact's readings; the settings' if None.

        Raises:
            Problem: `too-many-requests` or `busy` if too many wait.
        """
        limits = self._settings.limits
        job_id = await asyncio.to_thread(
            self._store.add_job,
            client,
            waiting_limit=limits.jobs_waiting,
            client_limit=limits.jobs_per_client,
        )
        self._waiting[job_id] = _Video(video, reading)
        self._changed.set()
        return job_id

    async def discard_deleted(self) -> None:
        """Close the videos of waiting jobs that were deleted: they take the disk's space."""
        ours = set(self._waiting)
        deleted = ours - await asyncio.to_thread(self._store.waiting_jobs)
        for job_id in deleted & set(self._waiting):
            self._waiting.pop(job_id).file.close()
            self._metrics.jobs.labels("deleted").inc()

    async def stop(self) -> None:
        """Finish the running job if that takes no longer than it may, and tell the others."""
        self._stopping = True
        self._changed.set()
        while self._waiting:
            await self._interrupt(*self._waiting.popitem())
        # Awaiting it hands the cancellation on when the time is up.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.shutdown_seconds):
                await self._worker
        self._heart.cancel()
        await asyncio.gather(self._heart, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._store.beat, self._settings.limits.job_kept_seconds)
                await asyncio.to_thread(self._note_failures)
                await self.discard_deleted()
            except STORE_ERRORS as error:
                log.warning("The state file cannot be written (tried again soon): %s", error)
            await asyncio.sleep(BEAT_S)

    async def _work(self) -> None:
        while not self._stopping:
            if self._waiting:
                job_id = next(iter(self._waiting))
                await self._run(job_id, self._waiting.pop(job_id))
            else:
                self._changed.clear()
                await self._changed.wait()

    async def _run(self, job_id: str, video: _Video) -> None:
        """Work one job off; whatever becomes of it, the store knows and the video is gone."""
        try:
            async with asyncio.timeout(self._settings.limits.job_seconds):
                csv = await self._recognise(job_id, video)
            outcome = "deleted" if csv is None else "done"
            if csv is not None:
                await asyncio.to_thread(self._store.finish_job, job_id, csv)
        except TimeoutError:
            limit = self._settings.limits.job_seconds
            await self._fail(job_id, Problem("too-long", f"The video took more than {limit:g} s."))
            outcome = "failed"
        except Problem as problem:
            await self._fail(job_id, problem)
            outcome = "failed"
        except asyncio.CancelledError:
            await self._interrupt(job_id, video)
            raise
        except Exception:
            log.exception("A video job failed")
            await self._fail(job_id, Problem("failed", "This is a fault of the server."))
            outcome = "failed"
        finally:
            video.file.close()
        self._metrics.jobs.labels(outcome).inc()

    async def _recognise(self, job_id: str, video: _Video) -> str | None:
        """Return the video's table as CSV; None if the job was deleted."""
        table: list[str] = []
        characters = 0
        async with _process(self._settings, video) as messages:
            async for message in messages:
                if "problem" in message:
                    raise Problem(message["problem"], message["detail"])
                table.append(message["csv"])
                characters += len(table[-1])
                if characters > self._settings.limits.record_bytes:
                    raise Problem(
                        "too-large",
                        f"The table has more than {self._settings.limits.record_bytes:,} bytes: "
                        "cut the video, or let it show fewer faces.",
                    )
                wanted = await asyncio.to_thread(
                    self._store.update_job,
                    job_id,
                    message["frames_done"],
                    message["frames_total"],
                    message["warning"],
                )
                if not wanted:
                    return None
        return "".join(table)

    async def _fail(self, job_id: str, problem: Problem) -> None:
        """Note that a job failed: now, or with the next beat that finds the store at work."""
        self._failures[job_id] = problem
        try:
            await asyncio.to_thread(self._note_failures)
        except STORE_ERRORS as error:
            log.warning("A job's failure cannot be noted (tried again soon): %s", error)

    def _note_failures(self) -> None:
        for job_id, problem in list(self._failures.items()):
            self._store.fail_job(job_id, problem)
            self._failures.pop(job_id, None)

    async def _interrupt(self, job_id: str, video: _Video) -> None:
        video.file.close()
        await self._fail(
            job_id,
            Problem("job-interrupted", "The server was stopped before the end. Send it again."),
        )
        self._metrics.jobs.labels("failed").inc()


@contextlib.asynccontextmanager
async def _process(
    settings: Settings, video: _Video
) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Start the process of one video and give its messages; it ends when the block is left."""
    settings = settings.model_copy(update={"reading": video.reading or settings.reading})
    # What opens a hostile file may be taken over by it: it must not know the token.
    told = settings.model_dump_json(exclude={"token"}, exclude_unset=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mien.serve.jobs.video_process", told),
        stdin=video.file,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment_for_children(),
        limit=_LONGEST_LINE,
    )
    try:
        yield _messages(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _messages(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(_end_of(process.stderr))
    async for line in process.stdout:
        yield json.loads(line)
    code = await process.wait()
    if code != 0:
        log.warning("The video process ended with %d: %s", code, await errors)
        raise Problem(
            "unreadable",
            "The video cannot be decoded: its decoder gave up or needed too much memory.",
        )


async def _end_of(stream: asyncio.StreamReader) -> str:
    """Read a stream to its end and return the last of it: a decoder may say much, in any bytes."""
    last = b""
    while received := await stream.read(2**16):
        last = (last + received)[-_ERRORS_KEPT:]
    return last.decode(errors="replace")
