"""The command `mien`: it parses, then imports inside each command.

Importing this module touches nothing but Typer and light parts of the standard library, so that
`mien --help` answers at once and a command never loads what another one needs. A new command
follows this pattern::

    @app.command()
    def live(
        source: Annotated[str, typer.Argument(help="Camera, file or URL.")] = "0",
    ) -> None:
        '''Show the emotions of the faces in a live video.'''  # what `mien --help` prints
        from mien.live import run_live  # never at the top of this module

        run_live(source)

A command raises and never prints an error of its own: `main` turns every exception into one line
on standard error and an exit code (2 for misuse or bad input, 1 for a failure of ours), and a
missing optional package into the `pip install` that brings it. Commands about data sets go to
`data_app` (`mien data …`), those about downloadable weights to `models_app` (`mien models …`).
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from mien.core.errors import MienError, MissingExtraError

# Import name of an optional package: the extra that brings it.
_EXTRA_OF_PACKAGE = {
    "keras": "train",
    "tensorflow": "train",
    "tensorboard": "train",
    "tf2onnx": "train",
    "onnx": "train",
    "pydantic": "train",
    "scipy": "train",
    "sklearn": "train",
    "matplotlib": "train",
    "seaborn": "train",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
}

RECOGNISE, TRAIN = "Recognise", "Train, measure and ship a network"  # the parts of --help

app = typer.Typer(
    help="Recognise seven emotions in faces, live; train, measure and ship the network yourself.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Download and explore the data set FER2013.")
models_app = typer.Typer(help="Fetch weights that mien can use but does not ship.")
app.add_typer(models_app, name="models", rich_help_panel=RECOGNISE)
app.add_typer(data_app, name="data", rich_help_panel=TRAIN)


# Options that several commands share.
CsvOption = Annotated[Path | None, typer.Option("--csv", help="Record to write as CSV.")]
JsonlOption = Annotated[Path | None, typer.Option("--jsonl", help="Record to write as JSON lines.")]
ParquetOption = Annotated[
    Path | None, typer.Option("--parquet", help="Record to write as Parquet.")
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
MinConfidenceOption = Annotated[
    float | None,
    typer.Option("--min-confidence", min=0, max=1, help="Below it, a label is uncertain."),
]
_DETECTOR_HELP = "auto, yunet, haar, mediapipe or mtcnn."
DetectorOption = Annotated[str, typer.Option("--detector", help=_DETECTOR_HELP)]
ModelOption = Annotated[
    Path | None, typer.Option("--model", help="An .onnx file; the shipped artifact if none.")
]
EngineThreadsOption = Annotated[
    int, typer.Option("--threads", min=1, help="Threads of ONNX Runtime.")
]
ProviderOption = Annotated[
    str, typer.Option("--provider", help="What ONNX Runtime runs on: cpu, cuda, …")
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
    smooth: SmoothOption = None,
    min_confidence: MinConfidenceOption = None,
    detector: DetectorOption = "auto",
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not try to fetch the detector YuNet.")
    ] = False,
    model: ModelOption = None,
    threads: EngineThreadsOption = 1,
    provider: ProviderOption = "cpu",
) -> None:
    """Show the emotions of the faces in a live video; h shows the keys, q or Esc quits."""
    from mien.engine.settings import make_settings
    from mien.faces.models import fetch_yunet_once
    from mien.live.run import LiveOutputs, run_live
    from mien.recognizer import Recognizer

    if detector in ("auto", "yunet") and not offline:
        fetch_yunet_once(typer.echo)
    outputs = LiveOutputs(csv=csv, jsonl=jsonl, parquet=parquet, raw=raw, blur=blur)
    settings = make_settings(
        smooth_ms=smooth, min_confidence=min_confidence, detect_every_frame=blur
    )
    recognizer = Recognizer(model, detector=detector, threads=threads, provider=provider)
    typer.echo(f"Detector: {recognizer.detector.name}")
    with _stopped_as_by_ctrl_c():
        run_live(source, recognizer, window=window, fast=fast, outputs=outputs, settings=settings)


@app.command(rich_help_panel=RECOGNISE)
def video(
    path: Annotated[Path, typer.Argument(help="A video file or a folder of pictures.")],
    out: Annotated[
        Path | None, typer.Option(help="Annotated video to write, with the sound of the source.")
    ] = None,
    csv: CsvOption = None,
    jsonl: JsonlOption = None,
    parquet: ParquetOption = None,
    raw: RawOption = False,
    blur: BlurOption = False,
    smooth: SmoothOption = None,
    min_confidence: MinConfidenceOption = None,
    detector: DetectorOption = "auto",
    model: ModelOption = None,
    threads: EngineThreadsOption = 1,
    provider: ProviderOption = "cpu",
) -> None:
    """Recognise every frame of a video file: a record, an annotated video, or both."""
    from mien.engine.settings import make_settings
    from mien.recognizer import Recognizer
    from mien.video.run import Outputs, run_video

    outputs = Outputs(video=out, csv=csv, jsonl=jsonl, parquet=parquet, raw=raw, blur=blur)
    settings = make_settings(
        smooth_ms=smooth, min_confidence=min_confidence, detect_every_frame=blur
    )
    recognizer = Recognizer(model, detector=detector, threads=threads, provider=provider)
    typer.echo(f"Detector: {recognizer.detector.name}")
    with _stopped_as_by_ctrl_c():
        run_video(path, recognizer, outputs, settings)


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
    min_confidence: MinConfidenceOption = None,
    detector: DetectorOption = "auto",
    model: ModelOption = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of ONNX Runtime; one a core if none.")
    ] = None,
    provider: ProviderOption = "cpu",
) -> None:
    """Recognise the faces in pictures: a table, annotated copies, or both."""
    from mien.batch.pictures import PictureOutputs, run_pictures
    from mien.engine.settings import make_settings
    from mien.recognizer import Recognizer

    outputs = PictureOutputs(folder=out, csv=csv, jsonl=jsonl, parquet=parquet, blur=blur)
    gate = make_settings(min_confidence=min_confidence).gate
    recognizer = Recognizer(model, detector=detector, threads=threads, provider=provider)
    with _stopped_as_by_ctrl_c():
        run_pictures(paths, recognizer, outputs, gate)


@app.command(rich_help_panel=RECOGNISE)
def report(
    record: Annotated[Path, typer.Argument(help="What `mien video` or `mien live` recorded.")],
    out: Annotated[
        Path | None, typer.Option(help="The page; the record's name with .html if none.")
    ] = None,
    with_faces: Annotated[
        Path | None,
        typer.Option(help="The recorded video, to show the faces of the strongest moments."),
    ] = None,
) -> None:
    """Make one page of HTML of a record: emotions over time, person by person."""
    from mien.record.report import write_report

    page = out or record.with_suffix(".html")
    write_report(record, page, faces_from=with_faces)
    typer.echo(f"Wrote {page}")


@app.command(rich_help_panel=RECOGNISE)
def bench(
    path: Annotated[
        Path | None, typer.Argument(help="A video file; the bundled one if none.")
    ] = None,
    frames: Annotated[int, typer.Option(min=10, help="How many frames to time, at most.")] = 300,
    detector: DetectorOption = "auto",
    model: ModelOption = None,
    provider: ProviderOption = "cpu",
) -> None:
    """Time every step of a frame, with one thread and with all."""
    from functools import partial

    from rich.console import Console
    from rich.table import Table

    from mien.engine.bench import measure
    from mien.media.demo import demo_video
    from mien.recognizer import Recognizer

    video = path or demo_video()
    make = partial(Recognizer, model, detector=detector, provider=provider)
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
        int | None, typer.Option(help="Threads of each that recognise (one a core).")
    ] = None,
    detector: Annotated[str | None, typer.Option(help=_DETECTOR_HELP)] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not try to fetch the detector YuNet.")
    ] = False,
    model: Annotated[
        Path | None, typer.Option(help="An .onnx file; the shipped artifact if none.")
    ] = None,
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
    from mien.serve.run import serve as serve_until_stopped
    from mien.serve.settings import Settings, read_limits, read_token

    if detector in (None, "auto", "yunet") and not offline:
        from mien.faces.models import fetch_yunet_once

        fetch_yunet_once(typer.echo)
    options = {
        "host": host,
        "port": port,
        "workers": workers,
        "threads": threads,
        "detector": detector,
        "artifact": model,
        "token": None if token_file is None else read_token(token_file),
        "allow_anyone": allow_anyone or None,
        "allowed_hosts": allowed_host or None,
        "allowed_origins": allowed_origin or None,
        "state_file": state,
        "limits": read_limits(limit or []),
    }
    given = {name: value for name, value in options.items() if value is not None}
    serve_until_stopped(Settings.from_environment(given))


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
    detector: Annotated[str, typer.Option(help=_DETECTOR_HELP)] = "auto",
) -> None:
    """Write what the network sees of a video: a face a second, grey, 48 by 48 pixels."""
    from mien.faces.detect import make_detector
    from mien.faces.extract import extract_faces

    with _stopped_as_by_ctrl_c():
        count = extract_faces(video, out, make_detector(detector), typer.echo)
    typer.echo(f"Wrote {out / 'input_video.mp4'} and {count} faces (image0.png …)")


@models_app.command("download")
def download_models() -> None:
    """Fetch the face detector YuNet (MIT, 0.2 MB) from opencv_zoo into the user's cache."""
    from mien.faces.models import download_yunet

    typer.echo(f"YuNet is at {download_yunet()}")


