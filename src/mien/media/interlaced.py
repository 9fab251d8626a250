"""Interlaced video files (DV, DVD, television), read by PyAV (`mien[video]`).

OpenCV 4.14 does not turn their frames into pictures: it gives what its memory held for each of
them, without an error.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.media.image import rotate

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.filter.graph import Graph
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_LOOKED_AT = 3  # the first frame of a recording that was cut may be progressive
_WEAVE = {"mode": "send_frame", "deint": "interlaced"}
"""bwdif makes one picture of the two fields of each frame; progressive ones it leaves alone."""


def is_interlaced(path: Path) -> bool | None:
    """Return whether one of a video file's first frames is interlaced; None if nobody can tell.

    None is for a file that PyAV cannot read, and for want of PyAV.
    """
    try:
        import av
    except ImportError:
        return None
    try:
        # Absolute: FFmpeg takes 12:30:00.mp4 for an address.
        with av.open(path.absolute()) as file:
            file.streams.video[0].codec_context.thread_count = 1  # by which few are soonest read
            first = itertools.islice(file.decode(video=0), _LOOKED_AT)
            return any(frame.interlaced_frame for frame in first)
    except (OSError, IndexError, av.FFmpegError):
        return None


class InterlacedVideo:
    """The pictures of an interlaced video file, one a frame; iterate over it once.

    Args:
        path: The file, of which `is_interlaced` is true.
        rotate_degrees: By how much its metadata says that frames are to be turned, clockwise.
        threads: How many threads decode; None for as many as FFmpeg thinks fit.

    Attributes:
        damaged_spots: Where frames could not be decoded and others come behind, up to now.

    Raises:
        SourceError: while it is iterated over, where the file cannot be read any further.
    """

    def __init__(self, path: Path, rotate_degrees: int, threads: int | None) -> None:
        self.damaged_spots = 0
        self._path = path
        self._rotate_degrees = rotate_degrees
        self._threads = threads

    def __iter__(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """Yield pictures, (H, W, 3) uint8 BGR, and their times since the first in milliseconds."""
        import av

        first_s: float | None = None
        try:
            with av.open(self._path.absolute()) as file:
                for frame in self._woven(file, self._stream_of(file)):
                    time_s = frame.time or 0.0
                    first_s = time_s if first_s is None else first_s
                    image_bgr = np.asarray(frame.to_ndarray(), dtype=np.uint8)
                    yield rotate(image_bgr, self._rotate_degrees), (time_s - first_s) * 1000
        except av.FFmpegError as error:
            raise SourceError(
                f"{self._path} cannot be read any further: {error.strerror}. The frames before "
                "were used."
            ) from None

    def _stream_of(self, file: InputContainer) -> VideoStream:
        stream = file.streams.video[0]
        if self._threads is not None:
            stream.codec_context.thread_count = self._threads
        if self._threads != 1:
            stream.thread_type = "AUTO"
        return stream

    def _woven(self, file: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        frames = self._decoded(file, stream)
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
