"""The loop behind `mien live`: show or write what the engine sees, and say it once a second."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.files import refuse_overwriting
from mien.core.types import FaceEmotion
from mien.engine.pipeline import EmotionStream, FrameFaces
from mien.engine.reconnect import make_lasting
from mien.engine.settings import EngineSettings, settings_of
from mien.live.display import Window, has_display
from mien.live.recording import Recording, dated_names
from mien.live.view import View
from mien.media.demo import open_frames_or_demo
from mien.media.frames import FrameSource, files_read, open_frames
from mien.media.picture_files import passed_over_line
from mien.media.sink import VideoSink, open_new_video
from mien.recognizer import Recognizer
from mien.record.write import RecordOutputs, RecordWriter

OUTPUT_FOLDER = Path("results/live")
"""Where videos go: the annotated one when there is no window, and what `r` records."""

_WINDOW_TITLE = "mien"
_POLL_S = 0.02
_LONGEST_NAME_BYTES = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOutputs(RecordOutputs):
    """What is kept of a live video, besides its record.

    Attributes:
        blur: Make the faces unrecognisable wherever they are shown.
    """

    blur: bool = False


def run_live(
    source: int | str | Path | None,
    recognizer: Recognizer,
    *,
    say: Callable[[str], None],
    window: bool = True,
    fast: bool = False,
    outputs: LiveOutputs | None = None,
    settings: EngineSettings | None = None,
    rotate_degrees: int = 0,
) -> None:
    """Recognise emotions in a source until it ends or the user quits.

    In a window, a single picture stays until the user quits.

    Says `Reading video stream ...`, then about once a second of the source's time a line a face,
    `HH:MM:SS : Happy , 92%`, or `HH:MM:SS : no face`. The time is the clock's for a camera or
    stream and the position for a file. A camera or stream that breaks off is opened again.

    Args:
        source: See `mien.media.frames.open_frames`. Where it is None and there is no camera 0, the
            bundled video takes its place, unless there is to be a record.
        recognizer: What recognises.
        say: Called with every line.
        window: Show a window. Without one, or without a display, the annotated video is written
            to `OUTPUT_FOLDER`, and never replaces an earlier one.
        fast: Show a file as fast as it goes, not at its own speed.
        outputs: What to keep; nothing if None.
        settings: How often, how calm, how sure.
        rotate_degrees: See `mien.media.frames.open_frames`.

    Raises:
        SourceError: if the source cannot be opened or breaks off for good.
        OutputError: if the record or the video cannot be written, or an output would overwrite the
            source or another output.
        MissingExtraError: if Parquet is asked for and pyarrow is missing.
    """
    outputs = outputs or LiveOutputs()
    settings = settings_of(settings)
    refuse_overwriting(files_read(source), [outputs.csv, outputs.jsonl, outputs.parquet])
    with ExitStack() as stack:
        if outputs.csv or outputs.jsonl or outputs.parquet:
            opened = open_frames(source, rotate_degrees=rotate_degrees)
        else:
            opened, _ = open_frames_or_demo(source, say, rotate_degrees=rotate_degrees)
        frames = stack.enter_context(
            make_lasting(opened, source, say, rotate_degrees=rotate_degrees)
        )
        if line := passed_over_line(frames.passed_over):
            say(line)
        stream = EmotionStream(frames, recognizer, settings)
        shown = window and has_display()
        video = None
        if not shown:
            video = stack.enter_context(
                open_new_video(OUTPUT_FOLDER, _names_for(frames), frames.fps)
            )
        # The last to be opened: what another record held is gone from here on.
        record = stack.enter_context(
            RecordWriter(
                recognizer.classifier.labels,
                outputs,
                smooth_ms=settings.smooth_ms,
                temporal=settings.temporal is not None,
            )
        )
        stack.enter_context(stream)
        narrator = _Narrator(say, is_live=frames.is_live)
        view = View(blur=outputs.blur)
        if window and not shown:
            say("No display: there will be no window.")
        say("Reading video stream ...")
        try:
            if video is None:
                _Show(stream, view, narrator, record, settings, outputs, say).run(fast=fast)
            else:
                _write(stream, view, narrator, record, video, say)
        except KeyboardInterrupt:
            say("Stopped.")


def _write(
    stream: EmotionStream,
    view: View,
    narrator: _Narrator,
    record: RecordWriter,
    video: VideoSink,
    say: Callable[[str], None],
) -> None:
    say(f"Writing {video.path} (Ctrl-C ends it) ...")
    for faces in stream:
        record.write(faces)
        narrator.tell(faces)
        view.annotate(faces.image_bgr, faces)
        view.draw_controls(faces.image_bgr, f"{narrator.fps:.0f} FPS")
        video.write_at(faces.image_bgr, faces.timestamp_ms)


def _names_for(frames: FrameSource) -> Iterator[str]:
    """What the annotated video of a source may be called, the best first."""
    name = file_name(frames.name)
    if not frames.is_live:
        yield f"{name}_annotated"
    for dated in dated_names(name):
        yield f"{dated}_annotated"


class _Show:
    """The window's loop."""

    def __init__(
        self,
        stream: EmotionStream,
        view: View,
        narrator: _Narrator,
        record: RecordWriter,
        settings: EngineSettings,
        outputs: LiveOutputs,
        say: Callable[[str], None],
    ) -> None:
        self._stream = stream
        self._view = view
        self._narrator = narrator
        self._record = record
        self._recording = Recording(
            OUTPUT_FOLDER,
            file_name(stream.source.name),
            stream.source.fps,
            labels=stream.recognizer.classifier.labels,
            smooth_ms=settings.smooth_ms,
            temporal=settings.temporal is not None,
            raw=outputs.raw,
            say=say,
        )
        self._faces: FrameFaces | None = None
        self._started_s: float | None = None  # when the video's time 0 was, if it plays on time

    def run(self, *, fast: bool) -> None:
        """Show frame after frame until the source ends or the user quits."""
        on_time = not (fast or self._stream.source.is_live)
        with Window(_WINDOW_TITLE) as window, self._recording:
            for faces in self._stream.polled(_POLL_S):
                if faces is not None:
                    if on_time and not self._wait_for(faces, window):
                        return
                    self._take(faces, window)
                if window.wait(0) or not self._obey(window):
                    return
            self._stay(window, on_time=on_time)

    def _wait_for(self, faces: FrameFaces, window: Window) -> bool:
        """Leave the frame before until this one's time has come; False if the user quits.

        The keys are about the frame that is to be seen, which may stay for long.
        """
        while (seconds := self._seconds_until(faces.timestamp_ms)) > 0:
            if window.wait(min(seconds, _POLL_S)) or not self._obey(window):
                return False
        return True

    def _stay(self, window: Window, *, on_time: bool) -> None:
        """Leave the last frame for as long as one lasts, a lone picture until the user quits."""
        source = self._stream.source
        if self._faces is None or source.is_live:
            return
        seconds = 1 / source.fps if on_time else 0.0
        if self._faces.frame.index == 0:
            seconds = math.inf
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            if window.wait(_POLL_S) or not self._obey(window):
                return

    def _take(self, faces: FrameFaces, window: Window) -> None:
        self._record.write(faces)
        self._narrator.tell(faces)
        self._faces = faces
        annotated_bgr = self._annotated(faces)
        if self._recording.is_on:
            self._recording.write(faces, annotated_bgr.copy())
        self._draw(faces, annotated_bgr, window)

    def _draw(self, faces: FrameFaces, annotated_bgr: NDArray[np.uint8], window: Window) -> None:
        """Show an annotated frame, which is drawn into, with the state of the loop and the keys."""
        status = f"{self._narrator.fps:.0f} FPS"
        if self._stream.source.is_live:
            status += f", {faces.latency_ms:.0f} ms"
        self._view.draw_controls(annotated_bgr, status)
        window.show(annotated_bgr)

    def _obey(self, window: Window) -> bool:
        """React to the keys, for as long as it is paused; False if the user quits."""
        began_s = time.monotonic()
        while True:
            keys = window.take_keys()
            for key in keys:
                self._view.press(key, self._faces or ())
            if keys:
                self._record_as_wanted()
                if self._faces is not None:
                    self._draw(self._faces, self._annotated(self._faces), window)
            if not self._view.is_paused:
                break
            if window.wait(_POLL_S):
                return False
        if self._started_s is not None:
            self._started_s += time.monotonic() - began_s
        return True

    def _annotated(self, faces: FrameFaces) -> NDArray[np.uint8]:
        image_bgr = faces.image_bgr.copy()
        self._view.annotate(image_bgr, faces)
        return image_bgr

    def _record_as_wanted(self) -> None:
        """Begin or end a recording; its first frame, perhaps its only one, is the one seen now."""
        is_wanted = self._view.is_recording
        begins = is_wanted and not self._recording.is_on
        self._recording.follow(is_wanted=is_wanted)
        if begins and self._faces is not None:
            self._recording.write(self._faces, self._annotated(self._faces))

    def _seconds_until(self, timestamp_ms: float) -> float:
        now_s = time.monotonic()
        if self._started_s is None:
            self._started_s = now_s - timestamp_ms / 1000
        return self._started_s + timestamp_ms / 1000 - now_s


