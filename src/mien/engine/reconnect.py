"""A camera or stream that comes back: unplugged and plugged in again, cut and there again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mien.core.errors import SourceError
from mien.media.frames import Frame, FrameSource, Source, open_frames

BACKOFF_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""How long to wait before each attempt to open a lost source again."""


class LastingSource(FrameSource):
    """A live source that is opened again when it breaks off.

    Frames go on counting, and time goes on by the clock. Files are not to be wrapped: they end.

    Args:
        source: The opened source.
        open_again: Opens it again; raises SourceError where it cannot.
        on_lost: Called with one line when the source breaks off and is to be tried again.
        backoff_s: How long to wait before each attempt.
    """

    def __init__(
        self,
        source: FrameSource,
        open_again: Callable[[], FrameSource],
        on_lost: Callable[[str], None] | None = None,
        backoff_s: Sequence[float] = BACKOFF_S,
    ) -> None:
        self._open_anew = open_again
        self._on_lost = on_lost
        self._backoff_s = backoff_s
        self._closed = threading.Event()
        self._source = source
        self.name = source.name
        self.fps = source.fps
        self.frame_count = source.frame_count
        self.is_live = source.is_live

    def __iter__(self) -> Iterator[Frame]:
        """The frames, of one connection after another.

        Raises:
            SourceError: if the source is lost and every attempt to open it again fails; at once, if
                it is closed.
        """
        if self._closed.is_set():
            raise SourceError(f"{self.name} is closed: open it again to read it.")
        count = 0
        last_ms = offset_ms = 0.0
        seen_s = time.monotonic()  # when the last frame came
        is_lost = False
        waits = iter(self._backoff_s)
        while True:
            try:
                for frame in self._source:
                    now_s = time.monotonic()
                    if is_lost:
                        # A read may have waited for long before it told that the source is lost.
                        offset_ms = last_ms + (now_s - seen_s) * 1000 - frame.timestamp_ms
                        is_lost, waits = False, iter(self._backoff_s)
                    seen_s = now_s
                    last_ms = frame.timestamp_ms + offset_ms
                    yield replace(frame, index=count, timestamp_ms=last_ms)
                    count += 1
                return
            except SourceError as error:
                if self._closed.is_set():
                    return
                if not is_lost:
                    is_lost = True
                    if self._on_lost is not None:
                        self._on_lost(f"{self.name} was lost; trying to open it again ...")
                if not self._open_again(error, waits):
                    return

    @property
    def damaged_spots(self) -> int:
        """See `FrameSource`; since it was opened last."""
        return self._source.damaged_spots

    @property
    def frames_alike(self) -> int:
        """See `FrameSource`; since it was opened last."""
        return self._source.frames_alike

    def stop_waiting(self) -> None:
        """Let whoever iterates in another thread end at once if the source is lost."""
        self._closed.set()

    def close(self) -> None:
        """Release the source and stop waiting for it; once more does nothing."""
        self.stop_waiting()
        self._source.close()

    def _open_again(self, reason: SourceError, waits: Iterator[float]) -> bool:
        """Open the source again after one of the waits that are left; False if closed meanwhile."""
        self._source.close()
        for wait_s in waits:
            if self._closed.wait(wait_s):
                return False
            try:
                self._source = self._open_anew()
            except SourceError:
                continue
            if self._closed.is_set():
                self._source.close()
                return False
            return True
        raise SourceError(
            f"{reason} It did not come back within {sum(self._backoff_s):g} s."
        ) from None


def make_lasting(
    opened: FrameSource,
    source: Source,
    on_lost: Callable[[str], None] | None = None,
    *,
    rotate_degrees: int = 0,
) -> FrameSource:
    """Let an opened camera or stream be opened again when it breaks off; leave files alone.

    Args:
        opened: What `open_frames(source)` gave.
        source: See `mien.media.frames.open_frames`.
        on_lost: Called with one line when the source breaks off and is to be tried again.
        rotate_degrees: See `open_frames`.
    """
    if not opened.is_live:
        return opened
    return LastingSource(
        opened, lambda: open_frames(source, rotate_degrees=rotate_degrees), on_lost
    )
