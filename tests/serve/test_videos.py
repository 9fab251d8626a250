import asyncio
import csv
import io
import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from mien.core.errors import DataError
from mien.engine.stages import VideoAnalyser
from mien.media.demo import demo_video
from mien.serve import create_app
from mien.serve.http.problems import Problem
from mien.serve.jobs import video_process
from mien.serve.jobs.runner import JobRunner, _messages
from mien.serve.metrics import Metrics
from mien.serve.store import WORKER_SILENT_S, Store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="videos need files without a name")

COLUMNS = (
    "frame,timestamp_ms,track_id,x,y,width,height,detection_score,emotion,confidence,"
    "angry,disgust,fear,happy,sad,surprise,neutral,uncertain,detected,smooth_ms,reading,missed_limits"
    ",yaw_degrees,pitch_degrees,roll_degrees"
)


def upload(client, content, name="clip.mp4"):
    return client.post("/v1/videos", files={"file": (name, content, "video/mp4")})


def wait_for(client, job, *states):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = client.get(f"/v1/videos/{job}").json()
        if status["state"] in states:
            return status
        time.sleep(0.05)
    pytest.fail(f"the job is still {status}")


def test_a_video_becomes_a_table(client, video_of):
    answer = upload(client, video_of(20))
    assert answer.status_code == 202
    job = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/videos/{job}"
    status = wait_for(client, job, "done", "failed")
    assert (status["state"], status["frames_done"], status["frames_total"]) == ("done", 20, 20)
    assert status["warning"] is None
    result = client.get(status["result_url"]).json()
    faces, summary = result["faces"], result["summary"]
    assert summary["persons"][0]["track_id"] == faces[0]["track_id"]
    assert summary["emotion"] in summary["labels"]
    assert summary["probabilities"][summary["emotion"]] == summary["confidence"]
    table = client.get(status["result_url"], params={"format": "csv"})
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert table.text.splitlines()[0] == COLUMNS
    assert [int(row["frame"]) for row in rows] == [face["frame"] for face in faces]
    assert {face["frame"] for face in faces} == set(range(20))
    assert all(face["timestamp_ms"] == pytest.approx(100 * face["frame"]) for face in faces)
    assert client.delete(f"/v1/videos/{job}").status_code == 204
    assert client.get(status["result_url"]).json()["type"] == "urn:mien:problem:no-such-job"


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_long_table_is_sent_bit_by_bit(settings_of, form):
    numbers = np.random.default_rng(0).random((5000, 12)).round(6)
    rows = [
        f"{n},{40 * n}.0,1,{','.join(map(str, row[:5]))},fear,{','.join(map(str, row[4:]))},"
        f"{str(n % 3 == 0).lower()},true,130.0,raters,"
        f"{'min_side_px 17.2 < 20' if n % 3 == 0 else ''}"
        f",{'-12.5,3.0,0.0' if n % 2 == 0 else ',,'}"
        for n, row in enumerate(numbers)
    ]
    table = "\n".join([COLUMNS, *rows, ""])
    settings = settings_of()
    store = Store(settings.state_file, "another")
    job = store.add_job("a", waiting_limit=1, client_limit=1)
    store.update_job(job, 5000, 5000)
    store.finish_job(job, table)
    status, pieces = asyncio.run(get(create_app(settings), f"/v1/videos/{job}/result", form))
    assert status == 200
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 5
    sent = b"".join(pieces).decode()
    if form == "csv":
        assert sent == table
    else:
        kinds: dict[str, Callable[[str], object]] = {
            "emotion": str,
            "reading": str,
            "missed_limits": lambda text: text or None,
            "yaw_degrees": lambda text: float(text) if text else None,
            "pitch_degrees": lambda text: float(text) if text else None,
            "roll_degrees": lambda text: float(text) if text else None,
            "uncertain": "true".__eq__,
            "detected": "true".__eq__,
        }
        assert json.loads(sent)["faces"] == [
            {name: kinds.get(name, float)(value) for name, value in row.items()}
            for row in csv.DictReader(io.StringIO(table))
        ]


