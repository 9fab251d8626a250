"""Whose turn it is to be classified: everyone in time, and not all in the same frame."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

SLACK_MS = 1.0
"""Timestamps of 30 frames a second are not exactly 33.333 ms apart."""


def is_due(last_ms: float, every_ms: float, now_ms: float, gap_ms: float) -> bool:
    """Whether waiting for the next frame would be too late.

    Args:
        last_ms: When it was done last.
        every_ms: So often it is to be done, at least; 0 is in every frame, whatever their times.
        now_ms: The frame's time.
        gap_ms: The time from one frame to the next.
    """
    return every_ms == 0 or now_ms + gap_ms - last_ms > every_ms + SLACK_MS


class Turns:
    """Who is classified in which frame of one video.

    Faces that came in together would all be due together ever after, and that frame late. Where
    more than their share of them is due in the same frame, some go early, once.

    Args:
        every_ms: Each face is classified at least so often.
    """

    def __init__(self, every_ms: float) -> None:
        self._every_ms = every_ms
        self._last_ms: dict[int, float] = {}

    def take(self, track_ids: Sequence[int], now_ms: float, gap_ms: float) -> list[int]:
        """Return the indices of those whose turn it is in the next frame.

        Args:
            track_ids: Who is in the frame.
            now_ms: The frame's time.
            gap_ms: The time since the frame before.
        """
        last_ms = [self._last_ms.get(track_id, -math.inf) for track_id in track_ids]
        due = [i for i, last in enumerate(last_ms) if is_due(last, self._every_ms, now_ms, gap_ms)]
        if gap_ms > 0:
            due += self._early(last_ms, set(due), now_ms, gap_ms)
        self._last_ms = {
            track_id: now_ms if i in due else last_ms[i] for i, track_id in enumerate(track_ids)
        }
        return sorted(due)

    def _early(
        self, last_ms: Sequence[float], due: set[int], now_ms: float, gap_ms: float
    ) -> list[int]:
        """Those who go before their turn, so that no frame ahead has more than its share."""
        frames_between = max(int((self._every_ms + SLACK_MS) / gap_ms), 1)
        share = math.ceil(len(last_ms) / frames_between)
        due_together = defaultdict(list)
        for i, last in enumerate(last_ms):
            if i not in due:
                due_together[int((last + self._every_ms + SLACK_MS - now_ms) / gap_ms)].append(i)
        early: list[int] = []
        for _, crowd in sorted(due_together.items()):
            room = share - len(due) - len(early)
            early += crowd[: max(min(room, len(crowd) - share), 0)]
        return early
