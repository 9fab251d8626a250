"""How far a batch is, and how long it still takes: a bar in a terminal, lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
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
        self._worked_off = 0
        self._total = sum(self._bytes.values())
        self._started_s = self._said_s = time.monotonic()
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
            speed_estimate_period=600.0,
        )
        self._task = self._bar.add_task(self._counts, total=self._total)

    def add(self, results: Iterable[SourceResult]) -> None:
        """Take in sources that are done, failed or set aside."""
        for result in results:
            self._done += 1
            self._failed += result.state != DONE
            self._worked_off += self._bytes.get(result.source, 0)
        self._bar.update(self._task, completed=self._worked_off, description=self._counts)
        now_s = time.monotonic()
        if not self._console.is_terminal and now_s - self._said_s >= LINE_EVERY_S:
            self._said_s = now_s
            self._console.print(f"{self._counts}{self._left(now_s)}", highlight=False)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    @property
    def _counts(self) -> str:
        failed = f", {self._failed:,} failed" if self._failed else ""
        return f"{self._done:,} of {self._all:,} sources{failed}"

    def _left(self, now_s: float) -> str:
        if not self._worked_off:
            return ""
        rest = (self._total - self._worked_off) / self._worked_off
        return f", {timedelta(seconds=round(rest * (now_s - self._started_s)))} left"


def _weight(source: BatchSource) -> int:
    # Opening a file takes its time as well.
    return (source.size_bytes or 0) + 10_000
