"""Cameras, streams and video files, read by OpenCV."""

from __future__ import annotations

import math
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.media.edit_list import shown_ms
from mien.media.image import opencv_name, quiet_opencv
from mien.media.source import Frame, OpenedSource, without_secrets
from mien.media.timeline import LONGEST_STEP_MS, FileTimeline, LiveTimeline

FALLBACK_FPS = 25.0
"""The rate of a video or camera that tells none, or an impossible one."""

_STANDARD_INPUT = "standard input"
_FILE_ON_INPUT = Path("/dev/fd/0")
_NO_VIDEO_IN_PIPE = (
    f"{_STANDARD_INPUT} holds no video that FFmpeg can read from a pipe: of MP4 and MOV files, "
    "only those whose index comes first (ffmpeg -movflags +faststart); Matroska and MPEG-TS always."
)
# Browsers record in whole milliseconds and state no rate, which FFmpeg takes for 1000 a second; of
# frames and a long pause it makes one in minutes.
_USUAL_FPS = (1.0, 120.0)
_MEASURED_FRAMES = 30
_TIMEOUT_MS = round(LONGEST_STEP_MS)
# OpenCV tells a packet that cannot be decoded and the end of a file alike. So many reads in vain
# are taken for the end of a file: the packets of some 20 s, and a tenth of a second to try. A
# connection would be waited for as often.
_FAILURES_AT_END = 500
_NO_TIMESTAMP = -(2.0**62)  # FFmpeg's AV_NOPTS_VALUE is -2^63
_MOTION_JPEG = cv2.VideoWriter.fourcc(*"MJPG")


class _CaptureSource(OpenedSource):
    """A camera, video file or stream, read by OpenCV.

    Args:
        capture: The opened source.
        name: What to call it.
        frame_count: As OpenCV has it; None where there is none.
        is_live: See `FrameSource`.
        path: That of a file.
        counts_frames: Whether the file holds the number of its frames, as against an estimate.
        states_times: Whether the source may state when its frames were.
        failures_at_end: How many reads in vain are taken for the end.
    """

    def __init__(
        self,
        capture: cv2.VideoCapture,
        name: str,
        *,
        frame_count: int | None,
        is_live: bool,
        path: Path | None = None,
        counts_frames: bool = False,
        states_times: bool = True,
        failures_at_end: int = 1,
    ) -> None:
        stated_fps = capture.get(cv2.CAP_PROP_FPS)
        self.name = name
        self.fps = _fps(stated_fps, path)
        if frame_count and stated_fps > 0 and not counts_frames:
            # OpenCV multiplied the length by the rate that is stated.
            frame_count = round(frame_count / stated_fps * self.fps)
        self.frame_count = frame_count
        self.is_live = is_live
        self._capture = capture
        self._path = path
        self._counts_frames = counts_frames
        self._states_times = states_times
        self._failures_at_end = failures_at_end

    def _frames(self) -> Iterator[Frame]:
        index = 0
        timestamp_ms = 0.0
        in_file, live = FileTimeline(self.fps), LiveTimeline()
        for image_bgr in self._images():
            stated_ms = self._stated_ms()
            if self.is_live:
                timestamp_ms = live.place(stated_ms, time.monotonic() * 1000)
            else:
                timestamp_ms = in_file.place(stated_ms or 0.0)
            yield Frame(index, timestamp_ms, image_bgr)
            index += 1
        self._check_end(index, timestamp_ms)

    def close(self) -> None:
        self._capture.release()

    def _images(self) -> Iterator[NDArray[np.uint8]]:
        failures = 0
        while failures < self._failures_at_end:
            read, image = self._capture.read()
            if not read:
                failures += 1
                continue
            if failures:
                self.damaged_spots += 1
                failures = 0
            yield np.asarray(image, dtype=np.uint8)

    def _stated_ms(self) -> float | None:
        """The time of the frame read last, None where the source states none."""
        if not self._states_times or self._capture.get(cv2.CAP_PROP_PTS) <= _NO_TIMESTAMP:
            return None
        position_ms = float(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        return position_ms if math.isfinite(position_ms) and position_ms > 0 else 0.0

    def _check_end(self, frames: int, last_ms: float) -> None:
        if self.is_live:
            raise SourceError(
                f"{self.name} stopped giving frames after {frames}: check its cable or connection."
            )
        if frames == 0 and self.name == _STANDARD_INPUT:
            raise SourceError(_NO_VIDEO_IN_PIPE)
        if frames == 0:
            raise SourceError(
                f"{self.name} holds no frame that can be read: the file is truncated or damaged."
            )
        expected = self.frame_count or 0
        if self._breaks_off(frames, expected, last_ms):
            raise SourceError(
                f"{self.name} breaks off after frame {frames} of {expected} "
                f"({last_ms / 1000:.1f} s): the file is truncated or damaged. The frames before "
                "were used; copy it again for the rest."
            )

    def _breaks_off(self, frames: int, expected: int, last_ms: float) -> bool:
        frame_ms = 1000 / self.fps
        whole_ms = expected * frame_ms
        if self._path is None:
            # Of a file that comes over a connection, the length alone is known.
            return _is_much_less(last_ms + frame_ms, whole_ms)
        if not self._counts_frames:
            return False
        if not _is_much_less(frames * frame_ms, whole_ms):
            return False
        # Frames are missing at the end, or at damaged spots, or are hidden by an edit list.
        return _is_much_less(last_ms + frame_ms, shown_ms(self._path) or whole_ms)


def open_camera(index: int) -> OpenedSource:
    """Open a camera.

    Raises:
        SourceError: if there is none of that index.
    """
    # OpenCV takes an index of 32 bits.
    capture = _capture(index, cv2.CAP_ANY) if index < 1 << 31 else None
    if capture is None or not capture.isOpened():
        raise SourceError(
            f"There is no camera {index}, or another program holds it: connect one, or name a "
            "video file, a folder of pictures or a stream's address."
        )
    # A driver's own clock may be absent, or jump.
    return _CaptureSource(
        capture, f"camera {index}", frame_count=None, is_live=True, states_times=False
    )


def open_url(url: str) -> OpenedSource:
    """Open a stream, or a file that another machine serves.

    Raises:
        SourceError: if the address does not answer with video. A password or an option in it is
            not shown.
    """
    timeouts = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MS),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MS),
    ]
    capture = _capture(url, cv2.CAP_FFMPEG, timeouts)
    name = without_secrets(url)
    if not capture.isOpened():
        raise SourceError(
            f"The stream {name} cannot be opened: expected an address that answers within "
            f"{_TIMEOUT_MS // 1000} s with video that FFmpeg can read."
        )
    count = _count(capture)
    is_live = count <= 0
    # FFmpeg takes a stream of Motion JPEG for 25 frames a second unless RTSP tells their times.
    is_bare_jpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) == _MOTION_JPEG
    return _CaptureSource(
        capture,
        name,
        frame_count=None if is_live else count,
        is_live=is_live,
        states_times=not (is_live and is_bare_jpeg) or url.lower().startswith("rtsp"),
    )


