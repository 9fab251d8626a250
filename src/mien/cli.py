"""The command `mien`: it parses, then imports inside each command.

Importing this module touches nothing but Typer and light parts of the standard library, so that
`mien --help` answers at once and a command never loads what another one needs. A new command
follows this pattern::

    @app.command()
    def live(
        source: Annotated[str, typer.Argument(help="Camera, file or URL.")] = "0",
    ) -> None:
        '''Show the emotions of the faces in a live video.'''  # what `mien --help` prints
        from mien.live.run import run_live  # never at the top of this module
        from mien.recognizer import Recognizer

        run_live(source, Recognizer(), say=typer.echo)

A command raises and never prints an error of its own: `main` turns every exception into one line
on standard error and an exit code (2 for misuse or bad input, 1 for a failure of ours), and a
missing optional package into the `pip install` that brings it. Commands about data sets go to
`data_app` (`mien data …`), those about downloadable weights to `models_app` (`mien models …`).
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.core.errors import MienError, MissingExtraError, SettingError
from mien.core.signals import STOPPING, signals_handled

if TYPE_CHECKING:
    from mien.recognizer import Recognizer

# Import name of an optional package: the extra that brings it.
_EXTRA_OF_PACKAGE = {
    "keras": "train",
    "tensorflow": "train",
    "tensorboard": "train",
    "tf2onnx": "train",
    "onnx": "train",
    "pydantic": "train",
    "tomli_w": "train",
    "scipy": "train",
    "sklearn": "train",
    "matplotlib": "train",
    "seaborn": "train",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
    "brotli": "serve",
    "filelock": "batch",
    "ray": "batch",
}

RECOGNISE, TRAIN = "Recognise", "Train, measure and ship a network"  # the parts of --help

app = typer.Typer(
    help="Recognise seven emotions in faces, live; train, measure and ship the network yourself.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Download and explore the data set FER2013.")
models_app = typer.Typer(help="Fetch weights that mien can use but does not ship.")
experiments_app = typer.Typer()
web_app = typer.Typer(help="The web page without a server.")
app.add_typer(models_app, name="models", rich_help_panel=RECOGNISE)
app.add_typer(web_app, name="web", rich_help_panel=RECOGNISE)
app.add_typer(data_app, name="data", rich_help_panel=TRAIN)
app.add_typer(experiments_app, name="experiments", rich_help_panel=TRAIN)


# Options that several commands share.
CsvOption = Annotated[
    Path | None, typer.Option("--csv", help="Record to write as CSV; - is standard output.")
]
JsonlOption = Annotated[
    Path | None,
    typer.Option("--jsonl", help="Record to write as JSON lines; - is standard output."),
]
ParquetOption = Annotated[
    Path | None, typer.Option("--parquet", help="Record to write as Parquet.")
]
SummaryOption = Annotated[
    Path | None,
    typer.Option(
        "--summary",
        metavar="FILE.json",
        help="Each person's overall emotion and that of the clip, with their confidence, as JSON.",
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
        metavar="shipped|FILE|none",
        help="A network over time in the place of the smoothing: the one that ships, or "
        "temporal.onnx of a run. none, the default, is the smoothing.",
    ),
]
GateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--gate",
        metavar="NAME=VALUE",
        help="A limit beyond which a label is uncertain, such as min_confidence=0.5 or "
        "min_side_px=30; may be repeated. The names are those of mien.QualityGate.",
    ),
]
RotateOption = Annotated[
    int,
    typer.Option(
        "--rotate",
        metavar="DEGREES",
        help="Turn every picture clockwise by 90, 180 or 270 degrees, besides its metadata.",
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
    Path | None, typer.Option("--model", help="An .onnx file; the shipped artifact if none.")
]
ReadingOption = Annotated[
    str | None,
    typer.Option(
        "--reading",
        help="The reading: raters (what people would say) or labels (FER2013's); the artifact's "
        "default if none.",
    ),
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Fetch nothing; MIEN_OFFLINE=1 does the same.")
]
VotesOption = Annotated[
    Path, typer.Option("--votes", help="FER+'s votes, for networks that learn them.")
]
RunsOption = Annotated[Path, typer.Option("--runs", help="Folder of all run folders.")]
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
    typer.Option(min=1, help="Train so many times, from other seeds; says mean and deviation."),
]
FoldsOption = Annotated[
    int,
    typer.Option(
        min=0, help="Cross-validate: train for each of so many folds, and score it on the fold."
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


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mien {version('mien')}")
        raise typer.Exit


@app.callback()
def _options(
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (at any place).")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


def _open_recognizer(
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


@app.command(rich_help_panel=RECOGNISE)
def live(
    source: Annotated[
        str | None,
        typer.Argument(
            help="A camera's index, a video file, a picture, a folder of pictures or a stream's "
            "address; the webcam if none.",
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
    offline: OfflineOption = False,
    model: ModelOption = None,
    threads: EngineThreadsOption = 1,
    provider: ProviderOption = None,
) -> None:
    """Show the emotions of the faces in a live video; h shows the keys, q or Esc quits."""
    from mien.engine.settings import make_settings
    from mien.faces.gate import parse_limits
    from mien.live.run import LiveOutputs, run_live

    outputs = LiveOutputs(csv=csv, jsonl=jsonl, parquet=parquet, raw=raw, blur=blur)
    settings = make_settings(
        smooth_ms=smooth,
        gate=parse_limits(gate or []),
        detect_every_frame=blur,
        temporal=temporal,
    )
    with _messages_beside(csv, jsonl), _stopped_as_by_ctrl_c():
        recognizer = _open_recognizer(
            model,
            reading=reading,
            detector=detector,
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


@app.command(rich_help_panel=RECOGNISE)
def video(
    source: Annotated[
        str,
        typer.Argument(
            help="A video file, a folder of pictures, a stream's address, or - for standard input."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Annotated video to write, with the sound of the source.")
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

    outputs = VideoOutputs(
        video=out, csv=csv, jsonl=jsonl, parquet=parquet, summary=summary, raw=raw, blur=blur
    )
    settings = make_settings(
        smooth_ms=smooth,
        gate=parse_limits(gate or []),
        detect_every_frame=blur,
        temporal=temporal,
    )
    with _messages_beside(csv, jsonl), _stopped_as_by_ctrl_c():
        recognizer = _open_recognizer(
            model,
            reading=reading,
            detector=detector,
            detect_size=detect_size,
            offline=offline,
            threads=threads,
            provider=provider,
        )
        typer.echo(f"Detector: {recognizer.detector.name}")
        with _progress_bar() as on_frame:
            run_video(
                source,
                recognizer,
                outputs,
                settings,
                say=typer.echo,
                remark=_remark,
                on_frame=on_frame,
                rotate_degrees=rotate,
            )


@app.command(rich_help_panel=RECOGNISE)
def image(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for annotated copies. They keep the folders that the pictures do not "
            "share; a second run passes them over."
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

    outputs = PictureOutputs(folder=out, csv=csv, jsonl=jsonl, parquet=parquet, blur=blur)
    limits = QualityGate().with_limits(parse_limits(gate or []))
    with _messages_beside(csv, jsonl), _stopped_as_by_ctrl_c():
        recognizer = _open_recognizer(
            model,
            reading=reading,
            detector=detector,
            detect_size=detect_size,
            offline=offline,
            threads=threads,
            provider=provider,
        )
        run_pictures(
            paths,
            recognizer,
            outputs,
            limits,
            say=typer.echo,
            remark=_remark,
            rotate_degrees=rotate,
        )


@app.command(rich_help_panel=RECOGNISE)
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
        typer.Option(help="The folder to write. The same command again does what is missing."),
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
        typer.Option(min=0, metavar="MS", help="Of videos, look at one frame in this time; 0 all."),
    ] = 0.0,
    summary: Annotated[
        bool, typer.Option("--summary", help="Write a table of one row a video as well.")
    ] = False,
    redo: Annotated[
        bool, typer.Option("--redo", help="Do anew what has changed since, and what failed.")
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
    """Recognise many pictures and videos on all cores or a cluster; killed, it goes on."""
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
    with _stopped_as_by_ctrl_c():
        recognizer = _open_recognizer(
            model,
            reading=reading,
            detector=detector,
            detect_size=detect_size,
            offline=offline,
        )
        outcome = run_batch(
            inputs, out, recognizer, settings, options, say=typer.echo, remark=_remark
        )
    if not outcome.is_whole:
        raise typer.Exit(3)


@app.command(rich_help_panel=RECOGNISE)
def report(
    record: Annotated[
        Path,
        typer.Argument(
            help="What `mien video`, `mien live`, `mien image` or the page recorded, or the folder "
            "of `mien batch`."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="The page; if none, the record's name with .html, or report.html in the folder."
        ),
    ] = None,
    summary: SummaryOption = None,
    with_faces: Annotated[
        Path | None,
        typer.Option(
            help="The recorded video, to show the faces of the strongest moments; of pictures, the "
            "folder in which their paths begin."
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
        from mien.record.report import write_report

        page = out or record.with_suffix(".html")
        write_report(
            record, page, summary_json=summary, faces_from=with_faces, rotate_degrees=rotate
        )
    typer.echo(f"Wrote {page}")


@app.command(rich_help_panel=RECOGNISE)
def bench(
    path: Annotated[
        Path | None, typer.Argument(help="A video file; the bundled one if none.")
    ] = None,
    frames: Annotated[int, typer.Option(min=10, help="How many frames to time, at most.")] = 300,
    detector: DetectorOption = None,
    offline: OfflineOption = False,
    model: ModelOption = None,
    provider: ProviderOption = None,
) -> None:
    """Time every step of a frame, with one thread and with all."""
    from functools import partial

    from rich.console import Console
    from rich.table import Table

    from mien.engine.bench import measure
    from mien.media.demo import demo_video

    video = path or demo_video()
    make = partial(_open_recognizer, model, detector=detector, offline=offline, provider=provider)
    timings = measure(video, lambda threads: make(threads=threads), frames=frames)
    table = Table(title=f"{video.name}, detector {make(threads=1).detector.name}")
    for column in ("step", "threads", "p50 ms", "p95 ms", "FPS"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for timing in timings:
        table.add_row(
            timing.step,
            str(timing.threads),
            f"{timing.median_ms:.2f}",
            f"{timing.p95_ms:.2f}",
            f"{timing.fps:.0f}",
            end_section=timing.step == "whole",
        )
    Console().print(table)


@app.command(rich_help_panel=RECOGNISE)
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (8000).")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port (1).")] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of each that recognise (one per core).")
    ] = None,
    smooth: SmoothOption = None,
    temporal: TemporalOption = None,
    gate: GateOption = None,
    reading: ReadingOption = None,
    detector: DetectorOption = None,
    offline: OfflineOption = False,
    model: ModelOption = None,
    provider: ProviderOption = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token that clients must show; or MIEN_SERVE_TOKEN."),
    ] = None,
    allow_anyone: Annotated[
        bool,
        typer.Option("--allow-anyone", help="Serve other machines although there is no token."),
    ] = False,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="A further name of the server; may be repeated.")
    ] = None,
    allowed_origin: Annotated[
        list[str] | None,
        typer.Option(help="Another site whose pages may use the API; may be repeated."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="SQLite file of the video jobs (in the user's cache).")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A limit of mien.serve.settings; may be repeated."),
    ] = None,
) -> None:
    """Serve the web page and the HTTP API. Options go before MIEN_SERVE_… variables."""
    from mien.faces.gate import parse_limits
    from mien.faces.models import fetch_detector
    from mien.serve.run import serve as serve_until_stopped
    from mien.serve.settings import Settings, read_limits, read_token

    options = {
        "host": host,
        "port": port,
        "workers": workers,
        "threads": threads,
        "smooth_ms": smooth,
        "temporal": temporal,
        "gate": parse_limits(gate) if gate else None,
        "reading": reading,
        "detector": detector,
        "artifact": model,
        "provider": provider,
        "token": None if token_file is None else read_token(token_file),
        "allow_anyone": allow_anyone or None,
        "allowed_hosts": allowed_host or None,
        "allowed_origins": allowed_origin or None,
        "state_file": state,
        "limits": read_limits(limit or []),
    }
    given = {name: value for name, value in options.items() if value is not None}
    settings = Settings.from_environment(given)
    fetch_detector(settings.detector, typer.echo, offline=offline)
    serve_until_stopped(settings, typer.echo)


@app.command(rich_help_panel=RECOGNISE)
def preprocess(
    video: Annotated[
        str | None,
        typer.Argument(
            help="A video, or a camera's index; 20 s from the webcam if none.", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path(
        "results/preprocessing_test"
    ),
    detector: DetectorOption = None,
    offline: OfflineOption = False,
    model: ModelOption = None,
) -> None:
    """Write what the network sees of a video: a face a second, as its input wants it."""
    from mien.engine.extract import extract_faces

    recognizer = _open_recognizer(model, detector=detector, offline=offline)
    with _stopped_as_by_ctrl_c():
        count = extract_faces(video, out, recognizer, typer.echo)
    typer.echo(f"Wrote {out / 'input_video.mp4'} and {count} faces (image0.png …)")


@models_app.command("download")
def download_models(
    directory: Annotated[
        Path | None, typer.Option(help="Where the file goes; the user's cache if none.")
    ] = None,
) -> None:
    """Fetch the face detector YuNet (MIT, 0.2 MB) from opencv_zoo."""
    from mien.faces.models import download_yunet

    typer.echo(f"YuNet is at {download_yunet(directory)}")


@web_app.command("export")
def export_page(
    folder: Annotated[Path, typer.Argument(help="An empty folder, made if it is missing.")],
    model: Annotated[
        Path | None, typer.Option(help="An .onnx file; the shipped artifact if none.")
    ] = None,
) -> None:
    """Write the page as plain files that any web server can send; it recognises in the browser."""
    from mien.serve.site import export_site

    size = export_site(folder, model)
    typer.echo(
        f"Wrote the page to {folder} ({size / 1e6:.1f} MB). Try it with  "
        f"python -m http.server --directory {folder}  and put it behind https elsewhere."
    )


@app.command(rich_help_panel=TRAIN)
def train(
    experiment: Annotated[
        Path | None,
        typer.Argument(
            help="Its TOML file, or the name of a recipe that ships with mien; the selected one of "
            "experiments/ if none is named."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled faces to train on, a file or a folder; those of the recipe, else "
            "data/train.csv, if none."
        ),
    ] = None,
    votes: VotesOption = Path("data/fer2013new.csv"),
    runs: RunsOption = Path("results/runs"),
    results: Annotated[
        Path, typer.Option(help="Where the selected experiment's results go, and all logs.")
    ] = Path("results/model"),
    changes: SetOption = None,
    seeds: SeedsOption = 1,
    folds: FoldsOption = 0,
    restart: RestartOption = False,
) -> None:
    """Train a network, its teachers first; a run that was stopped goes on where it was."""
    from mien.export.several import train_several
    from mien.training.config import selected_experiment
    from mien.training.recipe import find_recipe, parse_change
    from mien.training.variants import changed, several

    recipe = find_recipe(experiment or selected_experiment(Path("experiments")))
    recipe = changed(recipe, dict(map(parse_change, changes or [])))
    train_several(
        several(recipe, seeds=seeds, folds=folds),
        training_data=data,
        votes_file=votes,
        runs=runs,
        results=results,
        say=typer.echo,
        restart=restart,
    )


@app.command(rich_help_panel=TRAIN)
def finetune(
    data: Annotated[
        Path,
        typer.Argument(help="Your faces: a folder with a folder of pictures per class, or CSV."),
    ],
    recipe: Annotated[
        Path, typer.Option(help="A recipe's TOML file, or the name of one that ships with mien.")
    ] = Path("finetune"),
    name: Annotated[
        str | None, typer.Option(help="That of the run; own_ and the data's name if none.")
    ] = None,
    groups: GroupsOption = "",
    runs: RunsOption = Path("results/runs"),
    results: Annotated[Path, typer.Option(help="Where TensorBoard's logs go.")] = Path(
        "results/model"
    ),
    changes: SetOption = None,
    seeds: SeedsOption = 1,
    folds: FoldsOption = 0,
    restart: RestartOption = False,
) -> None:
    """Teach the network that ships your own faces and labels: a network for every --model."""
    from mien.export.several import train_several
    from mien.training.recipe import find_recipe, parse_change
    from mien.training.variants import for_own_faces, several

    own = for_own_faces(
        find_recipe(recipe),
        data,
        groups=groups,
        name=name,
        changes=dict(map(parse_change, changes or [])),
    )
    artifacts = train_several(
        several(own, seeds=seeds, folds=folds),
        training_data=data,
        votes_file=Path("data/fer2013new.csv"),
        runs=runs,
        results=results,
        say=typer.echo,
        restart=restart,
    )
    for artifact in artifacts[:1]:
        typer.echo(f"See it:  mien live --model {artifact.onnx_path}")


@app.command(rich_help_panel=TRAIN)
def pause(
    run_folder: Annotated[Path, typer.Argument(help="Of a run that has not finished.")],
) -> None:
    """Copy a run's newest snapshot in half precision, to go on with it on another machine."""
    from mien.training.pause import pause_run
    from mien.training.run_folder import RunFolder

    typer.echo(f"Wrote {pause_run(RunFolder(run_folder))}; mien train goes on from it")


