"""Options that several commands share, and what they open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.paths import network_over_time, text_to_write, to_read, to_write

if TYPE_CHECKING:
    from mien.recognizer import Recognizer

CsvOption = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        parser=text_to_write,
        metavar="PATH",
        help="Record to write as CSV; - is standard output.",
    ),
]
JsonlOption = Annotated[
    Path | None,
    typer.Option(
        "--jsonl",
        parser=text_to_write,
        metavar="PATH",
        help="Record to write as JSON Lines; - is standard output.",
    ),
]
ParquetOption = Annotated[
    Path | None,
    typer.Option(
        "--parquet", parser=text_to_write, metavar="PATH", help="Record to write as Parquet."
    ),
]
SummaryOption = Annotated[
    Path | None,
    typer.Option(
        "--summary",
        parser=text_to_write,
        metavar="FILE.json",
        help="Each person's overall emotion and that of the clip, with their confidence, as JSON; "
        "- is standard output.",
    ),
]
RawOption = Annotated[
    bool, typer.Option("--raw", help="Record the probabilities before smoothing as well.")
]
BlurOption = Annotated[
    bool, typer.Option("--blur", help="Make faces unrecognisable wherever they are shown.")
]
SmoothOption = Annotated[
    float | None,
    typer.Option("--smooth", min=0, help="Time constant of the smoothing in ms; 0 is off."),
]
TemporalOption = Annotated[
    str | None,
    typer.Option(
        "--temporal",
        parser=network_over_time,
        metavar="shipped|FILE|none",
        help="Temporal network instead of smoothing: 'shipped', or a run's temporal.onnx. "
        "Default: none.",
    ),
]
GateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        metavar="NAME=VALUE",
        help="A limit beyond which a label is uncertain, such as min_confidence=0.5 or "
        "min_side_px=30; may be repeated. All names: min_side_px, min_inside, min_brightness, "
        "max_brightness, min_contrast, min_sharpness, max_sharpness, max_yaw_degrees, "
        "max_pitch_degrees, min_likeness, min_confidence.",
    ),
]
RotateOption = Annotated[
    int,
    typer.Option(
        "--rotate",
        metavar="DEGREES",
        help="Rotate every picture clockwise by 90, 180 or 270 degrees, in addition to its "
        "metadata.",
    ),
]
DetectorOption = Annotated[
    str | None,
    typer.Option("--detector", help="auto (the default), yunet, haar, mediapipe or mtcnn."),
]
DetectSizeOption = Annotated[
    str | None,
    typer.Option(
        "--detect-size",
        metavar="PIXELS|full",
        help="Longer side of the picture in which faces are detected, with yunet, haar or mtcnn. "
        "If none: full for photographs with yunet, else 640.",
        show_default=False,
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        parser=to_read,
        metavar="PATH",
        help="ONNX file, with its .json beside it. Default: the shipped network.",
    ),
]
ReadingOption = Annotated[
    str | None,
    typer.Option(
        "--reading",
        help="Answer as raters (what people would say) or as labels (FER2013's). Default: the "
        "network's, which is raters for the shipped one.",
    ),
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Fetch nothing; MIEN_OFFLINE=1 does the same.")
]
VotesOption = Annotated[
    Path,
    typer.Option(
        "--votes",
        parser=to_read,
        metavar="PATH",
        help="FER+'s votes, for networks that learn them.",
    ),
]
RunsOption = Annotated[
    Path,
    typer.Option("--runs", parser=to_write, metavar="PATH", help="Folder of all run folders."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a value of the recipe, such as training.learning_rate=0.01; may be repeated. "
        "The run is named after it.",
    ),
]
SeedsOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Train this many times with different seeds and report mean and standard deviation.",
    ),
]
FoldsOption = Annotated[
    int,
    typer.Option(
        min=0, help="Cross-validate with this many folds: each is held out once and scored."
    ),
]
GroupsOption = Annotated[
    str,
    typer.Option(
        help="The column that names the person (or other group) of a face; for a folder a "
        "regular expression that finds it in a picture's path."
    ),
]
RestartOption = Annotated[
    bool, typer.Option("--restart", help="Throw away what an earlier run left.")
]
EngineThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, help="Threads of ONNX Runtime.")
]
ProviderOption = Annotated[
    str | None,
    typer.Option("--provider", help="What ONNX Runtime runs on: cpu (the default), cuda, …"),
]


def fetch_detector_for_clips(data: Path) -> None:
    """Fetch the detector as every command that looks for faces does, if the data are clips."""
    from mien.data.clips import holds_clips
    from mien.faces.models import fetch_detector

    if holds_clips(data):
        fetch_detector("auto", typer.echo)


def open_recognizer(
    model: Path | None,
    *,
    reading: str | None = None,
    detector: str | None,
    detect_size: str | None = None,
    offline: bool,
    threads: int | None = 1,
    provider: str | None = None,
) -> Recognizer:
    """Open what a command's options ask for; the detector is fetched first, if that may help."""
    from mien.faces.models import fetch_detector
    from mien.recognizer import Recognizer

    detector = detector or "auto"
    fetch_detector(detector, typer.echo, offline=offline)
    return Recognizer(
        model,
        reading=reading,
        detector=detector,
        detect_size=detect_size,
        threads=threads,
        provider=provider or "cpu",
    )