async def get(app, path, form):
    """Return the status of an answer, and its body in the pieces in which the server sends it."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": f"format={form}".encode(),
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 8000),
        "scheme": "http",
    }
    sent = []

    async def receive():
        await asyncio.Event().wait()  # The client stays.

    async def send(message):
        sent.append(message)

    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
    return sent[0]["status"], [message["body"] for message in sent[1:]]


def test_a_running_job_can_be_ended(client, video_of):
    job = upload(client, video_of(600)).json()["id"]
    wait_for(client, job, "running")
    assert client.get(f"/v1/videos/{job}/result").status_code == 409
    assert client.delete(f"/v1/videos/{job}").status_code == 204
    assert client.get(f"/v1/videos/{job}").status_code == 404
    following = upload(client, video_of(5)).json()["id"]
    assert wait_for(client, following, "done", "failed")["state"] == "done"


def test_the_queue_is_bounded(client_of, video_of):
    client = client_of({"jobs_waiting": 1})
    answers = [upload(client, video_of(600)) for _ in range(4)]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert int(refused[0].headers["retry-after"]) >= 1
    for answer in answers:
        if answer.status_code == 202:
            client.delete(answer.headers["location"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "unreadable"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/x.ts\n", "wrong-type"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "wrong-type"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "wrong-type"),
        (b"v=0\nftypjp2 \nm=video 5004 RTP/AVP 96\n", "wrong-type"),
    ],
    ids=["empty", "a play list", "a list of files", "a picture", "where a stream is"],
)
def test_what_is_no_video_is_refused_at_once(client, content, problem):
    assert upload(client, content).json()["type"] == f"urn:mien:problem:{problem}"


def test_what_only_begins_like_a_video_that_is_taken_is_not_read(client, tmp_path):
    path = tmp_path / "stream.ts"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (160, 160))
    for _ in range(10):
        writer.write(np.zeros((160, 160, 3), np.uint8))
    writer.release()
    packet_without_content = b"\x47\x1f\xff\x10" + b"skip" + bytes(180)
    job = upload(client, packet_without_content + path.read_bytes()).json()["id"]
    status = wait_for(client, job, "done", "failed")
    assert status["problem"]["type"] == "urn:mien:problem:unreadable"


def test_a_damaged_video_fails_and_the_server_lives(client, video_of):
    whole = video_of(20)
    for content in (whole[: len(whole) // 2], whole[:64] + bytes(len(whole) - 64)):
        job = upload(client, content).json()["id"]
        status = wait_for(client, job, "failed")
        assert status["problem"]["type"] == "urn:mien:problem:unreadable"
        assert "/dev/fd" not in status["problem"]["detail"]
    assert client.get("/readyz").status_code == 200


def test_what_is_missing_of_a_damaged_video_is_told(client, write_jpeg_video, tmp_path):
    whole = write_jpeg_video(tmp_path / "whole.avi").read_bytes()
    spots = write_jpeg_video(tmp_path / "spots.avi", damaged=(10, 30)).read_bytes()
    for content, warning in (
        (whole[: len(whole) // 2], "The video breaks off after frame "),
        (spots, "The video is damaged in 2 places"),
    ):
        job = upload(client, content).json()["id"]
        status = wait_for(client, job, "done", "failed")
        assert status["state"] == "done"
        assert status["warning"].startswith(warning)
        assert 15 < status["frames_done"] < status["frames_total"] == 50


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"video_frames": 5}, "too-long"),
        ({"video_seconds": 0.5}, "too-long"),
        ({"video_pixels": 1000}, "too-many-pixels"),
        ({"job_seconds": 0.01}, "too-long"),
        ({"video_memory_mb": 150}, "unreadable"),
    ],
    ids=str,
)
def test_limits_of_videos_can_be_set(client_of, video_of, limits, problem):
    client = client_of(limits)
    job = upload(client, video_of(20)).json()["id"]
    assert wait_for(client, job, "failed")["problem"]["type"] == f"urn:mien:problem:{problem}"


def test_a_limit_that_is_switched_off_is_none_for_a_video(client_of, video_of):
    client = client_of({"video_seconds": math.inf}, gate={"min_likeness": -math.inf})
    job = upload(client, video_of(5)).json()["id"]
    assert wait_for(client, job, "done", "failed")["state"] == "done"


def test_a_browsers_recording_is_not_taken_for_a_longer_one(
    client_of, write_browser_video, tmp_path
):
    path = write_browser_video(tmp_path / "browser.webm", range(0, 1000, 33))
    client = client_of({"video_frames": 50})
    job = upload(client, path.read_bytes()).json()["id"]
    status = wait_for(client, job, "done", "failed")
    assert (status["state"], status["frames_done"]) == ("done", 31)


def test_the_process_of_a_video_decodes_in_its_own_thread(settings_of, monkeypatch, capsys):
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        pytest.skip("needs /proc to count threads")
    counts = []

    def look(_analyser, frame):
        counts.append(sum(1 for _ in tasks.iterdir()))
        return []

    monkeypatch.setattr(VideoAnalyser, "analyse", look)
    monkeypatch.setattr(video_process, "_VIDEO", demo_video())
    before = sum(1 for _ in tasks.iterdir())
    video_process._work(settings_of())
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["frames_done"] == len(counts) == 400
    assert max(counts) <= before


def test_a_decoder_that_dies_may_say_anything_before():
    async def run():
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "import os; os.write(2, b'\\xff' * 10**6); os.abort()"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return [message async for message in _messages(process)]

    with pytest.raises(Problem) as found:
        asyncio.run(run())
    assert found.value.name == "unreadable"


def test_a_stopping_server_finishes_what_runs_and_tells_what_waits(
    client_of, settings_of, video_of
):
    client = client_of()
    first, second = (upload(client, video_of(30)).json()["id"] for _ in range(2))
    wait_for(client, first, "running")
    client.__exit__(None, None, None)
    store = Store(settings_of().state_file, "another")
    assert store.job(first).state == "done"
    assert store.job(second).state == "failed"
    assert store.job(second).problem["type"] == "urn:mien:problem:job-interrupted"


def test_how_a_job_goes_is_told_while_another_worker_writes(settings_of):
    settings = settings_of()
    store = Store(settings.state_file, "this")
    job = store.add_job("client", waiting_limit=1, client_limit=1)
    with closing(sqlite3.connect(settings.state_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.job(job).state == "waiting"
        assert store.count_jobs() == {"waiting": 1}
        other.execute("ROLLBACK")


def test_others_are_answered_while_a_video_that_came_waits_for_the_state_file(
    client, settings_of, video_of, monkeypatch
):
    locked = threading.Event()
    file = settings_of().state_file
    add = JobRunner.add
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:

        async def add_and_lock(*arguments):
            job = await add(*arguments)
            await asyncio.to_thread(other.execute, "BEGIN EXCLUSIVE")
            locked.set()
            return job

        monkeypatch.setattr(JobRunner, "add", add_and_lock)
        with ThreadPoolExecutor(1) as clients:
            uploading = clients.submit(upload, client, video_of(3))
            assert locked.wait(60)
            assert client.get("/healthz").status_code == 200
            other.execute("ROLLBACK")
            assert uploading.result().status_code == 202


def test_a_video_is_ended_by_the_server_and_not_by_ctrl_c():
    program = (
        "import os, signal; from mien.serve.child import limit_resources; limit_resources(0)\n"
        "for number in (signal.SIGINT, signal.SIGTERM): os.kill(os.getpid(), number)\n"
        "print('goes on')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "goes on\n"), ended.stderr


def file_of(content):
    """An open file without a name."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the job closes it
    file.write(content)
    file.seek(0)
    return file


