"""A bounded load on `mien serve` over loopback: many clients against one, and a kill in the middle.

    python benchmarks/serve_load.py                 # about three minutes
    python benchmarks/serve_load.py --seconds 30    # each phase longer
    python benchmarks/serve_load.py --only neighbour   # what one client's flood costs another
    python benchmarks/serve_load.py --only memory      # what the largest pictures take

It starts a server of its own and prints: the memory that the largest pictures take; how much longer
a client waits while another floods the server; pictures and frames a second of one client and of
many, and their ratio; the 95th percentile of the answering times; the processor time that the
server spent on each, and how much of the machine others took (it slows everything down: measure on
an idle one); what was refused, which must be 429 or 503 with `Retry-After` and nothing else; the
server's memory after each round; and what becomes of the clients and of a video job when the server
is killed (SIGKILL) and started again under load. The clients share the machine's cores with the
server, so that a network's rates would be higher. Needs Linux, `mien[dev]`, and a detector (YuNet,
or Haar with `--detector haar`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import cv2
import httpx2
import numpy as np
import websockets
from skimage import data

from mien.classifier.classifier import Classifier
from mien.core.preprocess import FACE_SIZE

CORES = os.cpu_count() or 1
REFUSALS = frozenset({429, 503})
BOUNDARY = "------------------------mien"

_FLOODING_CONNECTIONS = 8
_PAIR_S = 4.0


class Server:
    """`mien serve` in a process of its own."""

    def __init__(self, folder: Path, options: list[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._words = ["serve", "--port", str(self.port), "--state", str(folder / "state.db")]
        self._words += ["--offline", "--limit", "requests_per_minute=1000000", *options]
        self._log = (folder / "log.txt").open("w")
        self.start()

    def start(self) -> None:
        """Start the process."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mien", *self._words], stdout=self._log, stderr=self._log
        )

    def kill(self) -> None:
        """End it as the machine would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """Tell it to stop; return its exit code."""
        self._process.terminate()
        return self._process.wait(60)

    def processor_s(self) -> np.ndarray:
        """Seconds of processor time used: by the process, and by its event loop's thread alone."""
        folder = Path(f"/proc/{self._process.pid}")
        files = (folder / "stat", folder / "task" / folder.name / "stat")
        fields = [file.read_text(encoding="ascii").split() for file in files]
        ticks = np.array([int(each[13]) + int(each[14]) for each in fields])
        return ticks / os.sysconf("SC_CLK_TCK")

    @property
    def is_running(self) -> bool:
        """Whether its process has not ended."""
        return self._process.poll() is None

    def memory_mb(self, measure: str = "VmRSS") -> float:
        """Memory that it occupies, or has at most since `forget_peak` (`VmHWM`): 1,000 KiB each."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith(f"{measure}:"))
        return int(line.split()[1]) / 1000

    def forget_peak(self) -> None:
        """Let the most that it has occupied be what it occupies now."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5", encoding="ascii")


def others_processor_s(server: Server) -> float:
    """Seconds of processor time that neither the server nor the clients had."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields[1:9])
    busy_s = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return busy_s - float(server.processor_s()[0]) - time.process_time()


@dataclass
class Round:
    """What the clients of one phase experienced.

    Attributes:
        server: Who serves them.
        clients: How many there are.
        length_s: For how long they ask.
    """

    server: Server
    clients: int
    length_s: float
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    passed_over: int = 0
    processor_s: np.ndarray | None = None
    others_s: float | None = None

    def __post_init__(self) -> None:
        self.until = time.perf_counter() + self.length_s

    @property
    def goes_on(self) -> bool:
        """Whether its time is not up."""
        return time.perf_counter() < self.until

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.length_s

    def note(self, sent_s: float) -> None:
        """Note an answer to what was sent at `sent_s`."""
        if self.goes_on:
            self.seconds.append(time.perf_counter() - sent_s)

    def line(self) -> str:
        """Say it in a line."""
        p50, p95 = (1000 * np.percentile(self.seconds or [0], part) for part in (50, 95))
        text = f"  {self.clients:3} clients {self.rate:7.1f} /s"
        text += f"   p50 {p50:4.0f} ms   p95 {p95:4.0f} ms"
        if self.processor_s is not None:
            all_ms, loop_ms = 1000 * self.processor_s / max(len(self.seconds), 1)
            text += f"   processor {all_ms:4.1f} ms each, {loop_ms:.1f} of them the event loop's"
        text += f"   {self.server.memory_mb():4.0f} MB"
        if self.others_s is not None:
            text += f"   others took {self.others_s / self.length_s / CORES:.0%}"
        if self.passed_over:
            text += f"   {self.passed_over} passed over"
        refused = [(status, count) for status, count in self.statuses.items() if status != 200]
        others = [*refused, *self.errors.items()]
        return text + "".join(f"   {count} x {what}" for what, count in others)


class Connection:
    """As little of HTTP/1.1 as it takes to upload, so that the processor is left to the server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def upload(self, request: bytes) -> tuple[int, dict[str, str]]:
        """Send a request; return the answer's status and headers."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").rstrip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        await self._reader.readexactly(int(headers["content-length"]))
        code = int(status.split()[1])
        if headers.get("connection") == "close" or code != 200:
            self.close()
        return code, headers

    def close(self) -> None:
        """End the connection; the next upload opens another one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def from_client(request: bytes, number: int) -> bytes:
    """Return the request as one that a proxy on this machine passes on from another address."""
    line, rest = request.split(b"\r\n", 1)
    return line + f"\r\nX-Forwarded-For: {address(number)}\r\n".encode() + rest


