"""What one hostile client can cost the others: each has a limit, or is told before it costs."""

import asyncio
import gc
import io
import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from mien.recognizer import Recognizer
from mien.serve import create_app
from mien.serve.http.problems import Problem
from mien.serve.jobs.runner import JobRunner
from mien.serve.metrics import Metrics
from mien.serve.recognition import Recognition
from mien.serve.store import Store

TOKEN = "a-token-of-some-length"
FORM = (b"content-type", b"multipart/form-data; boundary=x")


class Request:
    """A POST over plain ASGI, whose body comes when the test says so."""

    def __init__(self, app, path, *headers, client="192.0.2.1"):
        self.received = 0
        self.status = None
        self.body = asyncio.Event()
        self.message = {"type": "http.request", "body": b"", "more_body": False}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost"), *headers],
            "client": (client, 1),
            "server": ("localhost", 8000),
            "scheme": "http",
        }
        self.answered = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self):
        await self.body.wait()
        self.received += 1
        return self.message

    async def _send(self, message):
        self.status = message.get("status", self.status)

    async def until_status(self):
        for _ in range(1000):
            if self.status is not None:
                return self.status
            await asyncio.sleep(0)
        return None


def run_in(app, play):
    async def run():
        async with app.router.lifespan_context(app):
            return await play()

    return asyncio.run(run())


@pytest.mark.parametrize("path", ["/v1/images", "/v1/videos", "/v1/reports", "/v1/tickets"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 401),
        ([(b"authorization", b"Bearer another")], 401),
        (
            [
                (b"authorization", f"Bearer {TOKEN}".encode()),
                (b"origin", b"https://evil.example"),
            ],
            403,
        ),
    ],
    ids=["no token", "another token", "another site"],
)
def test_who_may_not_upload_is_told_before_anything_is_read(settings_of, path, headers, status):
    app = create_app(settings_of(token=TOKEN))

    async def play():
        stranger = Request(app, path, FORM, *headers)
        assert await stranger.until_status() == status
        assert stranger.received == 0
        stranger.body.set()
        await stranger.answered

    run_in(app, play)


def test_trickling_uploads_of_one_client_keep_nobody_out(settings_of):
    app = create_app(settings_of({"uploads": 4, "uploads_per_client": 3}))

    async def play():
        slow = [Request(app, "/v1/images", FORM) for _ in range(6)]
        own = [await each.until_status() for each in slow]
        assert own == [None] * 3 + [429] * 3
        other = Request(app, "/v1/images", FORM, client="192.0.2.2")
        ticket = Request(app, "/v1/tickets")
        for each in (other, ticket):
            each.body.set()
            await each.answered
        assert (other.status, ticket.status) == (422, 200)
        for each in slow:
            each.body.set()
            await each.answered

    run_in(app, play)


def test_one_client_does_not_get_all_streams(settings_of, stream_of):
    app = create_app(settings_of({"streams": 3, "streams_per_client": 2}))
    with (
        TestClient(app, client=("192.0.2.1", 1)) as greedy,
        stream_of(greedy),
        stream_of(greedy),
    ):
        with pytest.raises(WebSocketDenialResponse) as refused, stream_of(greedy):
            pass
        assert refused.value.status_code == 429
        assert int(refused.value.headers["retry-after"]) >= 1
        # Another client on the same event loop as the first.
        other = TestClient(app, client=("192.0.2.2", 1))
        other.portal = greedy.portal
        with stream_of(other) as stream:
            assert stream.receive_json()["type"] == "ready"


def test_a_deleted_video_that_waits_takes_no_space(settings_of):
    settings = settings_of()
    store = Store(settings.state_file, "this")

    async def play():
        # Not started: all videos wait.
        runner = JobRunner(store, settings, Metrics())
        videos = [io.BytesIO() for _ in range(3)]
        jobs = [await runner.add(video, "192.0.2.1") for video in videos]
        Store(settings.state_file, "another worker").delete_job(jobs[1])
        await runner.discard_deleted()
        assert [video.closed for video in videos] == [False, True, False]

    asyncio.run(play())


def test_one_client_does_not_fill_the_queue_of_videos(settings_of):
    store = Store(settings_of().state_file, "this")
    limits = {"waiting_limit": 3, "client_limit": 2}
    jobs = [store.add_job("192.0.2.1", **limits) for _ in range(2)]
    with pytest.raises(Problem, match="of yours") as refused:
        store.add_job("192.0.2.1", **limits)
    assert refused.value.status == 429
    store.add_job("192.0.2.2", **limits)
    store.delete_job(jobs[0])
    store.add_job("192.0.2.1", **limits)


