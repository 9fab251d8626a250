"""What `mien video` does: every frame of a video through the engine, into what was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from mien.core.errors import OutputError, SourceError
from mien.core.files import refuse_overwriting
from mien.engine.pipeline import EmotionStream, FrameFaces
from mien.engine.reconnect import make_lasting
from mien.engine.settings import EngineSettings
from mien.media.blur import blur_faces
from mien.media.draw import draw_faces
from mien.media.frames import (
    FrameSource,
    camera_index,
    damage_of,
    files_read,
    open_frames,
    path_of,
)
from mien.media.layout import Spots
from mien.media.picture_files import is_picture, passed_over_line
from mien.media.pyav import has_pyav
from mien.media.sink import VideoSink
from mien.recognizer import Recognizer
from mien.record.summary import Summary
from mien.record.write import RecordOutputs, RecordWriter, check_summary_place, write_summary
from mien.video.sound import SoundVideoSink


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOutputs(RecordOutputs):
    """What is written of a video, besides its record; nothing that is None.

    Attributes:
        video: Annotated video, `.mp4`.
        summary: What each person and everyone showed on the whole, in JSON; see
            `mien.record.summary.Summary.document`.
        blur: Make the faces in the annotated video unrecognisable.
    """

    video: Path | None = None
    summary: Path | None = None
    blur: bool = False


@dataclass(slots=True)
class _Run:
    """What came of a video.

    Attributes:
        summary: What the faces amount to.
        frames: How many frames were looked at.
        failure: Why it ended before its end, or is not all written; None where it is whole.
    """

    summary: Summary = field(default_factory=Summary)
    frames: int = 0
    failure: OutputError | SourceError | KeyboardInterrupt | None = None


def run_video(
    source: int | str | Path,
    recognizer: Recognizer,
    outputs: VideoOutputs,
    settings: EngineSettings,
    *,
    say: Callable[[str], None],
    remark: Callable[[str], None],
    on_frame: Callable[[int, int | None], None] | None = None,
    rotate_degrees: int = 0,
) -> Summary:
    """Recognise every frame of a video.

    Says at the end what was seen, a line a person, and what everyone showed on the whole. A camera
    or stream goes on until Ctrl-C (KeyboardInterrupt), and is opened again when it breaks off;
    frames that come too fast are left out. Of a file, too, what came before Ctrl-C is summed up.

    Args:
        source: See `mien.media.frames.open_frames`: a video file, a folder of pictures, ….
        recognizer: What recognises.
        outputs: What to write.
        settings: How often, how calm, how sure.
        say: Called with the lines of the result.
        remark: Called with what is to be known besides, such as where the file is damaged.
        on_frame: Called after each frame with how many are done, and how many there are; None
            where the source does not tell.
        rotate_degrees: See `mien.media.frames.open_frames`.

    Returns:
        What the record amounts to.

    Raises:
        SourceError: if the video cannot be opened or breaks off; what was recognised until then
            stands in the record.
        OutputError: if the record or the annotated video cannot be written, or an output would
            overwrite the video or another output.
        MissingExtraError: if Parquet is asked for and pyarrow is missing.
        BrokenPipeError: see `mien.record.write.TableWriter`.
        KeyboardInterrupt: Ctrl-C ended it before its end.
    """
    _check_outputs(source, outputs)
    started = time.monotonic()
    run = _Run()
    with make_lasting(
        open_frames(source, rotate_degrees=rotate_degrees),
        source,
        remark,
        rotate_degrees=rotate_degrees,
    ) as opened:
        if line := passed_over_line(opened.passed_over):
            remark(line)
        stream = EmotionStream(opened, recognizer, settings)
        sink = _open_sink(source, opened, outputs, remark)
        _recognise(run, stream, settings, outputs, sink, on_frame)
    if run.frames or run.failure is None:
        _say_result(run, outputs, time.monotonic() - started, say)
    if damage := damage_of(opened):
        remark(damage)
    if run.failure is not None:
        raise run.failure  # What came before it was summed up first.
    return run.summary


def _recognise(
    run: _Run,
    stream: EmotionStream,
    settings: EngineSettings,
    outputs: VideoOutputs,
    sink: SoundVideoSink | VideoSink | None,
    on_frame: Callable[[int, int | None], None] | None,
) -> None:
    """Open the record, work the stream off, and finish what is written of it."""
    try:
        with sink or nullcontext():
            # The last to be opened: what another record held is gone from here on.
            record = RecordWriter(
                stream.recognizer.classifier.labels,
                outputs,
                smooth_ms=settings.smooth_ms,
                temporal=settings.temporal is not None,
            )
            with record, stream:
                _work_off(run, stream, record, sink, on_frame, blur=outputs.blur)
    except OutputError as error:  # What is written at the end, too, may find the disk full.
        run.failure = run.failure or error


def _work_off(
    run: _Run,
    stream: EmotionStream,
    record: RecordWriter,
    sink: SoundVideoSink | VideoSink | None,
    on_frame: Callable[[int, int | None], None] | None,
    *,
    blur: bool,
) -> None:
    """Recognise every frame; what ends it early, Ctrl-C or a failure, is kept in the run."""
    opened = stream.source
    spots: Spots = {}
    try:
        for faces in stream:
            record.write(faces)
            if opened.is_live:
                run.summary.look(faces.timestamp_ms)
            run.summary.add(faces)
            run.frames += 1
            if sink is not None:
                _annotate(faces, spots, blur=blur)
                sink.write_at(faces.image_bgr, faces.timestamp_ms)
            if on_frame is not None:
                on_frame(run.frames, opened.frame_count or None)
    except (OutputError, SourceError) as error:
        run.failure = error
    except KeyboardInterrupt as interrupt:
        if not opened.is_live:
            run.failure = interrupt


def _say_result(
    run: _Run, outputs: VideoOutputs, seconds: float, say: Callable[[str], None]
) -> None:
    """Say what was seen, and write the summary."""
    say("\n".join(_lines(run.summary, run.frames, seconds)))
    if outputs.summary is not None:
        try:
            write_summary(outputs.summary, run.summary)
        except OutputError as error:  # Where the disk is full, it is the last to fail.
            run.failure = run.failure or error


def _lines(summary: Summary, frames: int, seconds: float) -> list[str]:
    people = f"{summary.people_count:,} {'person' if summary.people_count == 1 else 'people'}"
    return [
        f"{frames:,} frame{'' if frames == 1 else 's'}, "
        f"{summary.rows:,} face{'' if summary.rows == 1 else 's'}, {people} in "
        f"{seconds:.1f} s ({frames / max(seconds, 1e-9):.0f} frames a second)",
        *summary.lines(),
        *filter(None, [summary.answer_line()]),
    ]


def _check_outputs(source: int | str | Path, outputs: VideoOutputs) -> None:
    if outputs.video is not None and outputs.video.suffix.lower() != ".mp4":
        raise OutputError(f"{outputs.video} is to be a video: expected a name that ends in .mp4.")
    written = [outputs.video, outputs.csv, outputs.jsonl, outputs.parquet, outputs.summary]
    refuse_overwriting(files_read(source), written)
    if outputs.summary is not None:
        check_summary_place(outputs.summary)


def _open_sink(
    source: int | str | Path,
    opened: FrameSource,
    outputs: VideoOutputs,
    remark: Callable[[str], None],
) -> SoundVideoSink | VideoSink | None:
    if outputs.video is None:
        return None
    if has_pyav():
        path = path_of(source)
        if path is None and camera_index(source) is None:
            remark(f"{outputs.video} will be without sound: it is copied from files alone.")
        may_sound = path is not None and path.is_file() and not is_picture(path)
        return SoundVideoSink(
            outputs.video,
            path if may_sound else None,
            opened.fps,
            remark,
            first_ms=lambda: opened.first_ms,
        )
    remark(
        f"{outputs.video} will be without sound, in MPEG-4 part 2, which browsers do not play; "
        "for sound and H.264:  pip install 'mien[video]'"
    )
    return VideoSink(outputs.video, opened.fps)


def _annotate(faces: FrameFaces, spots: Spots, *, blur: bool) -> None:
    if blur:
        blur_faces(faces.image_bgr, (face.box for face in faces))
    draw_faces(faces.image_bgr, faces, spots=spots)
