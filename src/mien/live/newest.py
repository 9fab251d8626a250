"""The newest frame of a camera: what is older is stale, and dropped."""

from __future__ import annotations

import threading
from typing import Self

from mien.media.frames import Frame, FrameSource

_SECONDS_TO_STOP = 2.0


class NewestFrame:
    """Reads a live source in a thread of its own, as fast as it gives frames, and keeps the last.

    Args:
        source: An opened camera or stream; this reads it from now on, and closes it.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._frame: Frame | None = None
        self._error: Exception | None = None
        self._stop = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="mien-camera", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float) -> Frame | None:
        """Return the newest frame that was not taken yet; None if none comes in time.

        Raises:
            SourceError: if the source stopped giving frames.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frame or self._error, timeout_s)
            frame, self._frame = self._frame, None
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop = True
        self._thread.join(_SECONDS_TO_STOP)
        # A driver that hangs in a read is left to it: closing the camera under it would crash.
        if not self._thread.is_alive():
            self._source.close()

    def _read(self) -> None:
        try:
            for frame in self._source:
                with self._changed:
                    self._frame = frame
                    self._changed.notify()
                if self._stop:
                    return
        except Exception as error:
            with self._changed:
                self._error = error  # Raised again by `take`.
                self._changed.notify()