@app.command(rich_help_panel=TRAIN)
def train(
    experiment: Annotated[
        Path | None,
        typer.Argument(help="Its TOML file; the selected one of experiments/ if none is named."),
    ] = None,
    data: Annotated[Path, typer.Option(help="Labelled faces to train on.")] = Path(
        "data/train.csv"
    ),
    votes: Annotated[Path, typer.Option(help="FER+'s votes, for recipes that learn them.")] = Path(
        "data/fer2013new.csv"
    ),
    runs: Annotated[Path, typer.Option(help="Folder of all run folders.")] = Path("results/runs"),
    results: Annotated[
        Path, typer.Option(help="Where the selected experiment's results go, and all logs.")
    ] = Path("results/model"),
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what an earlier run left.")
    ] = False,
) -> None:
    """Train a network; a run that was stopped goes on where it was."""
    from mien.export import export_file, has_calibrated_export
    from mien.training.config import load_experiment, selected_experiment
    from mien.training.fit import train as train_experiment
    from mien.training.publish import publish_run

    path = experiment or selected_experiment(Path("experiments"))
    run_folder = runs / path.stem
    model = train_experiment(
        path,
        training_data=data,
        votes_file=votes,
        run_folder=run_folder,
        log_folder=results / "logs" / path.stem,
        restart=restart,
    )
    if has_calibrated_export(model, run_folder):
        typer.echo(f"{run_folder} holds its artifact; mien export writes it anew")
    else:
        export_file(model, run_folder, training_data=data)
    if load_experiment(path).status == "selected":
        publish_run(run_folder, results)


