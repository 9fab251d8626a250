"""The loop behind `mien live`: read, recognise, show or write, say what is seen."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.types import FaceEmotion
from mien.live.display import Window, has_display
from mien.live.newest import NewestFrame
from mien.media.demo import open_frames_or_demo
from mien.media.draw import draw_faces, draw_fps, label_of
from mien.media.frames import Frame, FrameSource
from mien.media.sink import VideoSink
from mien.recognizer import Recognizer

OUTPUT_FOLDER = Path("results/live")
"""Where the annotated video goes when there is no window."""

_WINDOW_TITLE = "mien"
_POLL_S = 0.02


def run_live(
    source: int | str | Path | None,
    recognizer: Recognizer,
    *,
    window: bool = True,
    fast: bool = False,
) -> None:
    """Recognise emotions in a source until it ends or the user quits.

    Prints `Reading video stream ...`, then about once a second of the source's time a line a face,
    `HH:MM:SS : Happy , 92%`, or `HH:MM:SS : no face`. The time is the clock's for a camera or
    stream and the position for a file.

    Args:
        source: See `mien.media.frames.open_frames`. Where there is no camera 0, the bundled video
            takes its place.
        recognizer: What recognises.
        window: Show a window. Without one, or without a display, the annotated video is written
            to `OUTPUT_FOLDER`.
        fast: Show a file as fast as it goes, not at its own speed.

    Raises:
        SourceError: if the source cannot be opened, breaks off, or the video cannot be written.
    """
    with ExitStack() as stack:
        frames = stack.enter_context(open_frames_or_demo(source, print)[0])
        loop = _Loop(recognizer, frames.is_live)
        shown = window and has_display()
        if window and not shown:
            print("No display: there will be no window.", flush=True)
        print("Reading video stream ...", flush=True)
        try:
            if shown:
                _show(frames, loop, stack.enter_context(Window(_WINDOW_TITLE)), fast=fast)
            else:
                _write(frames, loop)
        except KeyboardInterrupt:
            print("Stopped.", flush=True)


def _show(frames: FrameSource, loop: _Loop, window: Window, *, fast: bool) -> None:
    if frames.is_live:
        with NewestFrame(frames) as newest:
            while not window.wait(0):
                newest_frame = newest.take(_POLL_S)
                if newest_frame is not None:
                    window.show(loop.annotate(newest_frame))
        return
    started = time.monotonic()
    first_ms = None
    for frame in frames:
        if first_ms is None:
            first_ms = frame.timestamp_ms
        image_bgr = loop.annotate(frame)
        due = started + (frame.timestamp_ms - first_ms) / 1000
        if window.wait(0 if fast else due - time.monotonic()):
            return
        window.show(image_bgr)


def _write(frames: FrameSource, loop: _Loop) -> None:
    path = OUTPUT_FOLDER / f"{_file_name(frames.name)}_annotated.mp4"
    print(f"Writing {path} (Ctrl-C ends it) ...", flush=True)
    with VideoSink(path, frames.fps) as video:
        if frames.is_live:
            _write_live(frames, loop, video)
        else:
            for frame in frames:
                video.write(loop.annotate(frame))


def _write_live(frames: FrameSource, loop: _Loop, video: VideoSink) -> None:
    with NewestFrame(frames) as newest:
        while True:
            frame = newest.take(_POLL_S)
            if frame is not None:
                video.write_until(loop.annotate(frame), frame.timestamp_ms)


def _file_name(source_name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in Path(source_name).stem)
    return kept or "live"


class _Loop:
    """What happens to every frame: recognise, draw, and once a second say what is seen."""

    def __init__(self, recognizer: Recognizer, is_live: bool) -> None:
        self._recognizer = recognizer
        self._is_live = is_live
        self._next_line_ms = 0.0
        self._done_at: deque[float] = deque(maxlen=30)

    def annotate(self, frame: Frame) -> NDArray[np.uint8]:
        """Return the frame's picture with the overlay."""
        faces = self._recognizer.recognize(frame.image_bgr, frame.index, frame.timestamp_ms)
        if frame.timestamp_ms >= self._next_line_ms:
            self._next_line_ms = (frame.timestamp_ms // 1000 + 1) * 1000
            print("\n".join(lines_of(faces, self._clock(frame))), flush=True)
        draw_faces(frame.image_bgr, faces)
        draw_fps(frame.image_bgr, self._fps())
        return frame.image_bgr

    def _clock(self, frame: Frame) -> str:
        if self._is_live:
            return time.strftime("%H:%M:%S")
        return time.strftime("%H:%M:%S", time.gmtime(frame.timestamp_ms / 1000))

    def _fps(self) -> float:
        self._done_at.append(time.monotonic())
        passed = self._done_at[-1] - self._done_at[0]
        return (len(self._done_at) - 1) / passed if passed > 0 else 0.0


def lines_of(faces: Iterable[FaceEmotion], clock: str) -> list[str]:
    """Return what is printed of the faces of a frame, from left to right."""
    labels = [label_of(face) for face in sorted(faces, key=lambda face: face.box.x)]
    if not labels:
        return [f"{clock} : no face"]
    # "Happy 92%" as "Happy , 92%".
    return [f"{clock} : {' , '.join(label.rsplit(' ', 1))}" for label in labels]
