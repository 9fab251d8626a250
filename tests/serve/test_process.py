"""`mien serve` as a process of its own: told to stop, killed, with several workers."""

import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("websockets", reason="needs mien[serve]")

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from mien.core.labels import EMOTIONS
from mien.serve.metrics import _forget_dead_workers

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and files without a name")


def test_told_to_stop_it_finishes_and_logs_no_secret(start, video_of, astronaut_jpeg):
    server = start()
    job = server.upload(video_of(10), "holiday.mp4")
    server.wait_for(job, "running", "done")
    server.ask(f"/no/such/{job}?who=anna")
    with connect(
        f"ws://127.0.0.1:{server.port}/v1/stream?reading=labels", compression=None
    ) as stream:
        stream.recv()
        stream.send(astronaut_jpeg)
        assert json.loads(stream.recv())["faces"]
    code, log = server.stop()
    assert code == 0
    assert "POST /v1/videos 202" in log
    assert "GET other 404" in log
    assert "WebSocket /v1/stream 101" in log
    assert "Traceback" not in log
    # The greeting names the address to listen on.
    lines = "\n".join(line for line in log.splitlines() if "http://" not in line)
    for secret in (job, "holiday", "anna", "reading", "127.0.0.1", *EMOTIONS):
        assert secret not in lines
    again = start()
    assert again.job(job)["state"] == "done"
    assert again.ask(f"/v1/videos/{job}/result")[0] == 200


def test_told_to_stop_it_closes_streams_with_a_reason(start, astronaut_jpeg):
    server = start()
    with connect(f"ws://127.0.0.1:{server.port}/v1/stream", compression=None) as stream:
        stream.recv()
        stream.send(astronaut_jpeg)
        assert json.loads(stream.recv())["type"] == "result"
        assert server.stop()[0] == 0
        with pytest.raises(ConnectionClosed) as closed:
            stream.recv(timeout=60)
    assert closed.value.rcvd.code == 1012  # "Service restart": come again.


def test_killed_it_leaves_no_video_and_the_next_one_tells(start, video_of, tmp_path):
    server = start()
    job = server.upload(video_of(2000))
    server.wait_for(job, "running")
    assert open_videos(server.process.pid)
    server.kill()
    left = [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()]
    assert left == []
    again = start()
    assert again.wait_for(job, "failed")["problem"]["type"] == "urn:mien:problem:job-interrupted"


def open_videos(pid):
    """What a process has open that is no longer in any folder."""
    folder = Path(f"/proc/{pid}/fd")
    if not folder.is_dir():
        pytest.skip("needs /proc")
    return [link for link in folder.iterdir() if "(deleted)" in str(link.readlink())]


