"""`WS /v1/stream`: frames in, faces out, for as long as the camera runs.

A binary message is one frame (JPEG, PNG or WebP). Each answer is a JSON text message with `type`
`ready` (once), `result` or `problem`. The newest frame wins: one frame is recognised at a time, one
waits, and a further one takes the waiting one's place. A result says how many frames were `dropped`
like that since the last one and how long its own frame waited, so that a client can slow down.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, WebSocket, WebSocketDisconnect

from mien.engine.stages import VideoAnalyser
from mien.media.frames import Frame
from mien.record.table import row_of
from mien.serve.context import Context
from mien.serve.http.access import bearer_token
from mien.serve.http.clients import client_of
from mien.serve.http.openapi import responses
from mien.serve.http.problems import Problem
from mien.serve.pictures.decode import decode_picture
from mien.serve.pictures.header import FRAME_KINDS
from mien.serve.recognition import Lane
from mien.serve.routes.dependencies import (
    ReadingName,
    ServerContext,
    check_reading_over_time,
    require_access,
)
from mien.serve.routes.schemas import Ticket

log = logging.getLogger("mien.serve")

router = APIRouter(prefix="/v1", tags=["streams"])

_NORMAL, _POLICY_VIOLATION = 1000, 1008  # Close codes of RFC 6455, section 7.4.1.


@router.post(
    "/tickets",
    dependencies=[Depends(require_access)],
    responses=responses(401, 403, 413, 429, 503),
)
def issue_ticket(request: Request, context: ServerContext) -> Ticket:
    """Issue a ticket for one WebSocket, as a browser cannot send a token with that.

    Nor does a browser tell why a WebSocket is refused: where no stream is free, this is.
    """
    context.streams.check(client_of(request.scope))
    lifetime_s = context.settings.limits.tickets_seconds
    ticket = context.store.issue_ticket(lifetime_s)
    return Ticket(ticket=ticket, expires_in_s=lifetime_s)


@router.websocket("/stream")
async def stream(
    websocket: WebSocket,
    context: ServerContext,
    ticket: Annotated[str | None, Query(max_length=100)] = None,
    reading: ReadingName = None,
) -> None:
    """Recognise the faces of a live stream."""
    client = client_of(websocket.scope)
    with contextlib.ExitStack() as stack:
        try:
            await _check_access(websocket, context, ticket)
            check_reading_over_time(context, reading)
            stack.enter_context(context.streams.take(client))
        except Problem as problem:
            await websocket.send_denial_response(problem.response())
            return
        lane = stack.enter_context(_lane_for_stream(context))
        await websocket.accept()
        recognizer = lane.recognizer.with_reading(reading or context.settings.reading)
        analyser = await asyncio.to_thread(VideoAnalyser, recognizer, context.settings.engine)
        await _Session(websocket, context, client, lane, analyser).run()


@contextlib.contextmanager
def _lane_for_stream(context: Context) -> Iterator[Lane]:
    lane = context.recognition.for_stream()
    lane.streams += 1
    context.metrics.streams.inc()
    try:
        yield lane
    finally:
        lane.streams -= 1
        context.metrics.streams.dec()


@dataclass(frozen=True, slots=True)
class _Frame:
    index: int
    content: bytes
    arrived_s: float


class _Mailbox:
    """Holds the newest frame until it is taken; knows how many it threw away.

    The event loop puts frames in; the thread that recognises takes one when its turn has come, so
    that even a frame that waited for its turn is the newest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frame: _Frame | None = None
        self._dropped = 0
        self._filled = asyncio.Event()

    def put(self, frame: _Frame) -> bool:
        """Put a frame in; return whether another one was thrown away for it."""
        with self._lock:
            replaced = self._frame is not None
            self._dropped += replaced
            self._frame = frame
        self._filled.set()
        return replaced

    async def wait_for_frame(self) -> None:
        """Wait until a frame was put in since the last time."""
        await self._filled.wait()
        self._filled.clear()

    def take(self) -> tuple[_Frame, int] | None:
        """Return the frame and how many were thrown away since the last one; None if none is in."""
        with self._lock:
            frame, dropped = self._frame, self._dropped
            if frame is None:
                return None
            self._frame, self._dropped = None, 0
        return frame, dropped


