"""What all workers know: the video jobs and the WebSocket tickets, in one SQLite file.

No picture, video, file name or address is kept here. A job belongs to the worker that received its
video, as only that worker has it; the others can tell how it goes, and end it. A worker says every
few seconds that it lives; jobs of one that does not any more are marked as interrupted.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path
from typing import Any

from mien.core.errors import DataError
from mien.serve.http.problems import Problem

WORKER_SILENT_S = 15.0
"""A worker that has not been heard of for so long is dead."""

STORE_ERRORS = (sqlite3.Error, OSError, DataError)
"""What is raised where the file cannot be used, perhaps for a moment only."""

_PIECE_BYTES = 2**14
_SCHEMA_VERSION = 3
_SCHEMA = """
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  worker TEXT NOT NULL,
  owner BLOB NOT NULL,          -- digest of the client's address
  state TEXT NOT NULL,          -- waiting, running, done or failed
  created_s REAL NOT NULL,      -- seconds since 1970, as all times here
  heard_s REAL NOT NULL,
  finished_s REAL,
  frames_done INTEGER NOT NULL DEFAULT 0,
  frames_total INTEGER,
  warning TEXT,
  problem TEXT,                 -- JSON
  result BLOB                   -- CSV, deflated
);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE TABLE keys (key BLOB NOT NULL);
CREATE TABLE tickets (digest BLOB PRIMARY KEY, expires_s REAL NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Job:
    """One video job.

    Attributes:
        id: Its name, which cannot be guessed: who knows it may see and delete the job.
        state: `waiting`, `running`, `done` or `failed`.
        created_s: When it was taken in, in seconds since 1970.
        finished_s: When it ended.
        frames_done: Frames that were recognised so far.
        frames_total: Frames that the video says it has.
        warning: What is missing of the video, where it is damaged.
        problem: Why it failed: a problem document.
    """

    id: str
    state: str
    created_s: float
    finished_s: float | None
    frames_done: int
    frames_total: int | None
    warning: str | None
    problem: dict[str, Any] | None


_COLUMNS = tuple(field.name for field in fields(Job))


class Store:
    """The SQLite file. Any thread may use it.

    Args:
        path: The file; made where it is missing, its folder too.
        worker: Name of this worker, another one for each process.

    Raises:
        DataError: if the file cannot be used.
    """

    def __init__(self, path: Path, worker: str) -> None:
        self._path = path
        self._worker = worker
        # Of a file that is new: all workers tell clients apart by the same one.
        self._key = secrets.token_bytes(32)
        try:
            with self._connect() as database:
                (self._key,) = database.execute("SELECT key FROM keys").fetchone()
        except (OSError, sqlite3.Error) as error:
            raise DataError(
                f"The state file {path} cannot be used: {error}. Name another one with --state."
            ) from None

    def add_job(self, client: str, *, waiting_limit: int, client_limit: int) -> str:
        """Add a job that waits, and return its id.

        Args:
            client: Who sent the video.
            waiting_limit: How many jobs may wait.
            client_limit: How many jobs of one client may wait or run.

        Raises:
            Problem: `too-many-requests` if the client has as many as it may have, `busy` if as
                many wait as may.
        """
        job_id = secrets.token_urlsafe(16)
        owner = self._owner(client)
        now = time.time()
        with self._connect() as database:
            (own,) = database.execute(
                "SELECT count(*) FROM jobs WHERE owner = ? AND finished_s IS NULL", (owner,)
            ).fetchone()
            if own >= client_limit:
                raise Problem(
                    "too-many-requests",
                    f"{own} videos of yours wait or run, as many as one client may have at once.",
                    retry_after_s=30,
                )
            (waiting,) = database.execute(
                "SELECT count(*) FROM jobs WHERE state = 'waiting'"
            ).fetchone()
            if waiting >= waiting_limit:
                raise Problem(
                    "busy", f"{waiting} videos are waiting already; try later.", retry_after_s=30
                )
            database.execute(
                "INSERT INTO jobs (id, worker, owner, state, created_s, heard_s) "
                "VALUES (?, ?, ?, 'waiting', ?, ?)",
                (job_id, self._worker, owner, now, now),
            )
        return job_id

    def jobs_of(self, client: str) -> list[Job]:
        """Return a client's jobs, the newest first."""
        with self._connect("BEGIN") as database:
            rows = database.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM jobs WHERE owner = ? ORDER BY created_s DESC",
                (self._owner(client),),
            ).fetchall()
        return [_job(row) for row in rows]

    def job(self, job_id: str) -> Job | None:
        """Return a job, None where there is none of that id."""
        with self._connect("BEGIN") as database:
            found = database.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM jobs WHERE id = ?", (job_id,)
            ).fetchone()
        return None if found is None else _job(found)

    def result(self, job_id: str) -> Iterator[str] | None:
        """Return the table of a job that is done, as CSV, in pieces of whole lines.

        It is read piece by piece, so that clients who fetch slowly cost no memory.
        """
        with self._connect("BEGIN") as database:
            found = database.execute(
                "SELECT rowid FROM jobs WHERE id = ? AND state = 'done'", (job_id,)
            ).fetchone()
        return None if found is None else _inflated(self._pieces(found[0]))

    def _pieces(self, rowid: int) -> Iterator[bytes]:
        for start in count(step=_PIECE_BYTES):
            with (
                self._connect("BEGIN") as database,
                database.blobopen("jobs", "result", rowid, readonly=True) as blob,
            ):
                blob.seek(min(start, len(blob)))
                piece = blob.read(_PIECE_BYTES)
            if not piece:
                return
            yield piece

    def waiting_jobs(self) -> set[str]:
        """Return the ids of all jobs that wait."""
        with self._connect("BEGIN") as database:
            return {row[0] for row in database.execute("SELECT id FROM jobs WHERE state='waiting'")}

    def delete_job(self, job_id: str) -> bool:
        """Forget a job and its result; its worker ends it. Return whether there was one."""
        with self._connect() as database:
            return database.execute("DELETE FROM jobs WHERE id = ?", (job_id,)).rowcount > 0

    def update_job(
        self, job_id: str, frames_done: int, frames_total: int | None, warning: str | None = None
    ) -> bool:
        """Say how far a running job is. Return whether it is still wanted."""
        with self._connect() as database:
            cursor = database.execute(
                "UPDATE jobs SET state = 'running', frames_done = ?, frames_total = ?, "
                "warning = ?, heard_s = ? WHERE id = ? AND state IN ('waiting', 'running')",
                (frames_done, frames_total, warning, time.time(), job_id),
            )
            return cursor.rowcount > 0

    def finish_job(self, job_id: str, csv: str) -> None:
        """Mark a job as done and keep its table."""
        # Before the file is locked: of a long table it takes seconds.
        deflated = zlib.compress(csv.encode())
        with self._connect() as database:
            database.execute(
                "UPDATE jobs SET state = 'done', finished_s = ?, result = ?, "
                "frames_total = iif(warning IS NULL, frames_done, frames_total) "
                "WHERE id = ? AND state = 'running'",
                (time.time(), deflated, job_id),
            )

    def fail_job(self, job_id: str, problem: Problem) -> None:
        """Mark a job as failed, and say why."""
        with self._connect() as database:
            database.execute(
                "UPDATE jobs SET state = 'failed', finished_s = ?, problem = ? WHERE id = ?",
                (time.time(), json.dumps(problem.document), job_id),
            )

    def count_jobs(self) -> dict[str, int]:
        """Return how many jobs there are in each state."""
        with self._connect("BEGIN") as database:
            return dict(database.execute("SELECT state, count(*) FROM jobs GROUP BY state"))

    def beat(self, kept_s: float) -> None:
        """Say that this worker lives, mark what dead ones left, and forget what is old.

        Args:
            kept_s: How long a finished job is kept, in seconds.
        """
        now = time.time()
        lost = Problem(
            "job-interrupted",
            "The server process that worked on the video is gone, and the video with it. "
            "Send it again.",
        )
        with self._connect() as database:
            database.execute(
                "UPDATE jobs SET heard_s = ? WHERE worker = ? AND finished_s IS NULL",
                (now, self._worker),
            )
            database.execute(
                "UPDATE jobs SET state = 'failed', finished_s = ?, problem = ? "
                "WHERE finished_s IS NULL AND heard_s < ?",
                (now, json.dumps(lost.document), now - WORKER_SILENT_S),
            )
            database.execute("DELETE FROM jobs WHERE finished_s < ?", (now - kept_s,))
            database.execute("DELETE FROM tickets WHERE expires_s < ?", (now,))

    def issue_ticket(self, lifetime_s: float) -> str:
        """Return a new ticket, good for one use within `lifetime_s` seconds."""
        ticket = secrets.token_urlsafe(24)
        with self._connect() as database:
            database.execute(
                "INSERT INTO tickets VALUES (?, ?)", (_digest(ticket), time.time() + lifetime_s)
            )
        return ticket

    def use_ticket(self, ticket: str) -> bool:
        """Use a ticket up; return whether it was good."""
        with self._connect() as database:
            cursor = database.execute(
                "DELETE FROM tickets WHERE digest = ? AND expires_s >= ?",
                (_digest(ticket), time.time()),
            )
            return cursor.rowcount > 0

    def _owner(self, client: str) -> bytes:
        return hmac.digest(self._key, client.encode(), "sha256")

    @contextmanager
    def _connect(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction: to write, or with `BEGIN` to read beside others.

        Somebody may have removed it meanwhile: then it is made anew.
        """
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
        database = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        try:
            # Deleted results are overwritten, not only unlinked.
            database.execute("PRAGMA secure_delete = ON")
            if _version(database) != _SCHEMA_VERSION:
                database.execute("BEGIN IMMEDIATE")
                self._make_tables(database)
                database.execute("COMMIT")
            database.execute(begin)
            yield database
            database.execute("COMMIT")
        finally:
            database.close()

    def _make_tables(self, database: sqlite3.Connection) -> None:
        version = _version(database)
        if version == _SCHEMA_VERSION:
            return  # Another worker was faster.
        if version != 0:
            raise DataError(
                f"The state file {self._path} is of version {version}; this mien uses "
                f"{_SCHEMA_VERSION}. Delete it, or name another one with --state."
            )
        for statement in _SCHEMA.split(";\n"):
            database.execute(statement)
        database.execute("INSERT INTO keys VALUES (?)", (self._key,))
        database.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def _job(row: tuple[Any, ...]) -> Job:
    columns = dict(zip(_COLUMNS, row, strict=True))
    if columns["problem"] is not None:
        columns["problem"] = json.loads(columns["problem"])
    return Job(**columns)


def _inflated(pieces: Iterator[bytes]) -> Iterator[str]:
    """Unpack a table bit by bit: a long video's has some ten times the size of what is kept."""
    inflater = zlib.decompressobj()
    begun = b""
    for piece in pieces:
        unpacked = begun + inflater.decompress(piece)
        lines, end, begun = unpacked.rpartition(b"\n")
        yield (lines + end).decode()


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()
