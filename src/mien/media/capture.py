"""Cameras, streams and video files, read by OpenCV."""

from __future__ import annotations

import contextlib
import math
import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.media.container import container_of
from mien.media.edit_list import holds_sample_count, is_mirrored
from mien.media.ending import Seen, why_address_is_short, why_file_is_short
from mien.media.image import opencv_name, quiet_opencv
from mien.media.interlaced import InterlacedVideo, TimedPicture, with_interlaced
from mien.media.source import Frame, FrameSource, without_secrets
from mien.media.timeline import LONGEST_STEP_MS, FileTimeline, LiveTimeline
from mien.media.web_file import is_web_file

FALLBACK_FPS = 25.0
"""The rate of a video or camera that tells none, or an impossible one."""

_STANDARD_INPUT = "standard input"
_FILE_ON_INPUT = Path("/dev/fd/0")
_NO_VIDEO_IN_PIPE = (
    f"{_STANDARD_INPUT} holds no video that FFmpeg can read from a pipe: of MP4 and MOV files, "
    "only those whose index comes first (ffmpeg -movflags +faststart); Matroska and MPEG-TS always."
)
# Browsers record in whole milliseconds and state no rate, which FFmpeg takes for 1000 a second; of
# frames and a long pause it makes one in minutes. An AVI file of frames at uneven times states the
# rate of its clock, such as 600, and counts an empty frame for each tick without one.
_USUAL_FPS = (1.0, 120.0)
_MEASURED_FRAMES = 30
_TIMEOUT_MS = round(LONGEST_STEP_MS)
# However long nothing comes through a pipe, it is no error.
_NO_TIMEOUTS = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 0, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 0)
_SIGNALS_S = 0.2
_END_TIMEOUT_S = 2.0
# OpenCV tells a packet that cannot be decoded and the end of a file alike. So many reads in vain
# are taken for the end of a file: the packets of some 20 s, and a tenth of a second to try. A
# connection would be waited for as often.
_FAILURES_AT_END = 500
_NO_TIMESTAMP = -(2.0**62)  # FFmpeg's AV_NOPTS_VALUE is -2^63
_MOTION_JPEG = cv2.VideoWriter.fourcc(*"MJPG")
# A pixel's width over its height. What is stated beyond these is an error; what is within a
# hundredth of a square is one to the eye.
_PIXEL_SHAPES = (0.1, 10.0)
_SQUARE = (0.99, 1.01)