@app.command(rich_help_panel=TRAIN)
def curves(
    run_folder: Annotated[
        Path | None,
        typer.Argument(help="If none is named, of the run trained here last, else the selected."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The PNG file to write; that of the run if none.")
    ] = None,
) -> None:
    """Draw the learning curves of a run again, from its history."""
    from mien.training.config import selected_experiment
    from mien.training.curves import redraw_learning_curves
    from mien.training.run_folder import RunFolder, newest_run

    runs = Path("results/runs")
    last = newest_run(runs)
    folder = run_folder or (
        last.path if last else runs / selected_experiment(Path("experiments")).stem
    )
    typer.echo(f"Wrote {redraw_learning_curves(RunFolder(folder), out)}, of {folder}")


@experiments_app.callback(invoke_without_command=True)
def experiments(context: typer.Context) -> None:
    """Show every experiment with its figures, its cost and what was decided."""
    if context.invoked_subcommand is not None:
        return
    from mien.training.iterations import iteration_history

    for line in iteration_history(Path("experiments"), Path("results/runs")):
        typer.echo(line)


@experiments_app.command("new")
def new_experiment(
    name: Annotated[str, typer.Argument(help="Its name, such as 100_own.")],
    origin: Annotated[
        Path,
        typer.Option("--from", help="A recipe's TOML file, or one that ships with mien."),
    ] = Path("003"),
    folder: Annotated[Path, typer.Option(help="Where it goes.")] = Path("experiments"),
) -> None:
    """Write a recipe to change, as a copy of another one."""
    from mien.training.recipe_file import new_recipe

    path = new_recipe(name, origin, folder)
    typer.echo(f"Wrote {path}; train it with  mien train {path}")


@app.command(rich_help_panel=TRAIN)
def compare(
    first: Annotated[Path, typer.Argument(help="An .onnx or a .keras file in its run folder.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="What both were trained on; if none, what the first one's run names, else "
            "data/train.csv."
        ),
    ] = None,
) -> None:
    """Compare two networks on their validation faces, with paired bootstrap intervals."""
    from mien.evaluation.compare import compare_networks

    for line in compare_networks(first, second, training_data=data):
        typer.echo(line)


@app.command(rich_help_panel=TRAIN)
def evaluate(
    model: Annotated[
        Path | None, typer.Option(help="An .onnx or a .keras file; the shipped artifact if none.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled faces to score it on; data/test_with_emotions.csv if none, where it is "
            "about FER2013's faces."
        ),
    ] = None,
    groups: GroupsOption = "",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the figures; if none, that of the model for FER2013's test faces, "
            "unless its emotion.onnx is another network, and results/evaluation for others."
        ),
    ] = None,
    ledger: Annotated[
        Path, typer.Option(help="Where looks at FER2013's test faces are counted.")
    ] = Path("experiments/test_scores.jsonl"),
) -> None:
    """Score a network: accuracy, every emotion, calibration, confusion matrix.

    One over time (a .keras file in its run folder) is scored on clips, or on sequences made of
    faces, against the mean of frames, the most confident frame and the smoother.
    """
    if model is not None and model.suffix == ".keras":
        from mien.evaluation.over_time import is_network_over_time, score_over_time

        if is_network_over_time(model):
            if groups:
                raise SettingError(
                    f"Found --groups {groups} for {model}, a network over time: it is scored on "
                    "clips, whose subjects their set names; leave --groups out."
                )
            score_over_time(
                model,
                data,
                out=out,
                ledger=ledger,
                say=typer.echo,
                remark=_remark,
            )
            return
    from mien.evaluation.scoring import score_network

    score_network(
        model,
        data,
        groups=groups,
        out=out,
        ledger=ledger,
        say=typer.echo,
        remark=_remark,
    )


