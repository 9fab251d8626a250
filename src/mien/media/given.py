"""Frames that somebody has already: of a screen, a camera's own library, or another decoder."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.media.capture import FALLBACK_FPS
from mien.media.image import bits_of
from mien.media.pictures import Picture, load_picture
from mien.media.source import Frame, FrameSource

_EXPECTED = "expected a pair of its time in milliseconds and its picture: (timestamp_ms, image)"


class GivenFrames(FrameSource):
    """Frames as they come out of an iterable, which is closed with this if it is a generator.

    Args:
        pairs: Of each frame its time in milliseconds, counted from where you like and never below
            the one before, and its picture; see `mien.media.pictures.load_picture`.
    """

    name = "frames"
    fps = FALLBACK_FPS
    frame_count = None
    is_live = False

    def __init__(self, pairs: Iterable[tuple[float, Picture]]) -> None:
        self._pairs = iter(pairs)
        self._bits = 8
        self._is_begun = False

    def _frames(self) -> Iterator[Frame]:
        if self._is_begun:
            raise SourceError("These frames have been read: give them once more to read them.")
        self._is_begun = True
        before_ms = -math.inf
        for index, pair in enumerate(self._pairs):
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise SourceError(f"Found {type(pair).__name__} as frame {index}; {_EXPECTED}.")
            timestamp_ms, picture = pair
            now_ms = _finite(timestamp_ms)
            if now_ms is None:
                raise SourceError(
                    f"Found {timestamp_ms!r} as the time of frame {index}; {_EXPECTED}."
                )
            if now_ms < before_ms:
                raise SourceError(
                    f"Frame {index} is of {now_ms:g} ms, the one before of {before_ms:g} ms: "
                    "expected times that never go back."
                )
            before_ms = now_ms
            try:
                image_bgr = self._load(picture)
            except SourceError as error:
                raise SourceError(f"Frame {index}: {error}") from None
            # A copy: frames may be drawn into, and many a grabber fills one array again and again.
            yield Frame(index, before_ms, image_bgr.copy())

    def _load(self, picture: Picture) -> NDArray[np.uint8]:
        """Read a picture by the greatest depth so far: its own may change with a single pixel."""
        if isinstance(picture, np.ndarray):
            self._bits = max(self._bits, bits_of(picture))
        return load_picture(picture, self._bits)

    def close(self) -> None:
        """Close the generator; once more does nothing."""
        super().close()
        close = getattr(self._pairs, "close", None)
        if close is not None:
            close()


def _finite(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