def address(number: int) -> str:
    """Return the address of a client."""
    return f"10.0.{number // 250}.{number % 250 + 1}"


async def upload_in_turn(request: bytes, tally: Round) -> None:
    """Upload one picture after another; wait as long as the server says where it refuses."""
    connection = Connection(tally.server.port)
    while tally.goes_on:
        sent_s = time.perf_counter()
        try:
            status, headers = await connection.upload(request)
        except (OSError, asyncio.IncompleteReadError):
            # A refusal may come while the picture is still being sent, and be lost in a reset.
            tally.errors["reset"] += 1
            connection.close()
            continue
        tally.statuses[status] += 1
        if status == 200:
            tally.note(sent_s)
        elif status in REFUSALS and "retry-after" in headers:
            await asyncio.sleep(int(headers["retry-after"]) * np.random.uniform(0.5, 1.5))
        else:
            tally.errors[f"{status} without a reason"] += 1
    connection.close()


async def upload_crowd(server: Server, request: bytes, clients: int, length_s: float) -> Round:
    """Let clients upload one picture after another."""
    tally = Round(server, clients, length_s)
    spent_s, others_s = server.processor_s(), others_processor_s(server)
    tasks = [
        asyncio.create_task(upload_in_turn(from_client(request, number), tally))
        for number in range(clients)
    ]
    await asyncio.sleep(length_s)
    tally.processor_s = server.processor_s() - spent_s
    tally.others_s = others_processor_s(server) - others_s
    await asyncio.gather(*tasks)
    return tally


async def stream(frame: bytes, pace_s: float, tally: Round, number: int) -> None:
    """Send frames at a camera's pace; come back when the server goes away."""
    url = f"ws://127.0.0.1:{tally.server.port}/v1/stream"
    sender = {"X-Forwarded-For": address(number)}
    while tally.goes_on:
        try:
            async with websockets.connect(
                url, compression=None, additional_headers=sender
            ) as connection:
                await connection.recv()
                await exchange(connection, frame, pace_s, tally)
        except websockets.InvalidStatus as refused:
            status, headers = refused.response.status_code, refused.response.headers
            tally.statuses[status] += 1
            if status not in REFUSALS or "Retry-After" not in headers:
                tally.errors[f"{status} without a reason"] += 1
            await asyncio.sleep(1)
        except (OSError, websockets.ConnectionClosed) as error:
            tally.errors[type(error).__name__] += 1
            await asyncio.sleep(0.5)


async def exchange(
    connection: websockets.ClientConnection, frame: bytes, pace_s: float, tally: Round
) -> None:
    """Send frames and read the answers until the round is over."""
    sent_s: list[float] = []

    async def read() -> None:
        async for text in connection:
            answer = json.loads(text)
            if answer["type"] == "result":
                tally.note(sent_s[answer["frame"]])
            else:
                tally.errors[answer["problem"]["title"]] += 1
            tally.passed_over += answer["dropped"]

    reader = asyncio.create_task(read())
    try:
        while tally.goes_on and not reader.done():
            sent_s.append(time.perf_counter())
            await connection.send(frame)
            await asyncio.sleep(pace_s)
    finally:
        await connection.close()
        await asyncio.wait([reader])
        failure = reader.exception()
    if failure is not None:
        raise failure


async def stream_crowd(
    server: Server, frame: bytes, clients: int, length_s: float, fps: float, *, kill: bool = False
) -> Round:
    """Let clients stream at a camera's pace; kill the server after a third of the time if asked."""
    tally = Round(server, clients, length_s)
    spent_s, others_s = server.processor_s(), others_processor_s(server)
    tasks = [
        asyncio.create_task(stream(frame, 1 / fps, tally, number)) for number in range(clients)
    ]
    if kill:
        await asyncio.sleep(length_s / 3)
        server.kill()
        server.start()
    else:
        await asyncio.sleep(length_s)
        tally.processor_s = server.processor_s() - spent_s
        tally.others_s = others_processor_s(server) - others_s
    await asyncio.gather(*tasks)
    return tally


