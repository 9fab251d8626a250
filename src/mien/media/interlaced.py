"""Interlaced video files (DV, DVD, television), read by PyAV (`mien[video]`).

OpenCV 4.14 does not turn their frames into pictures: it gives what its memory held for each of
them, the picture before as a rule, without an error.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.media.image import rotate
from mien.media.pyav import has_pyav, open_to_read

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.filter.graph import Graph
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

TimedPicture: TypeAlias = "tuple[NDArray[np.uint8], float | None]"
"""A picture and the time in milliseconds that its source states, None for none."""

_WEAVE = {"mode": "send_frame", "deint": "interlaced"}
"""bwdif makes one picture of the two fields of each frame; progressive ones it leaves alone."""
_ALIKE_AT_START = 2
_ALIKE_LATER = 3
_MOST_STILLS = 8
"""After so many stills PyAV is asked no more: a recording of slides is one after another."""
_SAMPLED = 8  # of the rows and columns, to find pictures alike
_SAME_MS = 1.0  # two readers round differently
_SEEK_MARGIN_S = 2.0  # decoding begins so much earlier: a place is found to within some frames


def with_interlaced(
    pictures: Iterable[TimedPicture], video: InterlacedVideo
) -> Iterator[TimedPicture]:
    """Give a file's pictures as OpenCV reads them; from an interlaced frame on, those of PyAV.

    Where pictures are alike, PyAV is asked about their frames. It reads the rest of the file,
    progressive frames too, once one is interlaced.

    Args:
        pictures: What OpenCV reads, each with its time since the beginning of the video's track.
        video: The same file.
    """
    waiting: list[TimedPicture] = []  # alike, and perhaps no pictures of their frames
    sample: NDArray[np.uint8] | None = None
    still: _Still | None = None
    wanted, stills = _ALIKE_AT_START, 0
    for picture in pictures:
        sparse = picture[0][::_SAMPLED, ::_SAMPLED]
        if sample is not None and not np.array_equal(sparse, sample):
            yield from waiting
            waiting, sample, still, wanted = [], None, None, _ALIKE_LATER
        sample = sparse.copy() if sample is None else sample
        waiting.append(picture)
        if len(waiting) < wanted and stills < _MOST_STILLS:
            continue
        if still is None and stills < _MOST_STILLS:
            still, wanted, stills = _Still(video, waiting[0][1]), 1, stills + 1
        turns_ms = None if still is None else still.turns_until(picture[1])
        if turns_ms is not None:
            yield from (one for one in waiting if (one[1] or 0.0) < turns_ms - _SAME_MS)
            yield from video.pictures(turns_ms)
            return
        yield from waiting
        waiting = []
    yield from waiting


class _Still:
    """The frames behind pictures that are alike.

    Args:
        video: The file.
        from_ms: The time of the first of these pictures; None where it states none.
    """

    def __init__(self, video: InterlacedVideo, from_ms: float | None) -> None:
        self._frames = iter(()) if from_ms is None else video.kinds(from_ms)
        self._next = next(self._frames, None)

    def turns_until(self, time_ms: float | None) -> float | None:
        """Return the time of the first interlaced frame up to a time; None if there is none."""
        while self._next is not None and self._next[0] < (time_ms or 0.0) + _SAME_MS:
            if self._next[1]:
                return self._next[0]
            self._next = next(self._frames, None)
        return None


class InterlacedVideo:
    """A video file as PyAV reads it: a picture a frame, interlaced or not.

    Args:
        path: The file.
        rotate_degrees: By how much its metadata says that frames are to be turned, clockwise.
        threads: How many threads decode; None for as many as FFmpeg thinks fit.

    Attributes:
        is_known: Whether PyAV could tell of any frames if they are interlaced.
        damaged_spots: Where frames could not be decoded and others come behind, up to now.
    """

    def __init__(self, path: Path, rotate_degrees: int, threads: int | None) -> None:
        self.is_known = False
        self.damaged_spots = 0
        self._path = path
        self._rotate_degrees = rotate_degrees
        self._threads = threads

    def kinds(self, from_ms: float) -> Iterator[tuple[float, bool]]:
        """Yield of each frame its time, as `from_ms` is, and whether it is interlaced.

        It ends where PyAV cannot read the file, and yields nothing for want of PyAV.

        Args:
            from_ms: Where to begin, in milliseconds since the beginning of the video's track.
        """
        if not has_pyav():
            return
        import av

        try:
            with self._opened(from_ms) as (file, stream):
                stream.codec_context.thread_count = 1  # by which few are soonest read
                for frame in file.decode(stream):
                    time_ms = _time_ms(frame, stream)
                    if time_ms > from_ms - _SAME_MS:
                        self.is_known = True
                        yield time_ms, bool(frame.interlaced_frame)
        except (OSError, IndexError, av.FFmpegError):
            return

    def pictures(self, from_ms: float) -> Iterator[TimedPicture]:
        """Yield pictures, (H, W, 3) uint8 BGR, each with its time.

        Args:
            from_ms: See `kinds`.

        Raises:
            SourceError: where the file cannot be read any further.
        """
        import av

        try:
            with self._opened(from_ms) as (file, stream):
                self._set_threads(stream)
                is_there = False  # Behind that place, the file's clock may begin anew.
                for frame in self._woven(self._decoded(file, stream)):
                    time_ms = _time_ms(frame, stream)
                    is_there = is_there or time_ms > from_ms - _SAME_MS
                    if is_there:
                        image_bgr = np.asarray(frame.to_ndarray(), dtype=np.uint8)
                        yield rotate(image_bgr, self._rotate_degrees), time_ms
        except av.FFmpegError as error:
            raise SourceError(
                f"{self._path} cannot be read any further: {error.strerror}. The frames before "
                "were used."
            ) from None

    @contextmanager
    def _opened(self, from_ms: float) -> Iterator[tuple[InputContainer, VideoStream]]:
        """Open the file a little before a time."""
        with open_to_read(self._path) as file:
            stream = file.streams.video[0]
            before_s = from_ms / 1000 - _SEEK_MARGIN_S
            if before_s > 0 and stream.time_base is not None:
                place = (stream.start_time or 0) + round(before_s / stream.time_base)
                file.seek(place, stream=stream)
            yield file, stream

    def _set_threads(self, stream: VideoStream) -> None:
        if self._threads is not None:
            stream.codec_context.thread_count = self._threads
        if self._threads != 1:
            stream.thread_type = "AUTO"

    def _woven(self, frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
        # FFmpeg ends the process where the frames of a filter change, as at damaged spots.
        for _, alike in itertools.groupby(frames, _kind_of):
            first = next(alike)
            graph = self._filter_for(first)
            for frame in itertools.chain([first], alike, [None]):  # None for the end
                graph.vpush(frame)
                yield from _pulled(graph)

    def _filter_for(self, frame: VideoFrame) -> Graph:
        import av

        graph = av.filter.Graph()
        graph.threads = self._threads or 0
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        )
        bwdif = graph.add("bwdif", **_WEAVE)
        # Converted here, by the threads of the graph: those of a frame's own conversion are more.
        bgr = graph.add("format", pix_fmts="bgr24")
        graph.link_nodes(source, bwdif, bgr, graph.add("buffersink")).configure()
        return graph

    def _decoded(self, file: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        import av

        is_damaged = False
        for packet in file.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                is_damaged = True
                continue
            if frames and is_damaged:
                self.damaged_spots += 1
                is_damaged = False
            yield from frames


def _time_ms(frame: VideoFrame, stream: VideoStream) -> float:
    """The time of a frame since the beginning of its track, in milliseconds."""
    if frame.time is None:
        return 0.0
    start, base = stream.start_time, stream.time_base
    return 1000 * (frame.time - (0.0 if start is None or base is None else float(start * base)))


def _kind_of(frame: VideoFrame) -> tuple[int | str, ...]:
    return (
        frame.width,
        frame.height,
        frame.format.name,
        int(frame.colorspace),
        int(frame.color_range),
    )


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.vpull()
        except (BlockingIOError, EOFError):  # It waits for more, or was told that there is none.
            return
        yield frame