def test_a_video_of_too_many_faces_fails(client_of, video_of):
    client = client_of({"record_bytes": 500})
    job = client.post("/v1/videos", files={"file": ("a.mp4", video_of(20))}).json()["id"]
    while (status := client.get(f"/v1/videos/{job}").json())["state"] != "failed":
        assert status["state"] != "done"
    assert status["problem"]["type"] == "urn:mien:problem:too-large"


def full_disk(**_):
    return Path("/dev/full").open("r+b", buffering=0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
@pytest.mark.parametrize(
    ("path", "files"),
    [("/v1/images", "files"), ("/v1/images/annotated", "files"), ("/v1/videos", "file")],
)
def test_a_full_disk_is_told_as_such(client, path, files, monkeypatch, caplog):
    monkeypatch.setattr("tempfile.TemporaryFile", full_disk)
    answer = client.post(path, files={files: b"\0\0\0\x18ftyp" + bytes(2_000_000)})
    assert answer.status_code == 507
    assert answer.json()["type"] == "urn:mien:problem:no-space"
    assert int(answer.headers["retry-after"]) >= 1
    assert "no space left" in caplog.text


def test_a_full_disk_of_the_state_file_is_told_as_such(client, monkeypatch, caplog):
    def fill(*_):
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute("CREATE TABLE t (x)")
            database.execute("PRAGMA max_page_count = 2")
            database.execute("INSERT INTO t VALUES (zeroblob(100000))")

    monkeypatch.setattr("mien.serve.store.Store.issue_ticket", fill)
    assert client.post("/v1/tickets").status_code == 507
    assert "no space left" in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="a process that is a script")
@pytest.mark.parametrize("opener", ["jobs.runner", "pictures.decode", "routes.reports"])
def test_what_opens_a_hostile_file_does_not_know_the_token(
    client_of, opener, video_of, astronaut_bgr, encode, tmp_path, monkeypatch
):
    told = tmp_path / "told"
    script = tmp_path / "opener"
    script.write_text(f'#!/bin/sh\n{{ env; echo "$@"; }} > {told}\nexit 1\n')
    script.chmod(0o700)
    monkeypatch.setenv("MIEN_SERVE_TOKEN", TOKEN)
    monkeypatch.setenv("MIEN_YUNET", "/a/detector.onnx")
    monkeypatch.setattr(f"mien.serve.{opener}.sys", SimpleNamespace(executable=str(script)))
    client = client_of({"requests_per_minute": 10**6}, token=TOKEN)
    client.headers["Authorization"] = f"Bearer {TOKEN}"
    if opener == "jobs.runner":
        answer = client.post("/v1/videos", files={"file": ("a.mp4", video_of(2))})
        job = client.get(f"/v1/videos/{answer.json()['id']}")
        while job.json()["finished_s"] is None:
            job = client.get(job.url)
    elif opener == "pictures.decode":
        client.post("/v1/images", files={"files": encode(astronaut_bgr, ".avif")})
    else:
        client.post("/v1/reports", content="frame", headers={"Content-Type": "text/csv"})
    environment_and_arguments = told.read_text()
    assert "MIEN_YUNET=/a/detector.onnx" in environment_and_arguments
    assert TOKEN not in environment_and_arguments


class Blocking:
    """Work in a lane that goes on until it is released."""

    def __init__(self):
        self.begun = threading.Event()
        self.released = threading.Event()

    def __call__(self, _recognizer):
        self.begun.set()
        assert self.released.wait(60)


@pytest.fixture
def recognition_of():
    rooms = []

    def make(lanes):
        recognizers = [Recognizer(detector="haar", threads=1) for _ in range(lanes)]
        rooms.append(Recognition(recognizers, Metrics()))
        return rooms[-1]

    yield make
    for room in rooms:
        room.close()


def test_while_others_are_there_one_client_never_has_all_lanes(recognition_of):
    recognition = recognition_of(2)

    async def play():
        assert await recognition.run("other", "image", lambda _: 1) == 1
        heavy = [Blocking() for _ in range(5)]
        tasks = [asyncio.create_task(recognition.run("greedy", "image", work)) for work in heavy]
        for answer in range(20):
            assert await recognition.run("other", "image", lambda _, found=answer: found) == answer
        assert [work.begun.is_set() for work in heavy] == [True] + [False] * 4
        for work in heavy:
            work.released.set()
        await asyncio.gather(*tasks)

    asyncio.run(play())


