"""One iterator over the frames of a camera, a video file, a stream, a picture or a folder of them.

Example::

    with open_frames("clip.mp4") as frames:
        for frame in frames:
            show(frame.image_bgr, frame.timestamp_ms)
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SourceError
from mien.media.edit_list import shown_ms
from mien.media.image import opencv_name, quiet_opencv, read_image

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Names of pictures; what a folder holds besides them is passed over."""

FOLDER_FPS = 1.0
"""The pictures of a folder follow one another at this pace."""

FALLBACK_FPS = 25.0
"""The rate of a video or camera that tells none, or an impossible one."""

_CAMERA_FILE = re.compile(r"/dev/video(\d+)")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")
# Browsers record in whole milliseconds and state no rate, which FFmpeg takes for 1000 a second; of
# frames and a long pause it makes one in minutes.
_USUAL_FPS = (1.0, 120.0)
_MEASURED_FRAMES = 30
_TIMEOUT_MS = 10_000
# OpenCV tells a packet that cannot be decoded and the end of a file alike. So many reads in vain
# are taken for the end: the packets of some 20 s, and a tenth of a second to try.
_FAILURES_AT_END = 500


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        index: Its number in the source, from 0.
        timestamp_ms: Its time in the source, in milliseconds; never below the one before. A
            camera's or stream's starts with 0 at its first frame.
        image_bgr: (H, W, 3) uint8, BGR; turned as the source's rotation metadata says.
    """

    index: int
    timestamp_ms: float
    image_bgr: NDArray[np.uint8]


class FrameSource(Protocol):
    """An opened source: iterate over it once, then close it (or use it in a `with`).

    Iterating raises SourceError where a camera or stream stops giving frames, or a file ends much
    too early; every frame before it has been handed out by then.

    Attributes:
        name: What to call it in a message or a file name, such as `camera 0` or `clip.mp4`.
        fps: Frames a second, above 0: as the source states it; measured where a file states none
            or an impossible one; `FALLBACK_FPS` where that fails too.
        frame_count: How many frames there are; exact for MP4, MOV, AVI and pictures (but those
            that a trimmed file hides count as well), an estimate for other files, None for a
            camera or stream.
        is_live: True for a camera or stream: frames come when they come, and late ones are stale.
        damaged_spots: Where a video file could not be decoded and the frames go on behind, as many
            as were met until now. Frames may be missing there; the times of the others are right.
    """

    name: str
    fps: float
    frame_count: int | None
    is_live: bool
    damaged_spots: int

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Release the camera, file or connection; once more does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_error: object) -> None: ...


def open_frames(source: int | str | Path | None) -> FrameSource:
    """Open a source of frames.

    Args:
        source: A camera's index (`0`, `"0"`, `"/dev/video0"`; None is camera 0), a video file, a
            picture, a folder of pictures (in the order of their names) or a stream's address
            (`rtsp://…`, `http://…`).

    Raises:
        SourceError: if there is no such camera, file, folder or address, or it holds no video.
    """
    camera = camera_index(source)
    if camera is not None:
        return _open_camera(camera)
    if _URL.match(str(source)):
        return _open_url(str(source))
    path = Path(str(source)).expanduser()
    try:
        if path.is_dir():
            return _PictureSource(path.name, _pictures_of(path))
        _check_file(path)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return _PictureSource(path.name, [path])
        return _open_file(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from None


def camera_index(source: int | str | Path | None) -> int | None:
    """Return the index of the camera that `source` means, None where it means no camera."""
    if source is None:
        return 0
    text = str(source)
    device = _CAMERA_FILE.fullmatch(text)
    digits = device.group(1) if device else text
    return int(digits) if digits.isascii() and digits.isdigit() else None


def damage_of(source: FrameSource) -> str | None:
    """Return one line about the damaged spots of a source, None if none were met."""
    spots = source.damaged_spots
    if not spots:
        return None
    return (
        f"{source.name} is damaged in {spots} {'place' if spots == 1 else 'places'}, where "
        "frames may be missing; the rest was used. Copy it again for the whole."
    )


class _Closing:
    """What every source shares: it is its own context manager."""

    damaged_spots = 0

    def close(self) -> None:
        """Nothing to release."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class _PictureSource(_Closing):
    """The pictures of a folder, one after another at `FOLDER_FPS`."""

    is_live = False

    def __init__(self, name: str, paths: list[Path]) -> None:
        self.name = name
        self.fps = FOLDER_FPS
        self.frame_count: int | None = len(paths)
        self._paths = paths

    def __iter__(self) -> Iterator[Frame]:
        for index, path in enumerate(self._paths):
            yield Frame(index, index * 1000 / FOLDER_FPS, read_image(path))