class _CaptureSource(FrameSource):
    """A camera, video file or stream, read by OpenCV.

    Args:
        capture: The opened source.
        name: What to call it.
        frame_count: As OpenCV has it; None where there is none.
        is_live: See `FrameSource`.
        path: That of a file.
        address: That of a file that another machine serves.
        decoder_threads: See `mien.media.frames.open_frames`.
        pixel_shape: See `_pixel_shape`.
        is_mirrored: Whether a file's frames are to be mirrored; OpenCV does no more than turn them.
        counts_frames: Whether the file holds the number of its frames. That of other files is as
            many as the stated rate would make.
        states_length: Whether the file says how long its video is, whatever the rate.
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
        address: str | None = None,
        decoder_threads: int | None = None,
        pixel_shape: float = 1.0,
        is_mirrored: bool = False,
        counts_frames: bool = False,
        states_length: bool = False,
        states_times: bool = True,
        failures_at_end: int = 1,
    ) -> None:
        stated_fps = capture.get(cv2.CAP_PROP_FPS)
        self.name = name
        self.fps = _fps(stated_fps, path, decoder_threads)
        if frame_count and stated_fps > 0 and not counts_frames:
            # OpenCV multiplied the length by the rate that is stated; AVI counts its ticks.
            frame_count = round(frame_count / stated_fps * self.fps)
        self.frame_count = frame_count
        self.is_live = is_live
        self._capture = capture
        self._in_use = threading.Lock()  # OpenCV crashes where one thread closes what another reads
        self._is_begun = False
        self._path = path
        self._decoder_threads = decoder_threads
        self._address = address
        self._pixel_shape = pixel_shape
        self._turned_degrees = (
            0 if path is None else int(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        )
        self._is_mirrored = is_mirrored
        self._states_length = states_length
        self._states_times = states_times
        self._failures_at_end = failures_at_end
        self._first_bgr: NDArray[np.uint8] | None = None
        self._frames_differ = False
        self._damaged_spots = self._frames_alike = 0

    @property
    def damaged_spots(self) -> int:
        return self._damaged_spots

    @property
    def frames_alike(self) -> int:
        return self._frames_alike

    def _frames(self) -> Iterator[Frame]:
        self._begin()
        index = 0
        timestamp_ms = 0.0
        for image_bgr, timestamp_ms in self._timed():
            yield Frame(index, timestamp_ms, _with_square_pixels(image_bgr, self._pixel_shape))
            index += 1
        if not self._is_closed:
            self._check_end(index, timestamp_ms)

    def _timed(self) -> Iterator[tuple[NDArray[np.uint8], float]]:
        """The pictures, each with its time from 0 at the first one, in milliseconds."""
        if self.is_live:
            live = LiveTimeline()
            for image_bgr, stated_ms in self._pictures():
                yield image_bgr, live.place(stated_ms, time.monotonic() * 1000)
            return
        in_file = FileTimeline(self.fps)
        for timed in in_file.place(self._pictures()):
            self.first_ms = in_file.first_ms
            yield timed

    def close(self) -> None:
        super().close()
        # Whoever is reading, perhaps from a stream that stalls, releases it when the read is over.
        if self._in_use.acquire(blocking=False):
            try:
                self._capture.release()
            finally:
                self._in_use.release()

    def _begin(self) -> None:
        # A camera or stream goes on; what else is read begins where it was left.
        if self._is_begun and not self.is_live:
            raise SourceError(
                f"{self.name} has been read already, at least in part: a source can be iterated "
                "over once. Open it again, or keep its frames with list(frames)."
            )
        self._is_begun = True

    def _pictures(self) -> Iterator[TimedPicture]:
        if self._path is None:
            yield from self._read()
            return
        video = InterlacedVideo(self._path, self._turned_degrees, self._decoder_threads)
        spots = 0
        for picture in with_interlaced(self._read(), video):
            if self._is_closed:
                return
            if video.is_known:
                self._stop_comparing()
            self._damaged_spots += video.damaged_spots - spots
            spots = video.damaged_spots
            yield self._mirrored(picture) if self._is_mirrored else picture

    def _mirrored(self, picture: TimedPicture) -> TimedPicture:
        """Mirror a picture that was turned already.

        The file's matrix mirrors it upside down, then turns it by FFmpeg's angle, to which its rows
        point. Once it is turned on its side, that mirror swaps left and right.
        """
        lies = self._turned_degrees % 180 == 90
        return np.asarray(cv2.flip(picture[0], 1 if lies else 0), np.uint8), picture[1]

    def _read(self) -> Iterator[TimedPicture]:
        failures = 0
        while failures < self._failures_at_end:
            with self._in_use:
                read, image = self._capture.read()
                stated_ms = self._stated_ms() if read else None
            if self._is_closed:
                self.close()
                return
            if not read:
                failures += 1
                continue
            if failures:
                self._damaged_spots += 1
                failures = 0
            image_bgr = np.asarray(image, dtype=np.uint8)
            self._compare(image_bgr)
            yield image_bgr, stated_ms

    def _compare(self, image_bgr: NDArray[np.uint8]) -> None:
        """Count the frames for as long as all are one and the same picture."""
        if self._frames_differ:
            return
        if self._first_bgr is None:
            self._first_bgr = image_bgr.copy()  # Frames may be drawn into.
        self._frames_differ = not np.array_equal(image_bgr, self._first_bgr)
        self._frames_alike += 1
        if self._frames_differ:
            self._stop_comparing()

    def _stop_comparing(self) -> None:
        self._frames_differ, self._frames_alike, self._first_bgr = True, 0, None

    def _stated_ms(self) -> float | None:
        """The time of the frame read last, None where the source states none."""
        if not self._states_times or self._capture.get(cv2.CAP_PROP_PTS) <= _NO_TIMESTAMP:
            return None
        position_ms = float(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        return position_ms if math.isfinite(position_ms) and position_ms > 0 else 0.0

    def _check_end(self, frames: int, last_ms: float) -> None:
        if self.is_live:
            # A single JPEG comes as a stream of them does.
            is_picture = frames == 1 and self._address is not None
            if is_picture and is_web_file(str(self._address), _END_TIMEOUT_S):
                return
            raise SourceError(
                f"{self.name} stopped giving frames after {frames}: check its cable or connection."
            )
        if frames == 0 and self.name == _STANDARD_INPUT:
            raise SourceError(_NO_VIDEO_IN_PIPE)
        if frames == 0:
            raise SourceError(f"{self.name} {self._why_empty()}")
        seen = Seen(frames, self.first_ms + last_ms, self.fps, self.frame_count or 0)
        short = None
        if self._path is not None:
            short = why_file_is_short(seen, self._path, states_length=self._states_length)
        elif self._address is not None:
            short = why_address_is_short(seen, self._address, _TIMEOUT_MS / 1000)
        if short is not None:
            raise SourceError(f"{self.name} {short}")

    def _why_empty(self) -> str:
        if self._address is None:
            return "holds no frame that can be read: the file is truncated or damaged."
        return (
            "gives no frame that can be read: it is truncated or damaged, or its index comes last "
            "and its server does not send parts of files. Download it and use the file."
        )


def open_camera(index: int) -> FrameSource:
    """Open a camera.

    Raises:
        SourceError: if there is none of that index.
    """
    # OpenCV takes an index of 32 bits.
    capture = _capture(index, cv2.CAP_ANY) if index < 1 << 31 else None
    if capture is None or not capture.isOpened():
        raise SourceError(
            f"There is no camera {index}, another program holds it, or this one is not allowed to "
            "use it (macOS: System Settings, Privacy & Security, Camera; Windows: Settings, "
            "Privacy, Camera): connect one, or name a video file, a folder of pictures or a "
            "stream's address."
        )
    # A driver's own clock may be absent, or jump.
    return _CaptureSource(
        capture, f"camera {index}", frame_count=None, is_live=True, states_times=False
    )


def open_url(url: str, decoder_threads: int | None = None) -> FrameSource:
    """Open a stream, or a file that another machine serves.

    Args:
        url: Its address.
        decoder_threads: See `mien.media.frames.open_frames`.

    Raises:
        SourceError: if the address does not answer with video. A password or an option in it is
            not shown.
    """
    timeouts = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MS),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MS),
    ]
    name = without_secrets(url)
    try:
        url.encode()
    except UnicodeEncodeError:  # OpenCV would end the process.
        raise SourceError(
            f"The address {name!r} is not UTF-8: write other bytes in it as in %E9."
        ) from None
    capture = _decoded(url, decoder_threads, timeouts)
    if not capture.isOpened():
        raise SourceError(
            f"The stream {name} cannot be opened: it wants a password (401), is not there (404), "
            f"refuses, is silent for {_TIMEOUT_MS // 1000} s, or is no video that FFmpeg can read."
        )
    count = _count(capture)
    # FFmpeg takes a stream of Motion JPEG for 25 frames a second unless RTSP tells their times.
    is_bare_jpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) == _MOTION_JPEG
    # A browser states no length in what it records. Cameras that send JPEG are not asked: some
    # serve one client at a time.
    is_live = count <= 0 and (is_bare_jpeg or not is_web_file(url, _TIMEOUT_MS / 1000))
    return _CaptureSource(
        capture,
        name,
        frame_count=max(count, 0) or None,
        is_live=is_live,
        address=url,
        pixel_shape=_pixel_shape(capture),
        states_times=not (is_live and is_bare_jpeg) or url.lower().startswith("rtsp"),
    )


def file_on_input() -> Path | None:
    """Return the file that standard input is; None for a pipe or a terminal."""
    try:
        is_file = stat.S_ISREG(os.fstat(0).st_mode)
    except OSError:
        return None
    return _FILE_ON_INPUT if is_file and _FILE_ON_INPUT.exists() else None


def open_standard_input(decoder_threads: int | None = None) -> FrameSource:
    """Open the video that comes through a pipe, or the file that standard input is.

    Args:
        decoder_threads: See `mien.media.frames.open_frames`.

    Raises:
        SourceError: if it holds no video that can be read so.
    """
    name = _STANDARD_INPUT
    try:
        os.fstat(0)
    except OSError:
        raise SourceError(f"There is no {name}: pipe a video into it.") from None
    if path := file_on_input():
        # Unlike a pipe, it can be read in any order.
        return open_file(path, name, decoder_threads)
    if os.isatty(0):
        raise SourceError(f"Nothing comes on {name}: pipe a video into it, as in  cat x.mkv | …")
    capture = _decoded_pipe(decoder_threads)
    if not capture.isOpened():
        raise SourceError(_NO_VIDEO_IN_PIPE)
    return _CaptureSource(
        capture,
        name,
        frame_count=None,
        is_live=False,
        pixel_shape=_pixel_shape(capture),
        failures_at_end=_FAILURES_AT_END,
    )


def open_file(
    path: Path, name: str | None = None, decoder_threads: int | None = None
) -> FrameSource:
    """Open a video file.

    Args:
        path: The file.
        name: What to call it; its own name if None.
        decoder_threads: See `mien.media.frames.open_frames`.

    Raises:
        SourceError: if it holds no video.
    """
    container = container_of(_head(path))
    counts_frames = container == "mp4" and holds_sample_count(path)
    capture = _decoded(opencv_name(path), decoder_threads)
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
        decoder_threads=decoder_threads,
        pixel_shape=_pixel_shape(capture),
        is_mirrored=container == "mp4" and is_mirrored(path),
        counts_frames=counts_frames,
        states_length=counts_frames or container == "avi",
        failures_at_end=_FAILURES_AT_END,
    )


def _decoded(source: str, threads: int | None, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open what FFmpeg is to decode, by so many threads; None for as many as OpenCV thinks fit."""
    if threads is not None:
        options = [*options, cv2.CAP_PROP_N_THREADS, threads]
    return _capture(source, cv2.CAP_FFMPEG, options)