@app.command(rich_help_panel=TRAIN)
def predict(
    data: Annotated[Path, typer.Option(help="Faces, with or without labels.")] = Path(
        "data/test.csv"
    ),
    model: Annotated[
        Path | None, typer.Option(help="An .onnx or a .keras file; the shipped artifact if none.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The CSV file to write.")] = Path(
        "results/predictions.csv"
    ),
) -> None:
    """Write a row for every face as CSV (file, truth, answer, probabilities); show the wrong."""
    from mien.evaluation.scoring import predict as predict_faces

    count = predict_faces(model, data, out, _remark)
    typer.echo(f"Wrote {count:,} predictions to {out}")


@app.command(rich_help_panel=TRAIN)
def export(
    keras_file: Annotated[Path, typer.Argument(help="The trained network.")] = Path(
        "results/model/final_emotion_model.keras"
    ),
    out: Annotated[
        Path | None, typer.Option(help="Folder for emotion.onnx and emotion.json; beside it.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="What it was trained on, whose validation faces calibrate it; if none, what its "
            "run names, else data/train.csv."
        ),
    ] = None,
    votes: VotesOption = Path("data/fer2013new.csv"),
) -> None:
    """Turn a trained network into the ONNX artifact that mien runs."""
    from mien.export.onnx_file import export_file

    artifact = export_file(
        keras_file,
        out or keras_file.parent,
        training_data=data,
        votes_file=votes,
        say=typer.echo,
    )
    typer.echo(f"Wrote {artifact.onnx_path} (SHA-256 {artifact.sha256})")