@contextmanager
def file_unusable(file):
    """Put a folder in the place of the state file, so that it cannot be opened, and undo that."""
    kept = file.with_name("kept")
    file.rename(kept)
    file.mkdir()
    yield
    file.rmdir()
    kept.rename(file)


@contextmanager
def folder_unusable(file):
    """Put a file in the place of the state file's folder, a link, at once, and undo that."""
    folder, nowhere, link = file.parent, file.parent.parent / "nowhere", file.parent.parent / "link"
    kept = folder.readlink()
    nowhere.touch()
    for target in (nowhere, kept):
        link.symlink_to(target)
        link.replace(folder)
        if target == nowhere:
            yield


@pytest.mark.parametrize("unusable", [file_unusable, folder_unusable])
def test_a_state_file_that_fails_for_a_while_ends_neither_the_worker_nor_its_beat(
    settings_of, video_of, caplog, monkeypatch, tmp_path, unusable
):
    monkeypatch.setattr("mien.serve.jobs.runner.BEAT_S", 0.01)
    (tmp_path / "kept").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "kept")
    settings = settings_of(state_file=tmp_path / "state" / "state.db")
    store = Store(settings.state_file, "this")

    async def until(found):
        async with asyncio.timeout(60):
            while not found():
                await asyncio.sleep(0.01)

    async def run():
        runner = JobRunner(store, settings, Metrics())
        runner.start()
        failing = await runner.add(file_of(b"no video"), "a")
        with unusable(settings.state_file):
            for said in ("The state file cannot be written", "A job's failure cannot be noted"):
                await until(lambda said=said: said in caplog.text)
        await until(lambda: store.job(failing).state == "failed")
        following = await runner.add(file_of(video_of(3)), "a")
        await until(lambda: store.job(following).state == "done")
        lost = Store(settings.state_file, "dead").add_job("a", waiting_limit=8, client_limit=8)
        with closing(sqlite3.connect(settings.state_file)) as database, database:
            database.execute("UPDATE jobs SET heard_s = 0 WHERE id = ?", (lost,))
        await until(lambda: store.job(lost).state == "failed")
        await runner.stop()

    asyncio.run(run())


