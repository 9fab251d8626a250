"""Which source is whose turn, and which one is to blame for a worker's death."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from mien.batch.sources import BatchSource

PICTURES_A_TASK = 50
"""So many pictures go to a worker at once, and into one Parquet file."""

TASKS_A_WORKER = 4
"""There are so many tasks of pictures a worker at least, so that all end at about the same time."""

MOST_KILLS = 2
"""A source that killed so many workers is set aside."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker gets at once.

    Attributes:
        sources: A video, or some pictures.
        kills: How many workers it has killed.
    """

    sources: tuple[BatchSource, ...]
    kills: int = 0

    @property
    def size_bytes(self) -> int:
        """The size of its sources."""
        return sum(source.size_bytes or 0 for source in self.sources)


class Schedule:
    """The tasks that wait, the largest videos first, so that no worker ends long after the others.

    Args:
        sources: What is to be done.
        workers: How many workers there will be.
        alone: Names of sources that get a task of their own.
    """

    def __init__(
        self, sources: Sequence[BatchSource], workers: int, alone: frozenset[str] = frozenset()
    ) -> None:
        single = [each for each in sources if each.kind == "video" or each.name in alone]
        pictures = [each for each in sources if each.kind == "picture" and each.name not in alone]
        size = min(PICTURES_A_TASK, max(1, math.ceil(len(pictures) / (TASKS_A_WORKER * workers))))
        tasks = [Task((source,)) for source in single]
        tasks += [Task(tuple(pictures[at : at + size])) for at in range(0, len(pictures), size)]
        self._waiting = deque(sorted(tasks, key=lambda task: -task.size_bytes))

    @property
    def is_waiting(self) -> bool:
        """Whether a task waits."""
        return bool(self._waiting)

    def take(self) -> Task | None:
        """Return the next task; None where none waits."""
        return self._waiting.popleft() if self._waiting else None

    def put_back(self, task: Task) -> None:
        """Let a task be done again whose worker was lost through no fault of its own."""
        self._waiting.appendleft(task)

    def blame(self, task: Task) -> BatchSource | None:
        """Say that a worker died of a task; return its source if that is to be set aside.

        Some pictures are told apart first: each is tried alone, without blame.
        """
        if len(task.sources) > 1:
            self._waiting.extendleft(Task((source,)) for source in task.sources)
            return None
        kills = task.kills + 1
        if kills >= MOST_KILLS:
            return task.sources[0]
        self._waiting.append(Task(task.sources, kills))
        return None