@app.command(rich_help_panel=TRAIN)
def quantise(
    artifact: Annotated[
        Path | None, typer.Argument(help="An .onnx file; the shipped artifact if none.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")] = Path(
        "results/int8/emotion.onnx"
    ),
    data: Annotated[
        Path | None,
        typer.Option(
            help="What the network was trained on; if none, what its run names, else "
            "data/train.csv. Of a network without a recipe any faces, labelled or not."
        ),
    ] = None,
    votes: VotesOption = Path("data/fer2013new.csv"),
) -> None:
    """Turn an artifact into one that computes in 8-bit integers, and compare the two."""
    from mien.export.int8 import quantise_file

    written = quantise_file(artifact, out, training_data=data, votes_file=votes, say=typer.echo)
    typer.echo(f"Wrote {written.onnx_path} (SHA-256 {written.sha256})")


@data_app.command("download")
def download_data(
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Address or path of the zip archive; FER2013's public address if none.",
            show_default=False,
        ),
    ] = None,
    votes_source: Annotated[
        str | None,
        typer.Option(
            "--votes-from",
            help="Address or path of FER+'s fer2013new.csv; its repository if none.",
            show_default=False,
        ),
    ] = None,
    directory: Annotated[Path, typer.Option(help="Where the files go.")] = Path("data"),
) -> None:
    """Download FER2013 (116 MB) and FER+'s votes (1.6 MB), and check them."""
    from mien.data.download import download

    download(directory, typer.echo, source=source, votes_source=votes_source)