class _CaptureSource(_Closing):
    """A camera, video file or stream, read by OpenCV.

    Args:
        capture: The opened source.
        name: What to call it.
        frame_count: As OpenCV has it; None for what is live.
        path: That of a file.
        counts_frames: Whether the file holds the number of its frames, as against an estimate.
        is_camera: Whether the clock, not the source, tells the time.
    """

    def __init__(
        self,
        capture: cv2.VideoCapture,
        name: str,
        *,
        frame_count: int | None,
        path: Path | None = None,
        counts_frames: bool = False,
        is_camera: bool = False,
    ) -> None:
        stated_fps = capture.get(cv2.CAP_PROP_FPS)
        self.name = name
        self.fps = _fps(stated_fps, path)
        if frame_count and stated_fps > 0 and not counts_frames:
            # OpenCV multiplied the length by the rate that is stated.
            frame_count = round(frame_count / stated_fps * self.fps)
        self.frame_count = frame_count
        self.is_live = frame_count is None
        self._capture = capture
        self._path = path
        self._counts_frames = counts_frames
        self._is_camera = is_camera

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        timestamp_ms = 0.0
        timeline = _Timeline(self.fps, self.is_live)
        for image_bgr in self._images():
            timestamp_ms = timeline.place(self._position_ms())
            yield Frame(index, timestamp_ms, image_bgr)
            index += 1
        self._check_end(index, timestamp_ms)

    def close(self) -> None:
        self._capture.release()

    def _images(self) -> Iterator[NDArray[np.uint8]]:
        # A connection that gave nothing once would be waited for as often.
        failures_at_end = 1 if self._path is None else _FAILURES_AT_END
        failures = 0
        while failures < failures_at_end:
            read, image = self._capture.read()
            if not read:
                failures += 1
                continue
            if failures:
                self.damaged_spots += 1
                failures = 0
            yield np.asarray(image, dtype=np.uint8)

    def _position_ms(self) -> float:
        if self._is_camera:
            # A driver's own clock may be absent, or jump.
            return time.monotonic() * 1000
        position_ms = float(self._capture.get(cv2.CAP_PROP_POS_MSEC))
        return position_ms if math.isfinite(position_ms) and position_ms > 0 else 0.0

    def _check_end(self, frames: int, last_ms: float) -> None:
        if self.is_live:
            raise SourceError(
                f"{self.name} stopped giving frames after {frames}: check its cable or connection."
            )
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
        if self._path is None or not self._counts_frames:
            return False
        frame_ms = 1000 / self.fps
        whole_ms = expected * frame_ms
        if not _is_much_less(frames * frame_ms, whole_ms):
            return False
        # Frames are missing at the end, or at damaged spots, or are hidden by an edit list.
        return _is_much_less(last_ms + frame_ms, shown_ms(self._path) or whole_ms)


class _Timeline:
    """Makes times that never run backwards of the positions that a source states.

    Args:
        fps: The source's frames a second, which count where it states no times.
        is_live: The first position is 0 then, and positions may be set anew at any moment.
    """

    def __init__(self, fps: float, is_live: bool) -> None:
        self._frame_ms = 1000 / fps
        self._is_live = is_live
        self._zero_ms = 0.0
        self._last_ms: float | None = None

    def place(self, position_ms: float) -> float:
        """Return the time of the next frame, in milliseconds."""
        if self._last_ms is None:
            self._zero_ms = position_ms if self._is_live else 0.0
            self._last_ms = position_ms - self._zero_ms
            return self._last_ms
        step_ms = position_ms - self._zero_ms - self._last_ms
        # No frame of a live source comes that late: reading it would have failed before.
        if self._is_live and abs(step_ms) > _TIMEOUT_MS:
            self._zero_ms += step_ms - self._frame_ms
            step_ms = self._frame_ms
        self._last_ms += step_ms if step_ms > 0 else self._frame_ms
        return self._last_ms


def _open_camera(index: int) -> FrameSource:
    capture = _capture(index, cv2.CAP_ANY)
    if not capture.isOpened():
        raise SourceError(
            f"There is no camera {index}, or another program holds it: connect one, or name a "
            "video file, a folder of pictures or a stream's address."
        )
    return _CaptureSource(capture, f"camera {index}", frame_count=None, is_camera=True)


def _open_url(url: str) -> FrameSource:
    timeouts = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MS),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MS),
    ]
    capture = _capture(url, cv2.CAP_FFMPEG, timeouts)
    name = re.sub(r"//[^/@]*@", "//", url)  # A password in the address is not to be shown.
    if not capture.isOpened():
        raise SourceError(
            f"The stream {name} cannot be opened: expected an address that answers within "
            f"{_TIMEOUT_MS // 1000} s with video that FFmpeg can read."
        )
    count = _count(capture)
    return _CaptureSource(capture, name, frame_count=count if count > 0 else None)


def _open_file(path: Path) -> FrameSource:
    counts_frames = _counts_frames(path)
    capture = _capture(opencv_name(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise SourceError(
            f"{path} holds no video that FFmpeg can read: expected a whole video file; this one "
            "is sound only, truncated, damaged or something else."
        )
    count = max(_count(capture), 0)
    return _CaptureSource(
        capture, path.name, frame_count=count, path=path, counts_frames=counts_frames
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


def _pictures_of(folder: Path) -> list[Path]:
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    )
    if not paths:
        raise SourceError(
            f"The folder {folder} holds no picture: expected files that end in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return paths


def _check_file(path: Path) -> None:
    if not path.exists():
        raise SourceError(
            f"There is no file or folder {path}: expected a camera's index, a video, a picture, a "
            "folder of pictures or a stream's address."
        )
    if not path.is_file():
        raise SourceError(f"{path} is neither a file nor a folder; a pipe cannot be read.")
    if path.stat().st_size == 0:
        raise SourceError(f"{path} is empty (0 bytes): copy it again.")