def _decoded_pipe(threads: int | None) -> cv2.VideoCapture:
    """Open what comes through a pipe, once it comes; Ctrl-C and SIGTERM are heeded until then.

    Python heeds no signal while OpenCV reads, which only another thread may wait for.
    """
    opened: Future[cv2.VideoCapture] = Future()

    def open_pipe() -> None:
        try:
            opened.set_result(_decoded("pipe:0", threads, _NO_TIMEOUTS))
        except BaseException as error:  # Whatever it is, it is the caller's to see.
            opened.set_exception(error)

    # At the end of the process nobody waits for a daemon.
    threading.Thread(target=open_pipe, name="mien-pipe", daemon=True).start()
    while True:
        # Windows heeds no signal in a wait without an end.
        with contextlib.suppress(TimeoutError):
            return opened.result(_SIGNALS_S)


def _capture(source: int | str, backend: int, options: Sequence[int] = ()) -> cv2.VideoCapture:
    with quiet_opencv():
        return cv2.VideoCapture(source, backend, options)


def _pixel_shape(capture: cv2.VideoCapture) -> float:
    """A pixel's width over its height, in the frames as OpenCV gives them; 1 where none is told."""
    width, height = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    if width <= 0 or height <= 0:
        return 1.0
    shape = width / height
    if capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90:
        shape = 1 / shape  # That of the picture as it is stored; OpenCV lays it on its side.
    is_true = _PIXEL_SHAPES[0] <= shape <= _PIXEL_SHAPES[1]
    return shape if is_true and not _SQUARE[0] <= shape <= _SQUARE[1] else 1.0