@data_app.command("check")
def check_data(
    data: Annotated[Path, typer.Argument(help="A folder with a folder per class, or a CSV file.")],
    groups: GroupsOption = "",
    recipe: Annotated[
        Path | None,
        typer.Option(help="The recipe whose \\[classes] name them; as they are named if none."),
    ] = None,
) -> None:
    """Say what a folder or file of faces holds, what was skipped and why, and what to mind."""
    from mien.data.check import check_faces

    classes = None
    if recipe is not None:
        from mien.training.recipe import find_recipe

        experiment = find_recipe(recipe).experiment
        classes, groups = experiment.class_table, groups or experiment.data.groups
    for line in check_faces(data, classes, groups=groups):
        typer.echo(line)


@data_app.command("explore")
def explore_data(
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files or folders of faces, one a split; data/train.csv and "
            "data/test_with_emotions.csv if none. A folder or manifest of video clips is looked "
            "through by itself.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report and the figures.")] = Path(
        "results/data_exploration"
    ),
    offline: OfflineOption = False,
) -> None:
    """Report class balance, brightness, copies and label conflicts, with figures of the faces."""
    from mien.data.clips import holds_clips
    from mien.data.explore import explore, summarise

    paths = data or [Path("data/train.csv"), Path("data/test_with_emotions.csv")]
    if len(paths) == 1 and holds_clips(paths[0]):
        from mien.data.explore_clips import explore_clips

        recognizer = _open_recognizer(None, detector=None, offline=offline)
        for line in explore_clips(paths[0], recognizer, out, typer.echo).lines():
            typer.echo(line)
        typer.echo(f"Wrote {out / 'clips.json'}")
        return
    for line in summarise(explore(paths, out)):
        typer.echo(line)
    typer.echo(f"Wrote report.json and the figures to {out}; they show faces: do not publish them")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    Args:
        arguments: The words after `mien`; those of the process when None.

    Raises:
        SystemExit: Always; 0 when all went well, 2 for misuse or bad input, 1 for a failure of
            mien itself, or without a word when whoever reads the output wants no more of it, 130
            after Ctrl-C.
    """
    # A file's name may hold what the terminal or UTF-8 cannot show; that is no reason to stop.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    # Typer knows the option before the command only; people type it at the end.
    words = [word for word in words if word != "--debug"]
    try:
        sys.exit(app(args=words or ["--help"], prog_name="mien", standalone_mode=False))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        if debug:
            traceback.print_exc()
        line, exit_code = _explain(error)
        typer.echo(f"Error: {line}", err=True)
        sys.exit(exit_code)


def run_on_trained_network(command: str, words: list[str]) -> None:
    """Run a command on the network that was trained here last, and say so; see `main`.

    Args:
        command: One with the option `--model`.
        words: What follows it; a network named there is the one that is used.

    Raises:
        SystemExit: Always.
    """
    results = Path("results")
    trained = [*results.glob("runs/*/emotion.onnx"), *results.glob("model/emotion.onnx")]
    newest = max(trained, key=lambda path: path.stat().st_mtime_ns, default=None)
    if any(word.partition("=")[0] in ("--model", "--help") for word in words):
        main([command, *words])
    if newest is None:
        _remark("Network: the one that ships with mien, for none was trained here")
        main([command, *words])
    _remark(f"Network: {newest}, trained here; --model names another")
    main([command, "--model", str(newest), *words])


def _remark(line: str) -> None:
    typer.echo(line, err=True)


@contextlib.contextmanager
def _progress_bar() -> Iterator[Callable[[int, int | None], None]]:
    """Show on a terminal how far something is; it is gone at the end."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


