"""How far a batch is, and how long it still takes: a bar in a terminal, lines in a log."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mien.batch.sources import BatchSource
from mien.batch.worker import DONE, SourceResult

LINE_EVERY_S = 30.0
"""Where standard error is no terminal, a line is written this often."""


class BatchProgress:
    """Says on standard error how far a batch is; a context manager.

    The time left is told by bytes, which are read in about the same time whatever they are.

    Args:
        sources: All of the batch.
        missing: Those that are still to be done.
    """

    def __init__(self, sources: Sequence[BatchSource], missing: Sequence[BatchSource]) -> None:
        self._bytes = {source.name: _weight(source) for source in missing}
        self._all = len(sources)
        self._done = len(sources) - len(missing)
        self._failed = 0
        self._said_s = time.monotonic()
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
            speed_estimate_period=math.inf,  # One long video may take an hour.
        )
        self._task = self._bar.add_task(self._counts, total=sum(self._bytes.values()))

    def add(self, results: Sequence[SourceResult]) -> None:
        """Take in sources that are done, failed or set aside."""
        self._done += len(results)
        self._failed += sum(result.state != DONE for result in results)
        read_bytes = sum(self._bytes[result.source] for result in results)
        self._bar.update(self._task, advance=read_bytes, description=self._counts)
        now_s = time.monotonic()
        if not self._console.is_terminal and now_s - self._said_s >= LINE_EVERY_S:
            self._said_s = now_s
            left_s = self._bar.tasks[0].time_remaining
            left = "" if left_s is None else f", {timedelta(seconds=left_s)} left"
            self._console.print(f"{self._counts}{left}", highlight=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    @property
    def _counts(self) -> str:
        failed = f", {self._failed:,} failed" if self._failed else ""
        return f"{self._done:,} of {self._all:,} sources{failed}"


def _weight(source: BatchSource) -> int:
    # Opening a file takes its time as well.
    return (source.size_bytes or 0) + 10_000
