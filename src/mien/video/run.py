"""What `mien video` does: every frame of a file through the engine, into what was asked for."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from mien.core.errors import SourceError
from mien.core.files import refuse_overwriting
from mien.engine.pipeline import EmotionStream, FrameFaces
from mien.engine.settings import EngineSettings
from mien.media.blur import blur_faces
from mien.media.draw import draw_faces
from mien.media.frames import FrameSource, damage_of, open_frames
from mien.media.sink import VideoSink
from mien.recognizer import Recognizer
from mien.record.summary import Summary
from mien.record.write import RecordWriter
from mien.video.sound import SoundVideoSink, has_pyav


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is written of a video; nothing that is None.

    Attributes:
        video: Annotated video, `.mp4`.
        csv: Record in CSV.
        jsonl: Record in JSON lines.
        parquet: Record in Parquet.
        raw: Put the probabilities before smoothing into the record as well.
        blur: Make the faces in the annotated video unrecognisable.
    """

    video: Path | None = None
    csv: Path | None = None
    jsonl: Path | None = None
    parquet: Path | None = None
    raw: bool = False
    blur: bool = False


def run_video(
    path: Path, recognizer: Recognizer, outputs: Outputs, settings: EngineSettings
) -> Summary:
    """Recognise every frame of a video.

    Prints what it writes, how far it is, and at the end a line a person; a warning where the file
    is damaged in between.

    Args:
        path: A video file, or a folder of pictures.
        recognizer: What recognises.
        outputs: What to write.
        settings: How often, how calm, how sure.

    Returns:
        What the record amounts to.

    Raises:
        SourceError: if the video cannot be opened or breaks off, or the annotated video cannot be
            written; what was recognised until then stands in the record. Also if an output would
            overwrite the video or another output.
        DataError: if the record cannot be written.
        MissingExtraError: if Parquet is asked for and pyarrow is missing.
    """
    _check_outputs(path, outputs)
    summary = Summary()
    started = time.monotonic()
    frames = 0
    with ExitStack() as stack:
        source = stack.enter_context(open_frames(path))
        record = stack.enter_context(
            RecordWriter(
                smooth_ms=settings.smooth_ms,
                raw=outputs.raw,
                csv=outputs.csv,
                jsonl=outputs.jsonl,
                parquet=outputs.parquet,
            )
        )
        sink = _open_sink(path, source, outputs)
        if sink is not None:
            stack.enter_context(sink)
        stream = stack.enter_context(EmotionStream(source, recognizer, settings))
        progress = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        bar = progress.add_task(source.name, total=source.frame_count or None)
        for faces in stream:
            record.write(faces)
            summary.add(faces)
            if sink is not None:
                _annotate(faces, blur=outputs.blur)
                sink.write_at(faces.image_bgr, faces.timestamp_ms)
            frames += 1
            progress.update(bar, completed=frames)
    seconds = time.monotonic() - started
    people = f"{len(summary.persons)} {'person' if len(summary.persons) == 1 else 'people'}"
    lines = [
        f"{frames:,} frames, {summary.rows:,} faces, {people} in "
        f"{seconds:.1f} s ({frames / max(seconds, 1e-9):.0f} frames a second)",
        *summary.lines(),
    ]
    print("\n".join(lines), flush=True)
    if damage := damage_of(source):
        print(damage, file=sys.stderr)
    return summary


def _check_outputs(path: Path, outputs: Outputs) -> None:
    if outputs.video is not None and outputs.video.suffix.lower() != ".mp4":
        raise SourceError(f"{outputs.video} is to be a video: expected a name that ends in .mp4.")
    refuse_overwriting([path], [outputs.video, outputs.csv, outputs.jsonl, outputs.parquet])


def _open_sink(
    path: Path, source: FrameSource, outputs: Outputs
) -> SoundVideoSink | VideoSink | None:
    if outputs.video is None:
        return None
    if path.is_file() and has_pyav():
        return SoundVideoSink(outputs.video, path, source.fps)
    print(
        f"{outputs.video} will be without sound, in MPEG-4 part 2, which browsers do not play; "
        "for sound and H.264:  pip install 'mien[video]'",
        file=sys.stderr,
    )
    return VideoSink(outputs.video, source.fps)


def _annotate(faces: FrameFaces, *, blur: bool) -> None:
    if blur:
        blur_faces(faces.image_bgr, (face.box for face in faces))
    draw_faces(faces.image_bgr, faces)
