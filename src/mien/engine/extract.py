"""From a video to the faces that the network would be given, as pictures to look at."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import OutputError
from mien.core.files import write_atomically
from mien.engine.own_files import OwnFiles
from mien.media.demo import open_frames_or_demo
from mien.media.frames import FrameSource, open_frames, path_of
from mien.media.sink import VideoSink
from mien.recognizer import Recognizer

RECORDING_MS = 20_000
"""So long a camera or stream is recorded."""

_VIDEO = "input_video.mp4"
_PICTURE = re.compile(r"image[0-9]+\.png")


def extract_faces(
    source: int | str | Path | None,
    folder: Path,
    recognizer: Recognizer,
    say: Callable[[str], None],
) -> int:
    """Keep a video, and of each of its seconds the largest face, as the network reads it.

    Writes `input_video.mp4` and `image0.png … imageN.png`; a second without a face gives none.

    Args:
        source: See `mien.media.frames.open_frames`; a camera or stream is recorded for 20 s. Where
            it is None and there is no camera 0, the bundled video takes its place.
        folder: Where to write; what an earlier call wrote there is replaced.
        recognizer: Whose detector, framing and input to use.
        say: Called with each line for the user.

    Returns:
        How many pictures were written.

    Raises:
        SourceError: if the source cannot be opened or breaks off.
        OutputError: if a file cannot be written, or the folder holds files of these names that no
            earlier call is known to have written.
    """
    video = folder / _VIDEO
    frames, opened = open_frames_or_demo(source, say)
    with frames:
        read = path_of(opened)
        is_source = read is not None and video.exists() and video.samefile(read)
        own = OwnFiles(folder)
        own.refuse_others(_outputs_in(folder, with_video=not is_source))
        say("Reading video stream ...")
        if not is_source:
            try:
                _keep(frames, read, own.add(_VIDEO))
            except BaseException:
                own.keep({_VIDEO})  # What is left beside it would pass for its faces.
                raise
    written: set[str] = set()
    try:
        with open_frames(video) as kept:
            for face_u8 in _one_face_a_second(kept, recognizer):
                if face_u8.ndim == 3:
                    face_u8 = np.asarray(cv2.cvtColor(face_u8, cv2.COLOR_RGB2BGR), np.uint8)
                png = cv2.imencode(".png", face_u8)[1]
                name = f"image{len(written)}.png"
                write_atomically(own.add(name), png.tobytes())
                written.add(name)
    finally:
        # Also where the video breaks off, as above.
        own.keep(written | ({_VIDEO} & own.names))
    return len(written)


def _outputs_in(folder: Path, *, with_video: bool) -> list[Path]:
    """The files there that an extraction may replace or remove."""
    pictures = [path for path in folder.glob("image*.png") if _PICTURE.fullmatch(path.name)]
    video = folder / _VIDEO
    return sorted(pictures) + ([video] if with_video and video.exists() else [])


def _keep(frames: FrameSource, read: Path | None, video: Path) -> None:
    """Copy an MP4 file as it is; write any other source again."""
    if read is not None and read.suffix.lower() == ".mp4" and read.is_file():
        _copy(read, video)
        return
    with VideoSink(video, frames.fps) as sink:
        for frame in frames:
            sink.write_at(frame.image_bgr, frame.timestamp_ms)
            if frames.is_live and frame.timestamp_ms >= RECORDING_MS:
                return


def _copy(source: Path, destination: Path) -> None:
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, temporary)
        temporary.replace(destination)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"{destination} cannot be written: {error.strerror}.") from error
        raise


def _one_face_a_second(frames: FrameSource, recognizer: Recognizer) -> Iterator[NDArray[np.uint8]]:
    next_second_ms = 0.0
    for frame in frames:
        if frame.timestamp_ms < next_second_ms:
            continue
        faces = recognizer.detector.detect(frame.image_bgr)
        if faces:
            next_second_ms = (frame.timestamp_ms // 1000 + 1) * 1000
            yield recognizer.crop(frame.image_bgr, faces[:1])[0]