class _Narrator:
    """Says once a second what is seen, and knows how fast it goes.

    Args:
        say: Called with the lines.
        is_live: Tell the clock's time, not the position in the file.
    """

    def __init__(self, say: Callable[[str], None], *, is_live: bool) -> None:
        self._say = say
        self._is_live = is_live
        self._next_line_ms = 0.0
        self._done_at: deque[float] = deque(maxlen=30)

    @property
    def fps(self) -> float:
        """Frames a second, over the last thirty."""
        if len(self._done_at) < 2:
            return 0.0
        return (len(self._done_at) - 1) / max(self._done_at[-1] - self._done_at[0], 1e-9)

    def tell(self, faces: FrameFaces) -> None:
        """Take notice of a frame; say its lines if a second is over."""
        self._done_at.append(time.monotonic())
        if faces.timestamp_ms >= self._next_line_ms:
            self._next_line_ms = (faces.timestamp_ms // 1000 + 1) * 1000
            self._say("\n".join(lines_of(faces, self._clock(faces.timestamp_ms))))

    def _clock(self, timestamp_ms: float) -> str:
        if self._is_live:
            return time.strftime("%H:%M:%S")
        return time.strftime("%H:%M:%S", time.gmtime(timestamp_ms / 1000))


def lines_of(faces: Iterable[FaceEmotion], clock: str) -> list[str]:
    """Return what is said of the faces of a frame, from left to right."""
    lines = [
        f"{clock} : {face.emotion[:1].upper()}{face.emotion[1:]} , {face.confidence:.0%}"
        f"{_reason(face)}"
        for face in sorted(faces, key=lambda face: face.box.x)
    ]
    return lines or [f"{clock} : no face"]


def _reason(face: FaceEmotion) -> str:
    if not face.uncertain:
        return ""
    return " (uncertain: " + ", ".join(map(str, face.missed_limits)) + ")"


def file_name(source_name: str) -> str:
    """Return a source's name as part of a file's; an address's host and path tell streams apart.

    It is cut, so that there is room for a date and an ending in the longest name that a file may
    have.
    """
    scheme, is_address, place = source_name.partition("://")
    name = place.strip("/") if is_address else Path(scheme).stem
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    return kept.encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore") or "live"
