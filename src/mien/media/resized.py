"""Video files whose frames change their size, read by PyAV (`mien[video]`) from there on.

OpenCV 4.14 squashes them all into the size that the file states, and does not tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mien.media.interlaced import SAME_MS, InterlacedVideo, TimedPicture


def with_resized(
    pictures: Iterable[TimedPicture], video: InterlacedVideo, begins_group: Callable[[], bool]
) -> Iterator[TimedPicture]:
    """Give a file's pictures as OpenCV reads them; from a frame of another size on, those of PyAV.

    Args:
        pictures: What OpenCV reads, each with its time since the beginning of the video's track.
        video: The same file.
        begins_group: Whether the picture read last is the first of a group, which alone can be of
            another size. PyAV is asked about these; where each picture is a group of its own, that
            would be to decode the file twice, and nothing is to be called one.
    """
    sizes: _Sizes | None = None
    for image_bgr, time_ms in pictures:
        if time_ms is not None and begins_group():
            sizes = sizes or _Sizes(video)
            if sizes.differ_at(time_ms):
                yield from video.pictures(time_ms)
                return
        yield image_bgr, time_ms


class _Sizes:
    """The sizes of a file's frames, as far as it was read."""

    def __init__(self, video: InterlacedVideo) -> None:
        self._coming = video.key_sizes()
        self._next = next(self._coming, None)
        self._first = self._latest = None if self._next is None else self._next[1]

    def differ_at(self, time_ms: float) -> bool:
        """Whether the size at a time is another one than at first; times must not go back."""
        while self._next is not None and self._next[0] < time_ms + SAME_MS:
            self._latest = self._next[1]
            self._next = next(self._coming, None)
        return self._latest != self._first
