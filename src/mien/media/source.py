"""What gives frames, and what a frame is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.media.image import rotate

VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg"),
        *(".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    }
)
"""Names of videos."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        index: Its number in the source, from 0.
        timestamp_ms: Its time in milliseconds since the first picture, which sound may come before;
            never below the one before. That of a camera or stream follows the clock where the
            source states no time of its own. Frames of one's own have the time they came with.
        image_bgr: (H, W, 3) uint8, BGR; turned as the source's rotation metadata says, mirrored
            where that of an MP4 or MOV file says so, and with square pixels: those of DV, DVD or
            HDV are made wider or higher.
    """

    index: int
    timestamp_ms: float
    image_bgr: NDArray[np.uint8]


class FrameSource:
    """An opened source: iterate over it once, then close it (or use it in a `with`).

    Iterating raises SourceError where a camera or stream stops giving frames, a file breaks off, or
    pictures of a folder could not be read; all other frames have been handed out by then. It raises
    one at once where the source is closed, or is a video that has been read. An MP4, MOV or AVI
    file is taken to break off where it ends much earlier than the number of its frames, or of the
    ticks that an AVI file counts, says, a Matroska or WebM file where bytes are missing (one whose
    length is open, as browsers and live recordings leave it, cannot be checked), a file at an
    address where it ends much earlier than its length says. Of MPEG-TS and other files nothing
    tells.

    Attributes:
        name: What to call it in a message or a file name, such as `camera 0` or `clip.mp4`.
        fps: Frames a second, above 0: as the source states it; measured where a file states none
            or an impossible one; `mien.media.capture.FALLBACK_FPS` where that fails too.
        frame_count: How many frames there are; exact for MP4, MOV and pictures (but those that
            a trimmed file hides count as well) and for AVI files whose frames come evenly, an
            estimate for other files, None for a camera, a stream, standard input or frames of
            one's own.
        is_live: True for a camera or stream: frames come when they come, and late ones are stale.
        first_ms: How long the video's track had gone on when the first picture came, in
            milliseconds, as in a recording that was cut; 0 until it came.
        passed_over: The files of a folder that are no pictures by their name; hidden ones excepted.
        rotate_degrees: By how much every frame is turned clockwise.
    """

    name: str
    fps: float
    frame_count: int | None
    is_live: bool
    first_ms = 0.0
    passed_over: Sequence[Path] = ()
    rotate_degrees = 0
    _is_closed = False

    @property
    def damaged_spots(self) -> int:
        """Where a video file could not be decoded and the frames go on behind, up to now.

        Frames may be missing there; the times of the others are right.
        """
        return 0

    @property
    def frames_alike(self) -> int:
        """How many frames of a video there were until now, if all are one picture; else 0."""
        return 0

    def __iter__(self) -> Iterator[Frame]:
        if self._is_closed:
            raise SourceError(f"{self.name} is closed: open it again to read it.")
        for frame in self._frames():
            image_bgr = rotate(frame.image_bgr, self.rotate_degrees)
            yield Frame(frame.index, frame.timestamp_ms, image_bgr)

    def _frames(self) -> Iterator[Frame]:
        """The frames before they are turned; what a kind of source has of its own."""
        raise NotImplementedError

    def close(self) -> None:
        """Release the camera, file or connection; once more does nothing."""
        self._is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def without_secrets(address: str) -> str:
    """Return an address without user, password and options, to be shown."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        # Of a password with a slash in it, the part before that stands where a port would.
        scheme, _, rest = address.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2] if '@' in rest else '…'}"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
