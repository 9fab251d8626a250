import asyncio
import errno
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mien.core.temporary import temporary_folder
from mien.core.types import Box, FaceEmotion
from mien.record.table import columns_of, csv_line, row_of
from mien.serve import create_app

CSV = {"Content-Type": "text/csv"}


def record(frames):
    face = FaceEmotion(
        frame=0,
        timestamp_ms=0.0,
        track_id=1,
        box=Box(1, 2, 30, 40),
        detection_score=0.9,
        emotion="surprise",
        confidence=0.7,
        probabilities=np.array([0.05, 0.05, 0.05, 0.05, 0.05, 0.7, 0.05], np.float32),
        uncertain=False,
    )
    rows = [row_of(face, smooth_ms=0.0, raw=False) for _ in range(frames)]
    numbered = [row | {"frame": i, "timestamp_ms": 40 * i} for i, row in enumerate(rows)]
    lines = [csv_line(row.values()) for row in numbered]
    return ",".join(columns_of(raw=False)) + "\n" + "".join(lines)


def test_a_record_becomes_a_page(client):
    answer = client.post("/v1/reports", content=record(50), headers={"Content-Type": "Text/CSV"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "surprise" in answer.text
    assert "Person 1" in answer.text


def test_what_is_no_record_is_a_problem(client):
    table = record(2)
    long = "x" * 131_073  # characters, one more than Python's reader takes in a value
    contents = ("", "a,b\n1,2\n", table.splitlines()[0], table.replace("0.7", "high"))
    for content in (*contents, f"{long}\n", table.replace("surprise,0.7", f"{long},0.7")):
        answer = client.post("/v1/reports", content=content, headers=CSV)
        assert answer.status_code == 422
        assert "/tmp" not in answer.json()["detail"]
    answer = client.post("/v1/reports", content=table, headers={"Content-Type": "text/html"})
    assert answer.status_code == 415


def test_its_size_is_limited(client_of):
    answer = client_of({"record_bytes": 500}).post("/v1/reports", content=record(9), headers=CSV)
    assert answer.status_code == 413


def test_what_a_killed_server_left_is_removed_at_the_next_start(client_of, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / "mien-temp-left" / "files"
    with temporary_folder() as under_way:
        left.mkdir(parents=True)
        (left / "session.csv").write_text("a")
        client_of()
        assert under_way.exists()
        assert not left.parent.exists()


@pytest.mark.skipif(os.name != "posix", reason="Windows locks files in another way")
def test_where_nothing_can_be_locked_reports_are_made_and_leave_nothing(
    client_of, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def refuse(*_):
        raise OSError(errno.ENOLCK, "as some network drives do")

    monkeypatch.setattr("fcntl.flock", refuse)
    assert client_of().post("/v1/reports", content=record(9), headers=CSV).status_code == 200
    assert not list(tmp_path.glob("mien-temp-*"))


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_server_that_is_killed_while_it_receives_a_record_leaves_it_to_the_next(start, tmp_path):
    def records():
        return list((tmp_path / "tmp").glob("mien-temp-*/files/session.csv"))

    server = start()
    head = "POST /v1/reports HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"{head}Content-Length: 100\r\n\r\nframe,".encode())
        for _ in range(1000):
            server.ask("/healthz")
            if records():
                break
        server.kill()
    assert records()
    start()
    assert not records()


@pytest.mark.skipif(os.name != "posix", reason="Windows removes no folder that is in use")
def test_the_report_of_a_killed_server_does_not_come_back(tmp_path):
    program = """
import shutil, sys
from mien.core.files import write_atomically
from mien.serve.jobs import report_process

def write_late(record, page):
    shutil.rmtree(sys.argv[1])
    write_atomically(page, "a face")

report_process.write_report = write_late
report_process.main()
"""
    folder = tmp_path / "mien-temp-left" / "files"
    folder.mkdir(parents=True)
    words = [sys.executable, "-c", program, str(folder), "session.csv", "report.html", "0"]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert "cannot be written" in ended.stderr
    assert not folder.exists()


class Sending:
    """A record that has come whole over plain ASGI, and whose client leaves when it is told to."""

    def __init__(self, app, content):
        self.left = asyncio.Event()
        self.messages = [{"type": "http.request", "body": content.encode(), "more_body": False}]
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": "/v1/reports",
            "raw_path": b"/v1/reports",
            "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"content-type", b"text/csv")],
            "client": ("192.0.2.1", 1),
            "server": ("localhost", 8000),
            "scheme": "http",
        }
        self.answered = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self):
        if not self.messages:
            await self.left.wait()
            return {"type": "http.disconnect"}
        return self.messages.pop()

    async def _send(self, message):
        pass

    async def leave(self):
        self.left.set()
        await asyncio.wait_for(self.answered, 60)


@pytest.mark.skipif(os.name != "posix", reason="a process that is a script")
def test_no_report_is_made_for_who_has_left(settings_of, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    begun = tmp_path / "begun"
    endless = tmp_path / "endless"
    endless.write_text(f"#!/bin/sh\necho $$ >> {begun}\nexec tail -f /dev/null\n")
    endless.chmod(0o700)
    monkeypatch.setattr("mien.serve.routes.reports.sys", SimpleNamespace(executable=str(endless)))
    app = create_app(settings_of())

    async def play():
        async with app.router.lifespan_context(app):
            first = Sending(app, record(2))
            async with asyncio.timeout(60):
                while not begun.exists():
                    await asyncio.to_thread(begun.exists)
            second = Sending(app, record(2))
            await second.leave()
            assert not first.answered.done()
            assert len(list(tmp_path.glob("mien-temp-*"))) == 1
            await first.leave()

    asyncio.run(play())
    (process,) = begun.read_text().split()
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)
    assert not list(tmp_path.glob("mien-temp-*"))
