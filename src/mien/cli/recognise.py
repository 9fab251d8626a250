"""`mien live`, `video`, `image`, `batch` and `report`: from pictures to records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import messages_beside, progress_bar, remark, stopped_as_by_ctrl_c
from mien.cli.options import (
    BlurOption,
    CsvOption,
    DetectorOption,
    DetectSizeOption,
    EngineThreadsOption,
    GateOption,
    JsonlOption,
    ModelOption,
    OfflineOption,
    ParquetOption,
    ProviderOption,
    RawOption,
    ReadingOption,
    RotateOption,
    SmoothOption,
    SummaryOption,
    TemporalOption,
    open_recognizer,
)
from mien.cli.paths import to_read, to_write


def live(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A camera's number, a video file, a picture, a folder of pictures or a stream's "
            "address. If none: the webcam or, where there is none and no record is written, the "
            "bundled video.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        bool, typer.Option(help="Show a window, or write a video to results/live/.")
    ] = True,
    fast: Annotated[
        bool, typer.Option("--fast", help="Play a file as fast as it goes, not at its own speed.")
    ] = False,
    csv: CsvOption = None,
    jsonl: JsonlOption = None,
    parquet: ParquetOption = None,
    raw: RawOption = False,
    blur: BlurOption = False,
    rotate: RotateOption = 0,
    smooth: SmoothOption = None,
    temporal: TemporalOption = None,
    gate: GateOption = None,
    reading: ReadingOption = None,
    detector: DetectorOption = None,
    detect_size: DetectSizeOption = None,
    offline: OfflineOption = False,
    model: ModelOption = None,
    threads: EngineThreadsOption = 1,
    provider: ProviderOption = None,
) -> None:
    """Show the emotions of the faces in a live video; h shows the keys, q or Esc quits."""
    from mien.engine.settings import make_settings
    from mien.faces.gate import parse_limits
    from mien.live.run import LiveOutputs, run_live

    # In a window, the key r begins a record.
    if not window:
        _refuse_raw_alone(raw, csv, jsonl, parquet)
    outputs = LiveOutputs(csv=csv, jsonl=jsonl, parquet=parquet, raw=raw, blur=blur)
    settings = make_settings(
        smooth_ms=smooth,
        gate=parse_limits(gate or []),
        detect_every_frame=blur,
        temporal=temporal,
    )
    with messages_beside(csv, jsonl), stopped_as_by_ctrl_c():
        recognizer = open_recognizer(
            model,
            reading=reading,
            detector=detector,
            detect_size=detect_size,
            offline=offline,
            threads=threads,
            provider=provider,
        )
        typer.echo(f"Detector: {recognizer.detector.name}")
        run_live(
            source,
            recognizer,
            say=typer.echo,
            window=window,
            fast=fast,
            outputs=outputs,
            settings=settings,
            rotate_degrees=rotate,
        )


def video(
    source: Annotated[
        str,
        typer.Argument(
            help="A video file, a folder of pictures, a camera's number, a stream's address, or - "
            "for standard input."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_write,
            metavar="PATH",
            help="Annotated video to write, with the sound of the source.",
        ),
    ] = None,
    csv: CsvOption = None,
    jsonl: JsonlOption = None,
    parquet: ParquetOption = None,
    summary: SummaryOption = None,
    raw: RawOption = False,
    blur: BlurOption = False,
    rotate: RotateOption = 0,
    smooth: SmoothOption = None,
    temporal: TemporalOption = None,
    gate: GateOption = None,
    reading: ReadingOption = None,
    detector: DetectorOption = None,
    detect_size: DetectSizeOption = None,
    offline: OfflineOption = False,
    model: ModelOption = None,
    threads: EngineThreadsOption = 1,
    provider: ProviderOption = None,
) -> None:
    """Recognise every frame of a video: a record, an annotated video, or both."""
    from mien.engine.settings import make_settings
    from mien.faces.gate import parse_limits
    from mien.video.run import VideoOutputs, run_video

    _refuse_raw_alone(raw, csv, jsonl, parquet)
    if blur and not out:
        raise typer.BadParameter("--blur is for the annotated video: name one with --out.")
    outputs = VideoOutputs(
        video=out, csv=csv, jsonl=jsonl, parquet=parquet, summary=summary, raw=raw, blur=blur
    )
    settings = make_settings(
        smooth_ms=smooth,
        gate=parse_limits(gate or []),
        detect_every_frame=blur,
        temporal=temporal,
    )
    with messages_beside(csv, jsonl, summary), stopped_as_by_ctrl_c():
        recognizer = open_recognizer(
            model,
            reading=reading,
            detector=detector,
            detect_size=detect_size,
            offline=offline,
            threads=threads,
            provider=provider,
        )
        typer.echo(f"Detector: {recognizer.detector.name}")
        with progress_bar() as on_frame:
            run_video(
                source,
                recognizer,
                outputs,
                settings,
                say=typer.echo,
                remark=remark,
                on_frame=on_frame,
                rotate_degrees=rotate,
            )


def image(
    paths: Annotated[
        list[Path],
        typer.Argument(parser=to_read, help="Pictures, folders of them, or patterns of either."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_write,
            metavar="PATH",
            help="Folder for annotated copies. They keep the folders that the pictures do not "
            "share; a second run passes them over.",
        ),
    ] = None,
    csv: CsvOption = None,
    jsonl: JsonlOption = None,
    parquet: ParquetOption = None,
    blur: BlurOption = False,
    rotate: RotateOption = 0,
    gate: GateOption = None,
    reading: ReadingOption = None,
    detector: DetectorOption = None,
    detect_size: DetectSizeOption = None,
    offline: OfflineOption = False,
    model: ModelOption = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of ONNX Runtime; one per core if none.")
    ] = None,
    provider: ProviderOption = None,
) -> None:
    """Recognise the faces in pictures: a table, annotated copies, or both."""
    from mien.batch.pictures import PictureOutputs, run_pictures
    from mien.faces.gate import QualityGate, parse_limits

    if blur and not out:
        raise typer.BadParameter("--blur is for annotated copies: name their folder with --out.")
    outputs = PictureOutputs(folder=out, csv=csv, jsonl=jsonl, parquet=parquet, blur=blur)
    limits = QualityGate().with_limits(parse_limits(gate or []))
    with messages_beside(csv, jsonl), stopped_as_by_ctrl_c():
        recognizer = open_recognizer(
            model,
            reading=reading,
            detector=detector,
            detect_size=detect_size,
            offline=offline,
            threads=threads,
            provider=provider,
        )
        typer.echo(f"Detector: {recognizer.detector.name}")
        run_pictures(
            paths,
            recognizer,
            outputs,
            limits,
            say=typer.echo,
            remark=remark,
            rotate_degrees=rotate,
        )


def batch(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Pictures, videos, folders, patterns, lists of paths (.csv, .parquet, .txt) or "
            "addresses such as s3://bucket/folder.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            parser=to_write,
            metavar="PATH",
            help="The folder to write. The same command again does what is missing.",
        ),
    ],
    address: Annotated[
        str,
        typer.Option(help="local starts Ray here; auto or ray://HOST:10001 join a cluster."),
    ] = "local",
    actors: Annotated[
        int | None, typer.Option(min=1, help="How many workers; one per core if none.")
    ] = None,
    every: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="MS",
            help="In videos, look at one frame every MS milliseconds; 0: at every frame.",
        ),
    ] = 0.0,
    summary: Annotated[
        bool, typer.Option("--summary", help="Write a table with one row per video as well.")
    ] = False,
    redo: Annotated[
        bool, typer.Option("--redo", help="Process again what changed or failed.")
    ] = False,
    rotate: RotateOption = 0,
    smooth: SmoothOption = None,
    temporal: TemporalOption = None,
    gate: GateOption = None,
    reading: ReadingOption = None,
    detector: DetectorOption = None,
    detect_size: DetectSizeOption = None,
    offline: OfflineOption = False,
    model: ModelOption = None,
    provider: ProviderOption = None,
) -> None:
    """Recognise many pictures and videos on all cores or a cluster; resumes if interrupted."""
    from mien.batch.run import BatchOptions, run_batch
    from mien.engine.settings import make_settings
    from mien.faces.gate import parse_limits

    options = BatchOptions(
        address=address,
        actors=actors,
        every_ms=every,
        rotate_degrees=rotate,
        detect_size=detect_size,
        provider=provider or "cpu",
        summary=summary,
        redo=redo,
    )
    settings = make_settings(smooth_ms=smooth, gate=parse_limits(gate or []), temporal=temporal)
    with stopped_as_by_ctrl_c():
        recognizer = open_recognizer(
            model,
            reading=reading,
            detector=detector,
            detect_size=detect_size,
            offline=offline,
        )
        outcome = run_batch(
            inputs, out, recognizer, settings, options, say=typer.echo, remark=remark
        )
    if not outcome.is_whole:
        raise typer.Exit(3)


def report(
    record: Annotated[
        Path,
        typer.Argument(
            parser=to_read,
            help="What `mien video`, `mien live`, `mien image` or the page recorded, or the folder "
            "of `mien batch`.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_write,
            metavar="PATH",
            help="The page; if none, the record's name with .html, or report.html in the folder.",
        ),
    ] = None,
    summary: SummaryOption = None,
    with_faces: Annotated[
        Path | None,
        typer.Option(
            parser=to_read,
            metavar="PATH",
            help="The recorded video, to show the faces of the strongest moments; of pictures, the "
            "folder in which their paths begin.",
        ),
    ] = None,
    rotate: RotateOption = 0,
) -> None:
    """Make one page of HTML of a record: emotions over time, person by person."""
    from mien.core.files import is_folder

    if is_folder(record):
        from mien.batch.report import write_batch_report

        if summary or with_faces or rotate:
            raise typer.BadParameter(
                "--summary, --with-faces and --rotate are for the record of one video or of "
                "pictures, not for the folder of a batch."
            )
        page = out or record / "report.html"
        write_batch_report(record, page)
    else:
        from mien.record.read import broken_end
        from mien.record.report import write_report

        if rotate and not with_faces:
            raise typer.BadParameter("--rotate is for the faces: name their video, --with-faces.")
        page = out or record.with_suffix(".html")
        write_report(
            record, page, summary_json=summary, faces_from=with_faces, rotate_degrees=rotate
        )
        if line := broken_end(record):
            remark(line)
    with messages_beside(summary):
        typer.echo(f"Wrote {page}")


def _refuse_raw_alone(raw: bool, *records: Path | None) -> None:
    if raw and not any(records):
        raise typer.BadParameter(
            "--raw is for a record: name one with --csv, --jsonl or --parquet."
        )
