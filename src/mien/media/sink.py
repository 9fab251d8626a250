"""Writing video files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import OutputError
from mien.core.files import take_place, temporary_output
from mien.core.signals import signals_held_back
from mien.media.image import fit_between_bars, opencv_name, quiet_opencv, with_even_sides

LONGEST_FILL_MS = 120_000.0
"""A frame lasts so long at most: longer than a camera that was lost may take to come back, with
the time that each attempt to open it may wait for an answer."""

_LONGEST_STEM = 50


def temporary_video(path: Path) -> Path:
    """Make the temporary file beside `path` that is to take its place.

    It is called `NAME.unfinished.….mp4`, so that whoever misses the video after a kill finds it.

    Raises:
        OutputError: if it cannot be written there.
    """
    # A file's name may be as long as a name can be: this one has to be no longer.
    return temporary_output(path, ".mp4", f"{path.stem[:_LONGEST_STEM]}.unfinished")


def open_new_video(folder: Path, names: Iterator[str], fps: float) -> VideoSink:
    """Open a video of the first name that is free, and keep the name for it.

    Its temporary file, `NAME.unfinished.mp4`, keeps it: of several processes that begin at once,
    one alone can make it.

    Args:
        folder: Where it goes; it is made where it is missing.
        names: What it may be called, without `.mp4`, without end.
        fps: See `VideoSink`.

    Raises:
        OutputError: if it cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror}.") from None
    while True:
        name = next(names)
        path, temporary = folder / f"{name}.mp4", folder / f"{name}.unfinished.mp4"
        try:
            temporary.touch(exist_ok=False)
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}.") from None
        # Not before, when another process might have been about to finish it.
        if not path.exists():
            return VideoSink(path, fps, temporary)
        temporary.unlink()


class VideoSink:
    """Writes frames to an MP4 file (MPEG-4 part 2, no sound).

    The file appears under its name when the sink is closed, and replaces one that was there;
    until then it is a temporary file beside it. That holds after an error of the frames' reader
    too: what was written until then is a whole video. Without a frame, or if the video cannot be
    finished, no file appears, and one that was there stays.

    Args:
        path: The file, which ends in `.mp4`; its folder is made where it is missing.
        fps: Frames a second, above 0.
        temporary: The temporary file, if it is there; it is made if None.

    Raises:
        OutputError: if the file cannot be written, or, at the end, not to the end.
    """

    def __init__(self, path: Path, fps: float, temporary: Path | None = None) -> None:
        self.path = path
        # Encoders of MPEG-4 part 2 count in fractions whose parts stay below 65,536.
        self._fps = max(round(fps, 2), 0.01)
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._written = 0
        self._cut = 0  # frames that gaps were cut down by
        self._before_bgr: NDArray[np.uint8] | None = None
        opencv_name(path)
        self._temporary = temporary or temporary_video(path)

    def write(self, image_bgr: NDArray[np.uint8]) -> None:
        """Append a frame.

        Args:
            image_bgr: (H, W, 3) uint8, BGR. The first one fixes the video's size (odd sides grow
                by a pixel); another size is scaled to fit, with black bars.
        """
        image_bgr = with_even_sides(image_bgr)
        if self._writer is None:
            self._size = (image_bgr.shape[1], image_bgr.shape[0])
            self._writer = self._open()
        self._writer.write(fit_between_bars(image_bgr, self._size))
        self._written += 1

    def write_at(self, image_bgr: NDArray[np.uint8], timestamp_ms: float) -> None:
        """Append a frame in the place nearest to its time.

        Frames that come unevenly so keep their time: the frame before lasts until then. A frame
        whose place is taken is left out, unless a gap follows, which it fills; of a gap
        longer than `LONGEST_FILL_MS`, so much.

        Args:
            image_bgr: See `write`; not to be changed afterwards.
            timestamp_ms: The frame's time since the first one, in milliseconds.
        """
        # Rounded: times in whole milliseconds, as Matroska's are, fall short of their own place.
        place = round(timestamp_ms * self._fps / 1000) - self._cut
        most = math.ceil(LONGEST_FILL_MS * self._fps / 1000)
        if place - self._written > most:
            self._cut += place - self._written - most
            place = self._written + most
        while self._written < place:
            self.write(image_bgr if self._before_bgr is None else self._before_bgr)
        if self._written == place:
            self.write(image_bgr)
        self._before_bgr = image_bgr

    def close(self) -> None:
        """Finish the file and give it its name; once more does nothing."""
        writer, self._writer = self._writer, None
        # Somebody who ended the reading may press Ctrl-C once more.
        with signals_held_back():
            try:
                if writer is not None:
                    writer.release()
                    self._check_whole()
                    take_place(self._temporary, self.path)
            except OSError as error:
                raise OutputError(f"{self.path} cannot be written: {error.strerror}.") from None
            finally:
                self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _check_whole(self) -> None:
        # OpenCV's writer does not tell that a write failed.
        with quiet_opencv():
            video = cv2.VideoCapture(opencv_name(self._temporary), cv2.CAP_FFMPEG)
            kept = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
            video.release()
        if kept < self._written:
            raise OutputError(
                f"{self.path} cannot be written: {kept:,} of {self._written:,} frames reached the "
                "disk. Is it full? Make room, or write elsewhere."
            )

    def _open(self) -> cv2.VideoWriter:
        fourcc = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(
            opencv_name(self._temporary), cv2.CAP_FFMPEG, fourcc, self._fps, self._size
        )
        if not writer.isOpened():
            raise OutputError(
                f"{self.path} cannot be written as a video of {self._size[0]} by {self._size[1]} "
                f"pixels at {self._fps:g} frames a second."
            )
        return writer
