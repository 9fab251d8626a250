"""The process that recognises one video: `python -m mien.serve.jobs.video_process SETTINGS`.

`SETTINGS` are the server's `Settings` in JSON, without the token. It reads the video from standard
input, which must be a file, and writes JSON lines: `{"frames_done", "frames_total", "csv",
"warning"}`, where the `csv` of all lines together is the table and the last `warning` says what is
missing of it, or `{"problem", "detail"}`. When nobody reads them, it ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2

from mien.core.errors import MienError, SourceError
from mien.engine.stages import VideoAnalyser
from mien.media.frames import Frame, damage_of, open_frames
from mien.record.table import columns_of, csv_line, row_of
from mien.serve.child import limit_resources
from mien.serve.settings import Limits, Settings

_VIDEO = Path("/dev/fd/0")
_NAME = "The video"
# By its first bytes, FFmpeg may take a file for something else than `check_container` did: a play
# list, or what tells where a stream is. What it opens here, PyAV may open as well.
_FORMATS = "format_whitelist;mov,matroska,avi"
_REPORT_S = 0.5


class _RefusedError(Exception):
    """A video that is not taken: a name of `mien.serve.http.problems.PROBLEMS`, and the detail."""


def main() -> None:
    """Recognise the video on standard input."""
    settings = Settings.model_validate_json(sys.argv[1])
    cv2.setNumThreads(1)
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _FORMATS
    limit_resources(settings.limits.video_memory_mb)
    try:
        _work(settings)
    except _RefusedError as refusal:
        problem, detail = refusal.args
        _write({"problem": problem, "detail": detail})
    except (MienError, MemoryError) as error:
        detail = str(error).replace(str(_VIDEO), _NAME) or "It needs too much memory."
        _write({"problem": "unreadable", "detail": detail})
    except BrokenPipeError:
        # Nobody waits for the result; keep Python from flushing into the pipe once more.
        os._exit(1)


def _work(settings: Settings) -> None:
    engine, limits = settings.engine, settings.limits
    recognizer = settings.open_recognizer()
    temporal = engine.temporal is not None
    lines = [csv_line(columns_of(recognizer.classifier.labels, raw=False, temporal=temporal))]
    done, warning = 0, None
    reported_s = 0.0
    analyser = VideoAnalyser(recognizer, engine)
    # Each thread of a decoder has frames of its own, and many would need gigabytes for a 4K video.
    with open_frames(_VIDEO, decoder_threads=1) as frames:
        frames.name = _NAME
        total = frames.frame_count or None
        # Of a WebM or Matroska file only the length is known, and the number of frames a guess.
        if total is not None and total / frames.fps > limits.video_seconds:
            _check_length(limits, total, total / frames.fps)
        try:
            for frame in _checked(frames, limits):
                for face in analyser.analyse(frame):
                    row = row_of(face, smooth_ms=engine.smooth_ms, raw=False)
                    lines.append(csv_line(row.values()))
                done = frame.index + 1
                if time.monotonic() - reported_s > _REPORT_S:
                    reported_s = time.monotonic()
                    _report(done, total, lines)
            warning = damage_of(frames)
        except SourceError as error:
            if not done:
                raise
            warning = str(error)
    _report(done, total, lines, warning)


def _checked(frames: Iterable[Frame], limits: Limits) -> Iterator[Frame]:
    for frame in frames:
        height, width = frame.image_bgr.shape[:2]
        if width * height > limits.video_pixels:
            raise _RefusedError(
                "too-many-pixels",
                f"The video has {width} by {height} pixels; at most {limits.video_pixels:,} "
                "pixels are taken. Make it smaller.",
            )
        _check_length(limits, frame.index + 1, frame.timestamp_ms / 1000)
        yield frame


def _check_length(limits: Limits, frames: int, seconds: float) -> None:
    if frames > limits.video_frames or seconds > limits.video_seconds:
        raise _RefusedError(
            "too-long",
            f"The video has {frames:,} frames and {seconds:.0f} s or more; at most "
            f"{limits.video_frames:,} frames and {limits.video_seconds:g} s are taken.",
        )


def _report(done: int, total: int | None, lines: list[str], warning: str | None = None) -> None:
    _write({"frames_done": done, "frames_total": total, "csv": "".join(lines), "warning": warning})
    lines.clear()


def _write(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