async def ask_steadily(request: bytes, tally: Round) -> None:
    """Upload ten pictures a second, as somebody does who waits for each answer."""
    connection = Connection(tally.server.port)
    while tally.goes_on:
        sent_s = time.perf_counter()
        status, _ = await connection.upload(request)
        tally.statuses[status] += 1
        if status == 200:
            tally.note(sent_s)
        await asyncio.sleep(0.1)
    connection.close()


async def neighbour(server: Server, request: bytes, flood: bytes, name: str, rounds: int) -> None:
    """Print what another client's flood does to one who asks steadily; in pairs, as cores vary."""
    ratios, waits_ms = [], []
    for _ in range(rounds):
        pair = []
        for connections in (0, _FLOODING_CONNECTIONS):
            steady = Round(server, 1, _PAIR_S)
            greedy = Round(server, 1, _PAIR_S)
            await asyncio.gather(
                ask_steadily(from_client(request, 0), steady),
                *(upload_in_turn(from_client(flood, 1), greedy) for _ in range(connections)),
            )
            pair.append(1000 * float(np.percentile(steady.seconds, 95)))
        waits_ms.append(pair)
        ratios.append(pair[1] / pair[0])
    alone, beside = np.median(waits_ms, axis=0)
    print(
        f"  {name}: p95 {alone:.0f} ms alone, {beside:.0f} ms beside it; "
        f"{statistics.median(ratios):.2f} times (pairs: {', '.join(f'{r:.2f}' for r in ratios)})"
    )


async def wait_until_ready(server: Server, client: httpx2.AsyncClient) -> None:
    """Wait until the server takes requests."""
    while server.is_running:
        with suppress(httpx2.TransportError):
            if (await client.get("/readyz")).status_code == 200:
                return
        await asyncio.sleep(0.1)
    sys.exit("the server ended by itself")


