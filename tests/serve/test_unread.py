"""Clients that do not read what they are sent: they keep no place, and take no memory."""

import contextlib
import os
import re
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a server in a process of its own")

TRIES = 5000
PING = b"\x89\xfd\0\0\0\0" + bytes(125)
PINGS = 200  # at once; from 500 on they would end the stream
ROUNDS = 500
assert ROUNDS * PINGS * len(PING) > 12_000_000, "more than the system keeps for both ends"
UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture
def start_impatient(start):
    """Return the function that starts a server which waits 0.2 seconds for a client to read."""

    def start_with(**limits):
        limits |= {"answer_seconds": 0.2, "upload_rate": 10**9, "requests_per_minute": 10**6}
        return start(*(f"--limit={name}={value}" for name, value in limits.items()))

    return start_with


@contextlib.contextmanager
def reader_of_nothing(server):
    """A connection for which the system keeps as little as it can."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # What is sent goes at once, not with what comes next.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", server.port))
        yield connection


def until(found):
    """Ask until `found` says yes: each time, the server works on."""
    for _ in range(TRIES):
        if found():
            return
    pytest.fail("it did not come about")


def says(server, line):
    return line in server.ask("/metrics")[2].decode().splitlines()


def post(content):
    head = (
        f"POST /v1/images/annotated HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}"
    )
    return f"{head}\r\nContent-Type: image/jpeg\r\n\r\n".encode() + content


@pytest.fixture(scope="module")
def large(encode):
    """A picture whose answer is more than the system takes in for a client that does not read."""
    noise = np.random.default_rng(0).integers(0, 256, (2000, 3000, 3), dtype=np.uint8)
    return encode(noise, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95])


def test_who_does_not_read_its_pictures_loses_its_place(start_impatient, astronaut_jpeg, large):
    server = start_impatient(uploads=1)
    with reader_of_nothing(server) as connection:
        connection.sendall(post(large) + post(astronaut_jpeg))
        until(lambda: says(server, 'mien_recognition_seconds_count{source="image"} 2.0'))
        kind = {"Content-Type": "image/jpeg"}
        until(lambda: server.ask("/v1/images", "POST", astronaut_jpeg, kind)[0] == 200)


def ping(server, connection):
    """Send some pings; return whether the stream still goes on."""
    try:
        connection.sendall(PING * PINGS)
    except ConnectionError:
        return False
    return server.ask("/healthz")[0] == 200


def test_who_does_not_read_its_stream_loses_its_place(start_impatient):
    server = start_impatient()
    with reader_of_nothing(server) as connection:
        connection.sendall(UPGRADE)
        until(lambda: says(server, "mien_streams 1.0"))
        until(lambda: not ping(server, connection))
        until(lambda: says(server, "mien_streams 0.0"))
        assert "left an answer unread" in server.stop()[1]


def test_pongs_that_nobody_reads_are_not_kept(start):
    server = start(f"--limit=requests_per_minute={10**6}", "--limit=answer_seconds=3600")
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("needs /proc")

    def largest_memory_mb():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1000

    with reader_of_nothing(server) as connection:
        connection.sendall(UPGRADE)
        until(lambda: says(server, "mien_streams 1.0"))
        before_mb = largest_memory_mb()
        for _ in range(ROUNDS):
            assert ping(server, connection)
    assert largest_memory_mb() < before_mb + 4


def test_the_last_of_many_pings_is_answered_when_there_is_room(start):
    server = start(f"--limit=requests_per_minute={10**6}", "--limit=answer_seconds=3600")
    with reader_of_nothing(server) as connection:
        connection.sendall(UPGRADE)
        until(lambda: says(server, "mien_streams 1.0"))
        for _ in range(ROUNDS):
            assert ping(server, connection)
        connection.sendall(b"\x89\x88\0\0\0\0the last")
        received = b""
        while b"\x8a\x08the last" not in received:
            piece = connection.recv(65536)
            assert piece
            received = received[-20:] + piece


def test_who_reads_slowly_has_the_time_that_the_bytes_take(start, large):
    server = start("--limit=answer_seconds=0.001", "--limit=upload_rate=1000")
    with reader_of_nothing(server) as connection:
        connection.sendall(post(large))
        received = connection.recv(4096)
        assert received.startswith(b"HTTP/1.1 200 ")
        length = int(re.search(rb"content-length: (\d+)", received)[1])
        assert length > 5_000_000
        while len(received) < length:
            piece = connection.recv(4096)
            assert piece
            received += piece
    assert received.endswith(b"\xff\xd9")
