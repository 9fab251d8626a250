"""When a frame was: times that never run backwards, whatever its source states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

LONGEST_STEP_MS = 10_000.0
"""No frame of a live source comes later than this: reading it would have failed before."""

_REPEATED_STEP = 0.1  # of a frame's length
_MOST_REPEATED = 2  # frames in a row whose times do not go on; with more of them they stand still
_FAR_MS = 1000.0  # A time that is so far from where it is due may be an error.

_WATCH_MS = 10_000.0
_WRONG_WATCHES = 2  # one may be the seconds that a stream hands over when it is opened
_RIGHT_PACE = 0.8, 1.25  # its time over the clock's

Picture = TypeVar("Picture")


class FileTimeline:
    """The times of a file's frames, from 0 at the first one.

    What the file states counts. A frame whose time is that of the one before, or a little earlier,
    comes a little after it, so that those behind keep their times. A time that leaps ahead counts
    where the next one goes on from there, as after a pause; else it is damaged, and the frame comes
    as long after the one before as frames do.

    Args:
        fps: The file's frames a second, which count where it states no times, where they stand
            still, or are far behind, as where it begins anew.

    Attributes:
        first_ms: What the file states for the first one; 0 until it came.
    """

    def __init__(self, fps: float) -> None:
        self.first_ms = 0.0
        self._frame_ms = 1000 / fps
        self._last_ms: float | None = None
        self._latest_ms = 0.0  # of what was stated, from 0 at the first frame
        self._repeated = _MOST_REPEATED  # frames since then; there may be no times at all

    def place(
        self, frames: Iterable[tuple[Picture, float | None]]
    ) -> Iterator[tuple[Picture, float]]:
        """Give each frame's time, in milliseconds.

        Only where a time leaps ahead is the next frame waited for.

        Args:
            frames: Each with what the file states, in milliseconds; None where it states nothing.
        """
        leapt: tuple[Picture, float] | None = None
        for picture, position_ms in frames:
            if leapt is not None:
                goes_on = self._goes_on(leapt[1], position_ms)
                yield leapt[0], self._time_of(leapt[1] if goes_on else None)
                leapt = None
            if position_ms is not None and self._leaps(position_ms):
                leapt = picture, position_ms
            else:
                yield picture, self._time_of(position_ms)
        if leapt is not None:  # Nothing speaks against the time of the last one.
            yield leapt[0], self._time_of(leapt[1])

    def _leaps(self, position_ms: float) -> bool:
        if self._last_ms is None:
            return False
        return position_ms - self.first_ms > self._last_ms + self._frame_ms + _FAR_MS

    def _goes_on(self, leapt_ms: float, position_ms: float | None) -> bool:
        """Whether the time behind one that leapt is nearer to it than to the one before it."""
        before_ms = self.first_ms + (self._last_ms or 0.0)
        return position_ms is None or position_ms > (before_ms + leapt_ms) / 2

    def _time_of(self, position_ms: float | None) -> float:
        if self._last_ms is None:
            self.first_ms = position_ms or 0.0
            self._last_ms = 0.0
        else:
            self._last_ms = self._next_ms(position_ms, self._last_ms)
        return self._last_ms

    def _next_ms(self, position_ms: float | None, last_ms: float) -> float:
        if position_ms is None:
            return last_ms + self._frame_ms
        stated_ms = position_ms - self.first_ms
        self._repeated = 0 if stated_ms > self._latest_ms else self._repeated + 1
        self._latest_ms = max(stated_ms, self._latest_ms)
        if stated_ms > last_ms:
            return stated_ms
        stands_still = self._repeated > _MOST_REPEATED
        if stands_still or stated_ms < last_ms - _FAR_MS:
            return last_ms + self._frame_ms
        return last_ms + _REPEATED_STEP * self._frame_ms


class LiveTimeline:
    """The times of a camera's or stream's frames, from 0 at the first one.

    What the source states counts for as long as it can be true: network cameras without
    timestamps are given made-up ones by FFmpeg, as if 25 frames came a second. The clock counts
    where a frame has no time or the one of the frame before, where the times leap, and for good
    once they have gone slower or faster than the clock for two watches of 10 s.
    """

    def __init__(self) -> None:
        self._last_ms: float | None = None
        self._clock_ms = 0.0  # of the last frame
        self._zero_ms: float | None = None  # the stated time that stands for 0
        self._is_trusted = True
        self._watch = (0.0, 0.0)  # the clock and the time when it began
        self._wrong_watches = 0  # in a row; below 0 where they were too fast

    def place(self, position_ms: float | None, clock_ms: float) -> float:
        """Return the time of the next frame, in milliseconds.

        Args:
            position_ms: What the source states; None where it states nothing.
            clock_ms: When the frame came, by a clock that never leaps.
        """
        if self._last_ms is None:
            self._last_ms = 0.0
            self._zero_ms = position_ms
            self._watch = (clock_ms, 0.0)
        else:
            self._last_ms += self._step_ms(position_ms, clock_ms - self._clock_ms, self._last_ms)
        self._clock_ms = clock_ms
        self._check_pace(clock_ms, self._last_ms)
        return self._last_ms

    def _step_ms(self, position_ms: float | None, by_clock_ms: float, last_ms: float) -> float:
        if position_ms is None or not self._is_trusted:
            return by_clock_ms
        if self._zero_ms is None:
            self._zero_ms = position_ms - last_ms - by_clock_ms
        stated_ms = position_ms - self._zero_ms - last_ms
        if abs(stated_ms) > LONGEST_STEP_MS:
            self._zero_ms = position_ms - last_ms - by_clock_ms
        elif stated_ms > 0:
            return stated_ms
        return by_clock_ms

    def _check_pace(self, clock_ms: float, time_ms: float) -> None:
        since_clock_ms, since_ms = self._watch
        if not self._is_trusted or clock_ms - since_clock_ms < _WATCH_MS:
            return
        pace = (time_ms - since_ms) / (clock_ms - since_clock_ms)
        side = (pace < _RIGHT_PACE[0]) - (pace > _RIGHT_PACE[1])
        same_side = side * self._wrong_watches > 0
        self._wrong_watches = self._wrong_watches + side if same_side else side
        self._is_trusted = abs(self._wrong_watches) < _WRONG_WATCHES
        self._watch = (clock_ms, time_ms)