def workers_of(pid):
    """The processes that a server has started to answer requests."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("needs /proc")
    started = [Path(f"/proc/{child}/cmdline") for child in children.read_text().split()]
    return [path for path in started if b"spawn_main" in path.read_bytes()]


def test_two_workers_see_the_same_jobs_and_count_together(start, video_of):
    server = start("--workers", "2")
    assert len(workers_of(server.process.pid)) == 2
    job = server.upload(video_of(5))
    # Each request may reach the other worker.
    server.wait_for(job, "done")
    assert {server.job(job)["state"] for _ in range(20)} == {"done"}
    text = server.ask("/metrics")[2].decode()
    counted = 'mien_request_seconds_count{method="POST",route="/v1/videos",status="202"} '
    assert [line for line in text.splitlines() if line.startswith(counted)] == [f"{counted}1.0"]
    assert server.stop()[0] == 0


def test_clients_behind_a_proxy_on_this_machine_are_told_apart(start):
    server = start("--limit", "requests_per_minute=2")

    def status(client):
        return server.ask("/v1/model", headers={"X-Forwarded-For": client})[0]

    assert [status("203.0.113.1") for _ in range(3)] == [200, 200, 429]
    assert status("203.0.113.2") == 200


@pytest.mark.parametrize("path", ["/v1/images", "/v1/videos"])
def test_four_declared_gigabytes_are_refused_before_they_come(server, path):
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 4294967296\r\n\r\n--x"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(head.encode())
        answer = b""
        while not answer.endswith(b"}"):
            received = connection.recv(65536)
            assert received, answer
            answer += received
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"urn:mien:problem:too-large" in answer
    assert server.ask("/readyz")[0] == 200


def test_a_client_that_is_sent_away_in_the_middle_of_its_upload_gets_the_answer(start):
    server = start("--limit", "uploads=1")
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    head = "POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(head.encode())
        while (found := server.ask("/v1/images", "POST", b"x" * 5_000_000, form))[0] == 422:
            pass  # The slow one has not been noticed yet.
        assert found[0] == 503
        assert int(found[1]["Retry-After"]) >= 1
    status, _, answer = server.ask("/v1/reports", "POST", b"x" * 90_000_000)
    assert status == 413
    assert b"urn:mien:problem:too-large" in answer


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--workers", "2", "--detector", "nope"], "There is no detector 'nope'"),
        (["--workers", "2", "--temporal", "no.onnx"], "The temporal network no.onnx"),
        (["--state", "."], "The state file . cannot be used"),
        (["--port", "{taken}"], "Nothing can listen on 127.0.0.1, port {taken}"),
        (["--host", "192.0.2.1", "--allow-anyone"], "Nothing can listen on 192.0.2.1"),
    ],
    ids=["detector", "temporal network", "state file", "port", "address"],
)
def test_what_cannot_be_served_is_one_line_and_exit_2(words, found, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        defaults = ["--offline", "--port", "0", "--detector", "haar", "--state", "state.db"]
        words = [*defaults, *(word.format(taken=taken) for word in words)]
        ended = subprocess.run(
            [sys.executable, "-m", "mien", "serve", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"Error: {found.format(taken=taken)}")
    assert ended.stderr.count("\n") == 1


def test_port_0_is_a_free_one_and_told(tmp_path):
    words = ["serve", "--offline", "--port", "0", "--detector", "haar", "--state", "state.db"]
    with subprocess.Popen(
        [sys.executable, "-m", "mien", *words], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as server:
        greeting = server.stdout.readline()
        server.kill()
    port = re.match(r"mien serves http://127.0.0.1:(\d+)/ ", greeting)[1]
    assert int(port) > 0


HEAD = b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def chunks(content, size):
    for start in range(0, len(content), size):
        piece = content[start : start + size]
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


@pytest.mark.parametrize(
    "hostile",
    [
        CHUNKED + b"1\r\nx\r\n" * 20_000,
        HEAD + b"X-Long: " + b"a" * 5_000_000,
        HEAD + b"X-Many: a\r\n" * 100_000,
        CHUNKED + b"1\r\nx\r\n0\r\nX-Trailer: " + b"a" * 5_000_000,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20_000,
    ],
    ids=["tiny chunks", "an endless header", "many headers", "an endless trailer", "a pipeline"],
)
def test_what_is_slow_to_parse_ends_the_connection(server, hostile):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(hostile)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while received := connection.recv(65536):
                answer += received
    # A reset may take the answer along.
    assert answer == b"" or b"HTTP/1.1 400 " in answer
    assert server.ask("/readyz")[0] == 200


@pytest.mark.parametrize("opcode", [b"\x82", b"\x89"], ids=["pictures", "pings"])
def test_a_flood_of_tiny_frames_ends_the_stream(server, opcode):
    with connect(f"ws://127.0.0.1:{server.port}/v1/stream", compression=None) as stream:
        stream.recv()
        with contextlib.suppress(ConnectionError):
            stream.socket.sendall((opcode + b"\x81\0\0\0\0x") * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            list(stream)
    # A reset may take the reason along.
    assert closed.value.rcvd is None or "small frames" in closed.value.rcvd.reason
    assert server.ask("/readyz")[0] == 200


def test_a_body_in_chunks_is_taken(server, astronaut_jpeg):
    for size in (100, 10_000):
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(CHUNKED + b"".join(chunks(astronaut_jpeg, size)) + b"0\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert server.ask("/readyz")[0] == 200


def largest_memory_mb(pid):
    file = Path(f"/proc/{pid}/status")
    if not file.exists():
        pytest.skip("needs /proc")
    return int(re.search(r"VmHWM:\s+(\d+) kB", file.read_text())[1]) / 1000


def test_frames_larger_than_an_avif_says_take_no_memory_of_the_server(start, encode):
    frame = encode(np.full((6144, 6144, 3), 128, np.uint8), ".avif", [cv2.IMWRITE_AVIF_SPEED, 10])
    said = struct.pack(">II", 6144, 6144)
    assert frame.count(said) == 1
    server = start()
    before_mb = largest_memory_mb(server.process.pid)
    kind = {"Content-Type": "image/avif"}
    content = frame.replace(said, struct.pack(">II", 10, 10))
    status, _, answer = server.ask("/v1/images", "POST", content, kind)
    assert status == 200, answer
    assert largest_memory_mb(server.process.pid) < before_mb + 100


def test_streams_of_a_worker_that_has_died_are_not_counted(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    dead, alive = (tmp_path / f"gauge_livesum_{pid}.db" for pid in (int(ended.stdout), os.getpid()))
    for file in (dead, alive):
        file.touch()
    _forget_dead_workers(tmp_path)
    assert list(tmp_path.iterdir()) == [alive]