@contextlib.contextmanager
def _messages_beside(*tables: Path | None) -> Iterator[None]:
    """Say on standard error what is said while a table goes to standard output."""
    if Path("-") in tables:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    else:
        yield


@contextlib.contextmanager
def _stopped_as_by_ctrl_c() -> Iterator[None]:
    """Finish the files on SIGTERM (a service is stopped) and SIGHUP (a terminal is closed) too."""

    def stop(*_: object) -> None:
        # Both may come, and SIGHUP twice; the second one must not break the finishing off.
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    with signals_handled(STOPPING, stop):
        yield


def _explain(error: Exception) -> tuple[str, int]:
    """Return an error as one line and the exit code that it leads to."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package in ("torch", "jax") and os.environ.get("KERAS_BACKEND") == package:
            error = MienError(
                f"KERAS_BACKEND names {package}, which is not installed: install it, or unset "
                "KERAS_BACKEND to train with TensorFlow (pip install 'mien[train]')."
            )
        if package in _EXTRA_OF_PACKAGE:
            error = MissingExtraError(package, _EXTRA_OF_PACKAGE[package])
    elif isinstance(error, ValueError) and str(error).startswith("Unable to import backend"):
        # Keras says so when it is imported.
        error = MienError(
            f"{_one_line(str(error))}: set KERAS_BACKEND to tensorflow, jax or torch."
        )
    elif isinstance(error, ImportError) and error.name == "cv2":
        error = MienError(
            f"OpenCV does not load: {error}. On Debian and Ubuntu, run  apt install libgl1 "
            "libglib2.0-0 libxcb1 ; or exchange opencv-python for opencv-python-headless "
            "(docs/install.md)."
        )
    if isinstance(error, typer.TyperException):
        return _one_line(error.format_message()), error.exit_code
    if isinstance(error, MienError):
        return _one_line(str(error)), 2
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror}.", 2
    return f"{type(error).__name__}: {_one_line(str(error))} (--debug shows where)", 1


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines())