def open_standard_input() -> OpenedSource:
    """Open the video that comes through a pipe, or the file that standard input is.

    Raises:
        SourceError: if it holds no video that can be read so.
    """
    name = _STANDARD_INPUT
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        raise SourceError(f"There is no {name}: pipe a video into it.") from None
    if stat.S_ISREG(mode) and _FILE_ON_INPUT.exists():
        return open_file(_FILE_ON_INPUT, name)  # unlike a pipe, it can be read in any order
    if os.isatty(0):
        raise SourceError(f"Nothing comes on {name}: pipe a video into it, as in  cat x.mkv | …")
    capture = _capture("pipe:0", cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise SourceError(_NO_VIDEO_IN_PIPE)
    return _CaptureSource(
        capture, name, frame_count=None, is_live=False, failures_at_end=_FAILURES_AT_END
    )


def open_file(path: Path, name: str | None = None) -> OpenedSource:
    """Open a video file.

    Args:
        path: The file.
        name: What to call it; its own name if None.

    Raises:
        SourceError: if it holds no video.
    """
    counts_frames = _counts_frames(path)
    capture = _capture(opencv_name(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise SourceError(
            f"{path} holds no video that FFmpeg can read: expected a whole video file; this one "
            "is sound only, truncated, damaged or something else."
        )
    count = max(_count(capture), 0)
    return _CaptureSource(
        capture,
        name or path.name,
        frame_count=count,
        is_live=False,
        path=path,
        counts_frames=counts_frames,
        failures_at_end=_FAILURES_AT_END,
    )


def _capture(source: int | str, backend: int, options: list[int] | None = None) -> cv2.VideoCapture:
    with quiet_opencv():
        return cv2.VideoCapture(source, backend, options or [])


def _count(capture: cv2.VideoCapture) -> int:
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if math.isfinite(count) else 0


def _counts_frames(path: Path) -> bool:
    """Whether a file is MP4, MOV or AVI: those hold the number of their frames, shown or not."""
    # A file may have any name; one that is handed over as /dev/fd/0 has none.
    with path.open("rb") as file:
        head = file.read(12)
        # On macOS whoever opens /dev/fd/0 shares its place in the file with all others.
        file.seek(0)
    is_mp4 = head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
    return is_mp4 or (head.startswith(b"RIFF") and head[8:] == b"AVI ")


def _is_much_less(found_ms: float, expected_ms: float) -> bool:
    return found_ms < 0.9 * expected_ms and expected_ms - found_ms > 500


def _fps(stated: float, path: Path | None) -> float:
    if _USUAL_FPS[0] <= stated <= _USUAL_FPS[1]:
        return float(stated)
    return FALLBACK_FPS if path is None else _measured_fps(path)


def _measured_fps(path: Path) -> float:
    """The rate of a file's first frames, pauses left out."""
    capture = _capture(opencv_name(path), cv2.CAP_FFMPEG)
    times_ms: list[float] = []
    while len(times_ms) < _MEASURED_FRAMES and capture.grab():
        times_ms.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    capture.release()
    steps_ms = np.diff(times_ms)
    steps_ms = steps_ms[steps_ms > 0]
    if not steps_ms.size:
        return FALLBACK_FPS
    usual_ms = steps_ms[steps_ms <= 2 * np.median(steps_ms)].mean()
    # Encoders of MPEG-4 part 2 count in fractions whose parts stay below 65,536.
    return max(round(1000 / float(usual_ms), 2), 0.01)