async def print_memory(server: Server, client: httpx2.AsyncClient) -> None:
    """Print what pictures of the largest size add to the server's memory for a while."""
    image_bgr = np.zeros((7000, 7000, 3), np.uint8)
    progressive = [
        *(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ]
    pictures = {
        "JPEG": cv2.imencode(".jpg", image_bgr)[1],
        "progressive JPEG, 4:4:4": cv2.imencode(".jpg", image_bgr, progressive)[1],
        "WebP": cv2.imencode(".webp", image_bgr)[1],
        "PNG": cv2.imencode(".png", image_bgr)[1],
        "PNG of 16 bits a colour": cv2.imencode(".png", image_bgr.astype(np.uint16))[1],
    }
    kind = {"Content-Type": "application/octet-stream"}
    for name, content in pictures.items():
        before_mb = server.memory_mb()
        server.forget_peak()
        answer = await client.post(
            "/v1/images", content=content.tobytes(), headers=kind, timeout=300
        )
        answer.raise_for_status()
        more_mb = server.memory_mb("VmHWM") - before_mb
        per_pixel = more_mb * 1_024_000 / (image_bgr.size // 3)
        print(f"  {name}: {more_mb:.0f} MB more while it is decoded, {per_pixel:.1f} bytes a pixel")


async def add_job(client: httpx2.AsyncClient) -> str:
    """Upload the bundled video; return its job's address."""
    with resources.as_file(resources.files("mien") / "assets" / "demo.mp4") as path:
        answer = await client.post("/v1/videos", files={"file": path.read_bytes()})
    return answer.raise_for_status().headers["location"]


async def wait_for_job(client: httpx2.AsyncClient, job: str) -> str:
    """Wait until a job has ended, and say how."""
    while True:
        status = (await client.get(job)).json()
        if status["finished_s"] is not None:
            problem = f": {status['problem']['title']}" if status["problem"] else ""
            return f"{status['state']}{problem}"
        await asyncio.sleep(0.5)


def print_ratio(what: str, many: list[Round], one: Round) -> None:
    """Print how much many clients get done against one."""
    ratio = statistics.median(tally.rate for tally in many) / one.rate
    print(f"  {what} a second, {many[0].clients} clients against 1: {ratio:.2f} times")


async def run(
    options: argparse.Namespace, server: Server, picture: bytes, frame: bytes, large: bytes
) -> bool:
    """Run all phases; return whether nothing unexpected happened."""
    length_s = options.seconds
    base = f"http://127.0.0.1:{server.port}"
    rounds: list[Round] = []

    async def pictures(clients: int) -> Round:
        rounds.append(await upload_crowd(server, picture, clients, length_s))
        print(rounds[-1].line())
        return rounds[-1]

    async def frames(clients: int) -> Round:
        rounds.append(await stream_crowd(server, frame, clients, length_s, options.fps))
        print(rounds[-1].line())
        return rounds[-1]

    async with httpx2.AsyncClient(base_url=base) as client:
        await wait_until_ready(server, client)
        await upload_crowd(server, picture, 1, 2)  # Warm up.
        print("\nOne picture of 49 megapixels")
        await print_memory(server, client)
        if options.only == "memory":
            return True
        print(f"\nOne client beside another with {_FLOODING_CONNECTIONS} uploads at once")
        for name, flood in (("the same photo", picture), ("12 megapixels", large)):
            await neighbour(server, picture, flood, name, options.rounds)
        if options.only == "neighbour":
            return True
        print("\nPictures")
        one = await pictures(1)
        print_ratio(
            "pictures", [await pictures(options.uploads) for _ in range(options.rounds)], one
        )
        print(f"\nStreams of {options.fps:g} frames a second")
        one = await frames(1)
        print_ratio("frames", [await frames(options.clients) for _ in range(options.rounds)], one)
        print("\nBoth at once: streams, and pictures")
        for tally in await asyncio.gather(
            stream_crowd(server, frame, options.clients, length_s, options.fps),
            upload_crowd(server, picture, options.uploads, length_s),
        ):
            tally.processor_s = None  # It is that of both.
            rounds.append(tally)
            print(tally.line())
        print("\nA kill in the middle of the streams and of a video job, and pictures afterwards")
        job = await add_job(client)
        tally = await stream_crowd(
            server, frame, options.clients, 2 * length_s, options.fps, kill=True
        )
        print(tally.line())
        await wait_until_ready(server, client)
        await pictures(options.uploads)
        print(f"  the job is {await wait_for_job(client, job)}")
    return not any(tally.errors for tally in rounds)


def print_batching() -> None:
    """Print what batching the faces of several requests would gain."""
    classifier = Classifier(threads=1)
    per_face = {}
    for size in (1, 2, 4, 8, 16):
        faces_u8 = np.random.default_rng(0).integers(0, 256, (size, FACE_SIZE, FACE_SIZE), np.uint8)
        best = np.inf
        for _ in range(30):
            started = time.thread_time()
            classifier.classify(faces_u8)
            best = min(best, (time.thread_time() - started) / size)
        per_face[size] = 1000 * best
    print("processor time of a face by batch size, one thread:")
    print("  " + "   ".join(f"{size}: {ms:.2f} ms" for size, ms in per_face.items()))


def make_pictures() -> tuple[bytes, bytes, bytes]:
    """Make what the clients send, all JPEG.

    Returns:
        A request with a photo of 512 × 512 pixels, a frame of 640 × 360, and a request with a photo
        of 4000 × 3000.
    """
    photo = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    frame = np.full((360, 640, 3), 140, np.uint8)
    frame[:, 140:500] = cv2.resize(photo, (360, 360), interpolation=cv2.INTER_AREA)
    large = cv2.resize(photo, (4000, 3000))
    small, streamed, huge = (
        cv2.imencode(".jpg", image)[1].tobytes() for image in (photo, frame, large)
    )
    return upload_request(small), streamed, upload_request(huge)


def upload_request(jpeg: bytes) -> bytes:
    """Return the request that uploads a picture."""
    head = 'Content-Disposition: form-data; name="files"; filename="a.jpg"'
    form = f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + jpeg
    form += f"\r\n--{BOUNDARY}--\r\n".encode()
    request = (
        "POST /v1/images HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(form)}\r\n\r\n"
    )
    return request.encode() + form


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a phase")
    parser.add_argument("--rounds", type=int, default=3, help="how often each crowd comes")
    parser.add_argument("--uploads", type=int, default=200, help="uploads at once")
    parser.add_argument("--clients", type=int, default=50, help="streams at once")
    parser.add_argument("--fps", type=float, default=10.0, help="frames a second of a camera")
    parser.add_argument("--threads", type=int, default=2, help="threads of the server")
    parser.add_argument("--detector", default="auto")
    parser.add_argument(
        "--only", choices=["memory", "neighbour"], help="leave the other phases out"
    )
    options = parser.parse_args()
    print(f"{CORES} cores, {options.threads} recognising threads")
    print_batching()
    picture, frame, large = make_pictures()
    print(f"picture {len(picture):,} bytes, frame {len(frame):,} bytes")
    with tempfile.TemporaryDirectory() as folder:
        words = ["--threads", str(options.threads), "--detector", options.detector]
        server = Server(Path(folder), words)
        try:
            is_well = asyncio.run(run(options, server, picture, frame, large))
        finally:
            code = server.stop()
    print(f"\nthe server ended with {code}; {'no' if is_well else 'SOME'} unexpected errors")
    sys.exit(not is_well)


if __name__ == "__main__":
    main()
