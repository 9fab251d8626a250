"""One iterator over the frames of a camera, a video file, a stream, a picture or a folder of them.

Example::

    with open_frames("clip.mp4") as frames:
        for frame in frames:
            show(frame.image_bgr, frame.timestamp_ms)
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import SettingError, SourceError
from mien.core.files import is_folder
from mien.media.animation import AnimatedPicture, is_animated
from mien.media.capture import (
    file_on_input,
    open_camera,
    open_file,
    open_standard_input,
    open_url,
)
from mien.media.given import GivenFrames
from mien.media.local_path import local_path
from mien.media.picture_files import (
    PICTURE_SUFFIXES,
    is_hidden,
    is_picture,
    natural_order,
    read_image,
)
from mien.media.pictures import Picture, is_pillow, load_picture
from mien.media.pyav import has_pyav
from mien.media.source import Frame, FrameSource

__all__ = [
    "FOLDER_FPS",
    "Frame",
    "FrameSource",
    "Source",
    "camera_index",
    "check_rotation",
    "damage_of",
    "files_read",
    "open_frames",
    "path_of",
]

FOLDER_FPS = 1.0
"""The pictures of a folder follow one another at this pace."""

_CAMERA_FILE = re.compile(r"/dev/video(\d+)")
_MOST_TOLD = 5  # pictures that could not be read
_MOVING_PICTURES = frozenset({".apng", ".gif"})
_TELLING_ALIKE = 25
"""So many frames of one and the same picture are worth a remark."""

_NO_FRAMES = (str, bytes, bytearray, memoryview, Mapping, io.IOBase)
"""What can be iterated over as well, but never gives frames."""

Source: TypeAlias = "int | Picture | Iterable[tuple[float, Picture]] | None"
"""What frames come from; see `open_frames`."""


def open_frames(
    source: Source, *, rotate_degrees: int = 0, decoder_threads: int | None = None
) -> FrameSource:
    """Open a source of frames.

    Args:
        source: A camera's index (`0`, `"0"`, `"/dev/video0"` or a link to it as in
            `/dev/v4l/by-id`; None is camera 0), a video file, a picture (a file, whose frames
            all count where it is animated, an array or Pillow's), a folder of pictures (in the
            order of their names, `2.png` before `10.png`; the first frame of each), a stream's
            address (`rtsp://…`, `http://…`) or `-` for a video on standard input. Digits in a text
            mean a camera, in a path a file or folder. Or frames of your own: an iterable of pairs
            of a time in milliseconds, which never goes back, and a picture, as an array of
            (H, W, 3) uint8 in BGR or as `mien.media.pictures.load_picture` takes them otherwise.
            Each is handed out with the time that it came with.
        rotate_degrees: Turn every frame clockwise by 0, 90, 180 or 270 degrees, besides what the
            source's metadata says: for a camera that was mounted askew, or a file without metadata.
        decoder_threads: How many threads decode a video, 1 or more: with 1, the one that iterates.
            None for one a core, up to 16, each with frames of its own in the memory.

    Raises:
        SourceError: if there is no such camera, file, folder or address, it holds no video, or the
            source is something else. While iterating, if what comes is no such pair, or its time
            goes back.
        SettingError: for another angle, or no threads.
    """
    check_rotation(rotate_degrees)
    if decoder_threads is not None and not _is_count(decoder_threads):
        raise SettingError(
            f"Found {decoder_threads!r} threads to decode by; expected a whole number from 1."
        )
    opened = _open(source, decoder_threads)
    opened.rotate_degrees = rotate_degrees
    return opened


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 1)


def check_rotation(degrees: int) -> None:
    """Raise SettingError for an angle by which frames cannot be turned."""
    if degrees not in (0, 90, 180, 270):
        raise SettingError(
            f"Found {degrees} degrees to turn frames by; expected 0, 90, 180 or 270, clockwise."
        )


def camera_index(source: object) -> int | None:
    """Return the index of the camera that `source` means, None where it means no camera."""
    if source is None:
        return 0
    text = str(source)
    # A folder of a year's pictures may be called as a camera is numbered: a path is no camera.
    if text.isascii() and text.isdigit() and not isinstance(source, os.PathLike):
        return int(text)
    device = _CAMERA_FILE.fullmatch(_device_of(text))
    return int(device.group(1)) if device else None


def _device_of(text: str) -> str:
    """The device that a stable name, such as /dev/v4l/by-id/usb-…, leads to; else `text`."""
    path = local_path(text)
    # Of a name that cannot be one, islink() does not raise.
    return os.path.realpath(path) if path is not None and os.path.islink(path) else text  # noqa: PTH114


def path_of(source: object) -> Path | None:
    """Return the file or folder that `source` means, None where it means something else."""
    text = str(source)
    if camera_index(source) is not None or text == "-":
        return None
    return local_path(text)


def files_read(source: object) -> list[Path]:
    """Return the files that `source` is read from, a file on standard input and pictures too.

    An output must not take their place.
    """
    path = file_on_input() if str(source) == "-" else path_of(source)
    if path is None:
        return []
    try:
        return [path, *filter(is_picture, path.iterdir())] if is_folder(path) else [path]
    except OSError:
        return [path]  # It cannot be listed, which whoever opens it says.


def damage_of(source: FrameSource) -> str | None:
    """Return one line about what a source, read to its end, was not seen of; None for nothing.

    That is damaged spots of a file, or a video that is interlaced, for all that mien can tell,
    where PyAV is missing or it is no file; see `mien.media.interlaced`.
    """
    spots, alike = source.damaged_spots, source.frames_alike
    if spots:
        return (
            f"{source.name} is damaged in {spots} {'place' if spots == 1 else 'places'}, where "
            "frames may be missing; the rest was used. Copy it again for the whole."
        )
    if alike < _TELLING_ALIKE:
        return None
    cure = (
        "Save it to a file, which mien reads."
        if has_pyav()
        else "PyAV reads such files:  pip install 'mien[video]'"
    )
    return (
        f"All {alike:,} frames of {source.name} are one and the same picture. If a player shows "
        f"more, it is an interlaced video (DV, DVD, television), which OpenCV cannot read. {cure}"
    )


class _PictureSource(FrameSource):
    """The pictures of a folder, one after another at `FOLDER_FPS`."""

    is_live = False

    def __init__(self, name: str, paths: list[Path], passed_over: Sequence[Path] = ()) -> None:
        self.name = name
        self.fps = FOLDER_FPS
        self.frame_count = len(paths)
        self.passed_over = passed_over
        self._paths = paths

    def _frames(self) -> Iterator[Frame]:
        failures: list[SourceError] = []
        for index, path in enumerate(self._paths):
            try:
                image_bgr = read_image(path)
            except SourceError as error:
                failures.append(error)
                continue
            yield Frame(index, index * 1000 / FOLDER_FPS, image_bgr)
        if failures:
            raise failures[0] if len(self._paths) == 1 else self._summed_up(failures)

    def _summed_up(self, failures: list[SourceError]) -> SourceError:
        count = f"{len(failures)} of {len(self._paths)} pictures of {self.name}"
        told = " ".join(map(str, failures[:_MOST_TOLD]))
        rest = f" … and {len(failures) - _MOST_TOLD} more." if len(failures) > _MOST_TOLD else ""
        return SourceError(f"{count} could not be read; the others were used. {told}{rest}")


class _LoadedPicture(FrameSource):
    """A picture that is in the memory already."""

    is_live = False
    name = "picture"
    fps = FOLDER_FPS
    frame_count = 1

    def __init__(self, image_bgr: NDArray[np.uint8]) -> None:
        self._image_bgr = image_bgr

    def _frames(self) -> Iterator[Frame]:
        # A copy: frames may be drawn into.
        yield Frame(0, 0.0, self._image_bgr.copy())


def _open(source: Source, decoder_threads: int | None) -> FrameSource:
    if isinstance(source, np.ndarray) or is_pillow(source):
        return _LoadedPicture(load_picture(source))
    if isinstance(source, Iterable) and not isinstance(source, _NO_FRAMES):
        return GivenFrames(source)
    if isinstance(source, bool) or not isinstance(
        source, int | np.integer | str | os.PathLike | None
    ):
        raise SourceError(
            f"Found {type(source).__name__} as a source of frames; expected a camera's index, a "
            "stream's address, the path of a video, a picture or a folder of pictures, one picture "
            "as an array or of Pillow's, or frames of your own as pairs of (timestamp_ms, image)."
        )
    camera = camera_index(source)
    if camera is not None:
        try:
            return open_camera(camera)
        except SourceError as error:
            text = str(source)
            if text.isdigit() and os.path.exists(text):  # noqa: PTH110 - never raises
                advice = f"For the file or folder of that name write ./{source}"
                raise SourceError(f"{error} {advice}.") from None
            raise
    path = path_of(source)
    if path is None:
        if str(source) == "-":
            return open_standard_input(decoder_threads)
        return open_url(str(source), decoder_threads)
    try:
        if path.is_dir():
            return _open_folder(path)
        _check_file(path)
        if is_picture(path) and path.suffix.lower() not in _MOVING_PICTURES:
            is_still = not is_animated(path)
            return _PictureSource(path.name, [path]) if is_still else AnimatedPicture(path)
        return open_file(path, decoder_threads=decoder_threads)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from None


def _open_folder(folder: Path) -> FrameSource:
    files = [path for path in folder.iterdir() if path.is_file() and not is_hidden(path)]
    files.sort(key=natural_order)
    pictures = [path for path in files if is_picture(path)]
    if not pictures:
        raise SourceError(
            f"The folder {folder} holds no picture: expected files that end in "
            f"{', '.join(sorted(PICTURE_SUFFIXES))}."
        )
    others = [path for path in files if not is_picture(path)]
    return _PictureSource(folder.name, pictures, passed_over=others)


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