class _Session:
    """One stream, from its first frame to its last."""

    def __init__(
        self,
        websocket: WebSocket,
        context: Context,
        client: str,
        lane: Lane,
        analyser: VideoAnalyser,
    ) -> None:
        self._websocket = websocket
        self._recognition = context.recognition
        self._limits = context.settings.limits
        self._smooth_ms = context.settings.engine.smooth_ms
        self._metrics = context.metrics
        self._model = context.recognizer.artifact.sha256
        self._client = client
        self._lane = lane
        self._analyser = analyser
        self._mailbox = _Mailbox()
        self._first_s: float | None = None

    async def run(self) -> None:
        """Receive and answer until the client leaves or the stream has lasted long enough."""
        await self._send({"type": "ready", "model": self._model, "limits": self._frame_limits()})
        tasks = {asyncio.create_task(self._receive()), asyncio.create_task(self._answer())}
        longest_s = self._limits.stream_seconds
        try:
            ended, _ = await asyncio.wait(
                tasks, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in tasks:
                task.cancel()
        try:
            for task in ended:
                task.result()
        except Problem as problem:
            await self._end(_POLICY_VIOLATION, problem)
        except (WebSocketDisconnect, RuntimeError):
            return  # Nobody is there any more to be told anything.
        if not ended:
            too_long = Problem("too-long", f"A stream lasts {longest_s:g} s at most.")
            await self._end(_NORMAL, too_long)

    async def _receive(self) -> None:
        """Put what comes into the mailbox."""
        index = 0
        try:
            while True:
                async with asyncio.timeout(self._limits.stream_idle_seconds):
                    message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                frame = self._frame(index, message)
                if self._mailbox.put(frame):
                    self._metrics.frames.labels("dropped").inc()
                index += 1
        except TimeoutError:
            idle_s = self._limits.stream_idle_seconds
            raise Problem("upload-too-slow", f"No frame came for {idle_s:g} s.") from None

    def _frame(self, index: int, message: Any) -> _Frame:
        content = message.get("bytes")
        if content is None:
            raise Problem("bad-request", "A text came; frames are binary messages.")
        if len(content) > self._limits.frame_bytes:
            raise Problem(
                "too-large",
                f"A frame has {len(content):,} bytes; at most {self._limits.frame_bytes:,} here.",
            )
        return _Frame(index, content, time.perf_counter())

    async def _answer(self) -> None:
        while True:
            await self._mailbox.wait_for_frame()
            answer = await self._recognition.run(
                self._client, "stream", lambda _: self._next_answer(), self._lane
            )
            if answer is not None:
                await self._send(answer)

    def _next_answer(self) -> dict[str, Any] | None:
        """Recognise the newest frame; None if it has been recognised already."""
        taken = self._mailbox.take()
        if taken is None:
            return None
        frame, dropped = taken
        try:
            answer = self._recognise(frame)
            self._metrics.frames.labels("recognised").inc()
        except Problem as problem:
            answer = _problem_message(problem)
            self._metrics.frames.labels("refused").inc()
        except Exception:
            log.exception("A frame of a stream failed")
            answer = _problem_message(Problem("failed", "This is a fault of the server."))
            self._metrics.frames.labels("failed").inc()
        return answer | {"frame": frame.index, "dropped": dropped}

    def _recognise(self, frame: _Frame) -> dict[str, Any]:
        begun_s = time.perf_counter()
        image_bgr = decode_picture(
            frame.content,
            most_pixels=self._limits.frame_pixels,
            longest_side=self._limits.image_side,
            kinds=FRAME_KINDS,
        )
        timestamp_ms = self._timestamp_ms(frame)
        faces = self._analyser.analyse(Frame(frame.index, timestamp_ms, image_bgr))
        self._metrics.faces.inc(len(faces))
        return {
            "type": "result",
            "timestamp_ms": round(timestamp_ms, 1),
            "width": image_bgr.shape[1],
            "height": image_bgr.shape[0],
            "waited_ms": round((begun_s - frame.arrived_s) * 1000, 1),
            "recognised_ms": round((time.perf_counter() - begun_s) * 1000, 1),
            "faces": [row_of(face, smooth_ms=self._smooth_ms, raw=False) for face in faces],
        }

    def _timestamp_ms(self, frame: _Frame) -> float:
        """Time since the first frame came, in milliseconds."""
        if self._first_s is None:
            self._first_s = frame.arrived_s
        return (frame.arrived_s - self._first_s) * 1000

    def _frame_limits(self) -> dict[str, int]:
        return {
            "frame_bytes": self._limits.frame_bytes,
            "frame_pixels": self._limits.frame_pixels,
        }

    async def _send(self, message: dict[str, Any]) -> None:
        await self._websocket.send_text(json.dumps(message, separators=(",", ":")))

    async def _end(self, code: int, problem: Problem) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await self._send(_problem_message(problem))
            await self._websocket.close(code, problem.title)


def _problem_message(problem: Problem) -> dict[str, Any]:
    return {"type": "problem", "problem": problem.document}


async def _check_access(websocket: WebSocket, context: Context, ticket: str | None) -> None:
    """Raise Problem unless the page's origin is ours and a token or a ticket is shown."""
    access = context.access
    access.check_origin(websocket)
    if not access.needs_token:
        return
    if ticket is not None:
        if not await asyncio.to_thread(context.store.use_ticket, ticket):
            raise Problem("token-needed", "The ticket is used up or too old; get another one.")
        return
    access.check_token(bearer_token(websocket.headers))