@app.command(rich_help_panel=TRAIN)
def pause(
    run_folder: Annotated[Path, typer.Argument(help="Of a run that has not finished.")],
) -> None:
    """Copy a run's newest snapshot in half precision, to go on with it on another machine."""
    from mien.training.pause import pause_run

    typer.echo(f"Wrote {pause_run(run_folder)}; mien train goes on from it")


@app.command(rich_help_panel=TRAIN)
def curves(
    run_folder: Annotated[
        Path | None, typer.Argument(help="Of the selected experiment if none is named.")
    ] = None,
) -> None:
    """Draw the learning curves of a run again, from its history."""
    from mien.training.config import selected_experiment
    from mien.training.curves import redraw_learning_curves

    folder = run_folder or Path("results/runs") / selected_experiment(Path("experiments")).stem
    typer.echo(f"Wrote {redraw_learning_curves(folder)}")


@app.command(rich_help_panel=TRAIN)
def experiments() -> None:
    """Show every experiment with its figures, its cost and what was decided."""
    from mien.training.architecture import iteration_history

    for line in iteration_history(Path("experiments"), Path("results/runs")):
        typer.echo(line)


@app.command(rich_help_panel=TRAIN)
def compare(
    first: Annotated[Path, typer.Argument(help="An .onnx or a .keras file in its run folder.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
    data: Annotated[Path, typer.Option(help="What both were trained on.")] = Path("data/train.csv"),
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
    data: Annotated[Path, typer.Option(help="Labelled faces to score it on.")] = Path(
        "data/test_with_emotions.csv"
    ),
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
    """Score a network: accuracy, every emotion, calibration, confusion matrix."""
    from mien.evaluation.scoring import score_network

    score_network(model, data, out=out, ledger=ledger)


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
    """Write the label and the probabilities of every face as CSV."""
    from mien.evaluation.scoring import predict as predict_faces

    count = predict_faces(model, data, out)
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
        Path, typer.Option(help="What it was trained on: its validation faces calibrate it.")
    ] = Path("data/train.csv"),
) -> None:
    """Turn a trained network into the ONNX artifact that mien runs."""
    from mien.export import export_file

    artifact = export_file(keras_file, out or keras_file.parent, training_data=data)
    typer.echo(f"Wrote {artifact.onnx_path} (SHA-256 {artifact.sha256})")


@app.command(rich_help_panel=TRAIN)
def quantise(
    artifact: Annotated[
        Path | None, typer.Argument(help="An .onnx file; the shipped artifact if none.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")] = Path(
        "results/int8/emotion.onnx"
    ),
    data: Annotated[Path, typer.Option(help="What the network was trained on.")] = Path(
        "data/train.csv"
    ),
) -> None:
    """Turn an artifact into one that computes in 8-bit integers, and compare the two."""
    from mien.export.int8 import quantise_file

    written = quantise_file(artifact, out, training_data=data)
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


@data_app.command("explore")
def explore_data(
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files or folders of faces, one a split; data/train.csv and "
            "data/test_with_emotions.csv if none.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report and the figures.")] = Path(
        "results/data_exploration"
    ),
) -> None:
    """Report class balance, brightness, copies and label conflicts, with figures of the faces."""
    from mien.data.explore import explore, summarise

    paths = data or [Path("data/train.csv"), Path("data/test_with_emotions.csv")]
    for line in summarise(explore(paths, out)):
        typer.echo(line)
    typer.echo(f"Wrote report.json and the figures to {out}; they show faces: do not publish them")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    Args:
        arguments: The words after `mien`; those of the process when None.

    Raises:
        SystemExit: Always; 0 when all went well, 2 for misuse or bad input, 1 for a failure of
            mien itself, 130 after Ctrl-C.
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


@contextlib.contextmanager
def _stopped_as_by_ctrl_c() -> Iterator[None]:
    """Finish the files on SIGTERM (a service is stopped) and SIGHUP (a terminal is closed) too."""
    numbers = [signal.SIGTERM]
    if sys.platform != "win32":
        numbers.append(signal.SIGHUP)
    # nohup ignores SIGHUP, and that is to stay so.
    before = {
        number: signal.getsignal(number)
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN
    }

    def stop(*_: object) -> None:
        # Both may come, and SIGHUP twice; the second one must not break the finishing off.
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _explain(error: Exception) -> tuple[str, int]:
    """Return an error as one line and the exit code that it leads to."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package in _EXTRA_OF_PACKAGE:
            error = MissingExtraError(package, _EXTRA_OF_PACKAGE[package])
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