def test_who_is_alone_has_all_lanes(recognition_of, monkeypatch):
    recognition = recognition_of(2)

    async def play():
        await recognition.run("other", "image", lambda _: 1)
        later = time.monotonic() + 11
        monkeypatch.setattr("mien.serve.recognition.time.monotonic", lambda: later)
        heavy = [Blocking() for _ in range(2)]
        tasks = [asyncio.create_task(recognition.run("alone", "image", work)) for work in heavy]
        for work in heavy:
            assert await asyncio.to_thread(work.begun.wait, 60)
            work.released.set()
        await asyncio.gather(*tasks)

    asyncio.run(play())


def test_on_one_lane_clients_take_turns_however_much_each_sends(recognition_of):
    recognition = recognition_of(1)
    order = []

    async def play():
        first = Blocking()
        tasks = [asyncio.create_task(recognition.run("greedy", "image", first))]
        await asyncio.to_thread(first.begun.wait, 60)
        for client in ["greedy"] * 5 + ["b", "c"]:
            call = lambda _, client=client: order.append(client)  # noqa: E731
            tasks.append(asyncio.create_task(recognition.run(client, "image", call)))
        await asyncio.sleep(0)
        first.released.set()
        await asyncio.gather(*tasks)

    asyncio.run(play())
    assert order == ["b", "c", *["greedy"] * 5]


def test_what_nobody_waits_for_any_more_is_not_done(recognition_of):
    recognition = recognition_of(1)
    done = []

    async def play():
        first = Blocking()
        running = asyncio.create_task(recognition.run("a", "image", first))
        await asyncio.to_thread(first.begun.wait, 60)
        waiting = asyncio.create_task(recognition.run("a", "image", lambda _: done.append(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        first.released.set()
        await running
        assert await recognition.run("a", "image", lambda _: 2) == 2

    asyncio.run(play())
    assert done == []


class Leaving(Request):
    """A request whose pictures come whole, and whose client leaves when it is told to."""

    def __init__(self, app, path, pictures):
        super().__init__(app, path, FORM)
        self.left = asyncio.Event()
        part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\na\r\n'
        self.message["body"] = part * pictures + b"--x--\r\n"
        self.body.set()

    async def _receive(self):
        if self.received:
            await self.left.wait()
            return {"type": "http.disconnect"}
        return await super()._receive()


class Decoding:
    """Stands for the decoder, which is at the first picture until it is released."""

    def __init__(self):
        self.pictures = 0
        self.first = Blocking()

    def __call__(self, *_, **__):
        self.pictures += 1
        self.first(None)
        raise Problem("unreadable", "This is no picture.")


@pytest.fixture
def decoding(monkeypatch):
    decoding = Decoding()
    monkeypatch.setattr("mien.serve.routes.images.decode_picture", decoding)
    return decoding


@pytest.mark.parametrize(("path", "pictures"), [("/v1/images", 3), ("/v1/images/annotated", 1)])
def test_who_left_before_its_turn_has_no_place_and_no_turn(settings_of, decoding, path, pictures):
    app = create_app(settings_of({"uploads": 1}, threads=1))

    async def play():
        recognition = app.state.context.recognition
        before = Blocking()
        running = asyncio.create_task(recognition.run("192.0.2.2", "image", before))
        await asyncio.to_thread(before.begun.wait, 60)
        leaving = Leaving(app, path, pictures)
        leaving.left.set()
        await asyncio.wait_for(leaving.answered, 60)
        next_one = Request(app, path, FORM)
        next_one.body.set()
        await next_one.answered
        assert next_one.status == 422  # It had the place, and no picture.
        before.released.set()
        await running
        await recognition.run("192.0.2.2", "image", lambda _: None)

    run_in(app, play)
    assert decoding.pictures == 0


def test_who_left_between_its_pictures_gets_no_further_turn(settings_of, decoding, caplog):
    app = create_app(settings_of({"uploads": 1}, threads=1))

    async def play():
        leaving = Leaving(app, "/v1/images", 3)
        await asyncio.to_thread(decoding.first.begun.wait, 60)
        leaving.left.set()
        await asyncio.wait_for(leaving.answered, 60)
        decoding.first.released.set()
        await app.state.context.recognition.run("192.0.2.2", "image", lambda _: None)

    run_in(app, play)
    gc.collect()  # A fault that nobody asked for would be logged.
    assert decoding.pictures == 1
    assert "never retrieved" not in caplog.text


def test_a_client_that_goes_away_in_the_middle_is_no_fault_of_the_server(settings_of, caplog):
    app = create_app(settings_of())

    async def play():
        picture = (b"content-type", b"image/jpeg")
        for path, header in (("/v1/images", FORM), ("/v1/images", picture), ("/v1/videos", FORM)):
            request = Request(app, path, header)
            request.message = {"type": "http.disconnect"}
            request.body.set()
            await request.answered

    run_in(app, play)
    assert "Traceback" not in caplog.text
