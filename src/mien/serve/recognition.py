"""The threads that recognise, shared by everything that one worker serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2

from mien.recognizer import Recognizer
from mien.serve.metrics import Metrics

_Result = TypeVar("_Result")


class Lane:
    """One thread with a recogniser of its own, which nobody else uses.

    Args:
        recognizer: What to recognise with.
        metrics: Where times are noted.

    Attributes:
        recognizer: What is recognised with here.
        streams: How many live streams use this lane.
        waiting: How many pictures and frames wait here or are under way.
    """

    def __init__(self, recognizer: Recognizer, metrics: Metrics) -> None:
        self.recognizer = recognizer
        self.streams = 0
        self.waiting = 0
        self._metrics = metrics
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="recognise")

    async def run(self, source: str, work: Callable[[], _Result]) -> _Result:
        """Run `work` in this lane's thread, when its turn comes.

        Args:
            source: What it comes from, `image` or `stream`, for the metrics.
            work: Called once.
        """
        asked_s = time.perf_counter()

        def measured() -> _Result:
            begun_s = time.perf_counter()
            self._metrics.waiting_seconds.labels(source).observe(begun_s - asked_s)
            try:
                return work()
            finally:
                seconds = time.perf_counter() - begun_s
                self._metrics.recognition_seconds.labels(source).observe(seconds)

        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, measured)
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """Wait for what is under way, and end the thread."""
        self._executor.shutdown()


class Recognition:
    """All lanes of one worker.

    A thread does a whole picture by itself: while several clients wait, that gives more pictures
    a second than several threads at one picture. So OpenCV is told to use one thread, and the
    recognisers should as well.

    Args:
        recognizers: One for each lane.
        metrics: Where times are noted.
    """

    def __init__(self, recognizers: list[Recognizer], metrics: Metrics) -> None:
        cv2.setNumThreads(1)
        self._lanes = [Lane(recognizer, metrics) for recognizer in recognizers]

    def for_picture(self) -> Lane:
        """Return the lane where a picture will wait the shortest."""
        return min(self._lanes, key=lambda lane: lane.waiting)

    def for_stream(self) -> Lane:
        """Return the lane with the fewest streams; a stream keeps to its lane."""
        return min(self._lanes, key=lambda lane: lane.streams)

    def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        for lane in self._lanes:
            lane.close()