def test_all_workers_see_a_job_and_mark_it_when_its_own_is_dead(tmp_path, monkeypatch):
    one, other = Store(tmp_path / "state.db", "one"), Store(tmp_path / "state.db", "other")
    job = one.add_job("a", waiting_limit=1, client_limit=1)
    with pytest.raises(Problem, match="waiting"):
        other.add_job("b", waiting_limit=1, client_limit=1)
    assert one.update_job(job, 3, 9)
    assert (other.job(job).state, other.job(job).frames_done) == ("running", 3)
    other.beat(kept_s=3600)
    assert other.job(job).state == "running"
    now = time.time() + WORKER_SILENT_S + 1
    monkeypatch.setattr(time, "time", lambda: now)
    other.beat(kept_s=3600)
    assert one.job(job).problem["type"] == "urn:mien:problem:job-interrupted"
    assert not one.update_job(job, 4, 9)
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    other.beat(kept_s=3600)
    assert one.job(job) is None


@pytest.mark.parametrize("process", ["video_process", "report_process"])
def test_the_process_of_a_job_does_not_load_the_server(process):
    # It would take a second of every job.
    look = f"import sys, mien.serve.jobs.{process}; sys.exit('fastapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look]).returncode == 0


def test_a_client_sees_its_own_jobs_the_newest_first(settings_of):
    app = create_app(settings_of())
    store = Store(settings_of().state_file, "another worker")
    limits = {"waiting_limit": 8, "client_limit": 8}
    own = [store.add_job("192.0.2.1", **limits) for _ in range(2)]
    store.add_job("192.0.2.2", **limits)
    with TestClient(app, base_url="http://localhost:8000", client=("192.0.2.1", 1)) as client:
        jobs = client.get("/v1/videos").json()["jobs"]
    assert [job["id"] for job in jobs] == own[::-1]
    assert {job["state"] for job in jobs} == {"waiting"}


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, 200),
        ({"allowed_hosts": ("mien.example",)}, 403),
        ({"host": "0.0.0.0", "allow_anyone": True, "allowed_hosts": ("localhost",)}, 403),
        ({"allowed_hosts": ("mien.example",), "token": "a-token-of-some-length"}, 200),
    ],
    ids=["this machine only", "behind a proxy", "anyone", "with a token"],
)
def test_strangers_who_share_an_address_are_not_shown_each_others_jobs(client_of, settings, status):
    headers = {"Authorization": "Bearer a-token-of-some-length"}
    assert client_of(**settings).get("/v1/videos", headers=headers).status_code == status


def test_a_state_file_of_another_version_is_refused(tmp_path):
    path = tmp_path / "state.db"
    Store(path, "one")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA user_version = 2")
    with pytest.raises(DataError, match=r"is of version 2; .* Delete it, or name another one"):
        Store(path, "two")


def test_a_state_file_that_was_removed_is_made_anew(client, settings_of, video_of):
    path = settings_of().state_file
    other = Store(path, "another worker")
    path.unlink()
    assert client.get("/v1/videos").json() == {"jobs": []}
    assert path.stat().st_mode & 0o077 == 0  # Nobody else may read it.
    path.unlink()
    assert client.post("/v1/tickets").status_code == 200
    job = upload(client, video_of(3)).json()["id"]
    assert wait_for(client, job, "done")["frames_done"] == 3
    # Workers that knew the file before, and one that did not, tell the same clients apart.
    for store in (other, Store(path, "a new worker")):
        assert [found.id for found in store.jobs_of("testclient")] == [job]


def test_a_state_file_is_made_anew_with_its_folder(tmp_path):
    store = Store(tmp_path / "state" / "state.db", "one")
    shutil.rmtree(tmp_path / "state")
    assert store.count_jobs() == {}
