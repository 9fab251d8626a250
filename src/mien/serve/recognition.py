"""The threads that recognise, shared fairly by everyone whom one worker serves."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2

from mien.recognizer import Recognizer
from mien.serve.metrics import Metrics

_Result = TypeVar("_Result")

_PRESENT_S = 10.0
"""Who asked for something this recently is expected to ask again."""


class Lane:
    """One thread with a recogniser of its own, which nobody else uses.

    Args:
        recognizer: What to recognise with.

    Attributes:
        recognizer: What is recognised with here.
        streams: How many live streams use this lane.
        is_busy: Whether something is under way here.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self.recognizer = recognizer
        self.streams = 0
        self.is_busy = False
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="recognise")

    def start(self, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
        """Begin to run `work` in this lane's thread."""
        return asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Wait for what is under way, and end the thread."""
        self._executor.shutdown()


@dataclass(eq=False, slots=True)
class _Work:
    client: str
    source: str
    call: Callable[[Recognizer], Any]
    lane: Lane | None
    done: asyncio.Future[Any]
    asked_s: float = field(default_factory=time.perf_counter)


@dataclass(eq=False, slots=True)
class _Client:
    waiting: list[_Work] = field(default_factory=list)
    running: int = 0
    seen_s: float = 0.0
    served_s: float = 0.0


class Recognition:
    """All lanes of one worker, and who comes next.

    A thread does a whole picture by itself: while several clients wait, that gives more pictures
    a second than several threads at one picture. So OpenCV is told to use one thread, and the
    recognisers should as well.

    Clients take turns, however much each of them sends: next comes the one with the fewest lanes at
    work for it, and of these the one that was served longest ago. While others are there, one
    client never has all lanes, so that a large picture does not make the next client wait.

    Args:
        recognizers: One for each lane.
        metrics: Where times are noted.
    """

    def __init__(self, recognizers: list[Recognizer], metrics: Metrics) -> None:
        cv2.setNumThreads(1)
        self._metrics = metrics
        self._lanes = [Lane(recognizer) for recognizer in recognizers]
        # Who is there; the one that was seen longest ago first.
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    def for_stream(self) -> Lane:
        """Return the lane with the fewest streams; a stream keeps to its lane."""
        return min(self._lanes, key=lambda lane: lane.streams)

    async def run(
        self,
        client: str,
        source: str,
        call: Callable[[Recognizer], _Result],
        lane: Lane | None = None,
    ) -> _Result:
        """Run `call` in a lane's thread, when the client's turn has come.

        Args:
            client: Who asks.
            source: What it comes from, `image` or `stream`, for the metrics.
            call: Called once, with that lane's recogniser.
            lane: Where it must run; None for any lane.
        """
        work = _Work(client, source, call, lane, asyncio.get_running_loop().create_future())
        sender = self._clients.setdefault(client, _Client())
        self._clients.move_to_end(client)
        sender.seen_s = time.monotonic()
        sender.waiting.append(work)
        self._dispatch()
        try:
            result: _Result = await work.done
        finally:
            # Who went away before its turn does not get one.
            if work in sender.waiting:
                sender.waiting.remove(work)
        return result

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        for lane in self._lanes:
            lane.close()

    def _dispatch(self) -> None:
        self._forget_who_left()
        for lane in self._lanes:
            if not lane.is_busy and (work := self._next_for(lane)) is not None:
                self._start(work, lane)

    def _forget_who_left(self) -> None:
        left_s = time.monotonic() - _PRESENT_S
        while self._clients:
            name, client = next(iter(self._clients.items()))
            if client.waiting or client.running or client.seen_s > left_s:
                break
            del self._clients[name]

    def _next_for(self, lane: Lane) -> _Work | None:
        is_alone = len(self._clients) == 1
        most_lanes = len(self._lanes) if is_alone else max(len(self._lanes) - 1, 1)
        for client in sorted(
            self._clients.values(), key=lambda each: (each.running, each.served_s)
        ):
            if client.running < most_lanes:
                for work in client.waiting:
                    if work.lane in (None, lane):
                        return work
        return None

    def _start(self, work: _Work, lane: Lane) -> None:
        client = self._clients[work.client]
        client.waiting.remove(work)
        client.running += 1
        client.served_s = time.monotonic()
        lane.is_busy = True

        def measured() -> Any:
            begun_s = time.perf_counter()
            self._metrics.waiting_seconds.labels(work.source).observe(begun_s - work.asked_s)
            try:
                return work.call(lane.recognizer)
            finally:
                seconds = time.perf_counter() - begun_s
                self._metrics.recognition_seconds.labels(work.source).observe(seconds)

        def end(running: asyncio.Future[Any]) -> None:
            client.running -= 1
            lane.is_busy = False
            _pass_on(running, work.done)
            self._dispatch()

        lane.start(measured).add_done_callback(end)


def _pass_on(source: asyncio.Future[Any], target: asyncio.Future[Any]) -> None:
    if source.cancelled():
        target.cancel()
        return
    error = source.exception()
    if target.done():
        return  # Who asked has gone away.
    if error is not None:
        target.set_exception(error)
    else:
        target.set_result(source.result())