def _with_square_pixels(image_bgr: NDArray[np.uint8], pixel_shape: float) -> NDArray[np.uint8]:
    """Make a picture wider or higher, so that its pixels get square and none of them is lost."""
    height, width = image_bgr.shape[:2]
    if pixel_shape == 1.0:
        return image_bgr
    if pixel_shape > 1:
        width = round(width * pixel_shape)
    else:
        height = round(height / pixel_shape)
    scaled = cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(scaled, dtype=np.uint8)


def _count(capture: cv2.VideoCapture) -> int:
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return int(count) if math.isfinite(count) else 0


def _head(path: Path) -> bytes:
    """The first bytes of a file, which say what it is: its name may be any, or /dev/fd/0."""
    with path.open("rb") as file:
        head = file.read(12)
        # On macOS whoever opens /dev/fd/0 shares its place in the file with all others.
        file.seek(0)
    return head


def _fps(stated: float, path: Path | None, decoder_threads: int | None) -> float:
    if _USUAL_FPS[0] <= stated <= _USUAL_FPS[1]:
        return float(stated)
    return FALLBACK_FPS if path is None else _measured_fps(path, decoder_threads)


def _measured_fps(path: Path, decoder_threads: int | None) -> float:
    """The rate of a file's first frames, pauses left out."""
    capture = _decoded(opencv_name(path), decoder_threads)
    times_ms: list[float] = []
    while len(times_ms) < _MEASURED_FRAMES and capture.grab():
        times_ms.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    capture.release()
    steps_ms = np.diff(times_ms)
    steps_ms = steps_ms[steps_ms > 0]
    if not steps_ms.size:
        return FALLBACK_FPS
    usual_ms = steps_ms[steps_ms <= 2 * np.median(steps_ms)].mean()
    # Times in whole milliseconds say no more of the rate.
    return max(round(1000 / float(usual_ms), 2), 0.01)
