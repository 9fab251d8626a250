"""The process that recognises one video: `python -m mien.serve.video_job ORDERS < VIDEO`.

`ORDERS` is a JSON object (see `mien.serve.jobs`). It reads the video from standard input, which
must be a file, and writes JSON lines: `{"frames_done", "frames_total", "csv", "warning"}`,
where the `csv` of all lines together is the table and the last `warning` says what is missing of
it, or `{"problem", "detail"}`. When nobody reads them, it ends.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2

from mien.core.errors import MienError, SourceError
from mien.engine.smoothing import SMOOTH_MS
from mien.engine.stages import VideoAnalyser
from mien.media.frames import Frame, damage_of, open_frames
from mien.recognizer import Recognizer
from mien.record.table import columns_of, csv_line, row_of
from mien.serve.problems import Problem

_VIDEO = Path("/dev/fd/0")
_NAME = "The video"
_REPORT_S = 0.5


def main() -> None:
    """Recognise the video on standard input."""
    orders = json.loads(sys.argv[1])
    os.nice(5)  # Live streams go first.
    cv2.setNumThreads(1)
    _limit_memory(orders["memory_mb"])
    try:
        _work(orders)
    except Problem as problem:
        _write({"problem": problem.name, "detail": problem.detail})
    except (MienError, MemoryError) as error:
        detail = str(error).replace(str(_VIDEO), _NAME) or "It needs too much memory."
        _write({"problem": "unreadable", "detail": detail})
    except BrokenPipeError:
        # Nobody waits for the result; keep Python from flushing into the pipe once more.
        os._exit(1)


def _work(orders: dict[str, Any]) -> None:
    artifact = orders["artifact"]
    recognizer = Recognizer(artifact, detector=orders["detector"], threads=1)
    lines = [",".join(columns_of(raw=False)) + "\n"]
    done, total, warning = 0, None, None
    reported_s = 0.0
    analyser = VideoAnalyser(recognizer)
    with open_frames(_VIDEO) as frames:
        frames.name = _NAME
        total = frames.frame_count or None
        # Of a WebM or Matroska file only the length is known, and the number of frames a guess.
        if total is not None and total / frames.fps > orders["most_seconds"]:
            _check_length(orders, total, total / frames.fps)
        try:
            for frame in _checked(frames, orders):
                for face in analyser.analyse(frame):
                    lines.append(csv_line(row_of(face, smooth_ms=SMOOTH_MS, raw=False)))
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


def _checked(frames: Iterable[Frame], orders: dict[str, Any]) -> Iterator[Frame]:
    for frame in frames:
        height, width = frame.image_bgr.shape[:2]
        if width * height > orders["most_pixels"]:
            raise Problem(
                "too-many-pixels",
                f"The video has {width} by {height} pixels; at most {orders['most_pixels']:,} "
                "pixels are taken. Make it smaller.",
            )
        _check_length(orders, frame.index + 1, frame.timestamp_ms / 1000)
        yield frame


def _check_length(orders: dict[str, Any], frames: int, seconds: float) -> None:
    if frames > orders["most_frames"] or seconds > orders["most_seconds"]:
        raise Problem(
            "too-long",
            f"The video has {frames:,} frames and {seconds:.0f} s or more; at most "
            f"{orders['most_frames']:,} frames and {orders['most_seconds']:g} s are taken.",
        )


def _report(done: int, total: int | None, lines: list[str], warning: str | None = None) -> None:
    _write({"frames_done": done, "frames_total": total, "csv": "".join(lines), "warning": warning})
    lines.clear()


def _write(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _limit_memory(megabytes: int) -> None:
    if megabytes:
        limit = megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
