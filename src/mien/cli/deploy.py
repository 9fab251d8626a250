"""`mien serve`, `web`, `bench`, `preprocess` and `models`: the service, and what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.console import stopped_as_by_ctrl_c
from mien.cli.options import (
    DetectorOption,
    GateOption,
    ModelOption,
    OfflineOption,
    ProviderOption,
    ReadingOption,
    SmoothOption,
    TemporalOption,
    open_recognizer,
)
from mien.cli.paths import to_read, to_write


def bench(
    path: Annotated[
        Path | None, typer.Argument(parser=to_read, help="A video file; the bundled one if none.")
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
    make = partial(open_recognizer, model, detector=detector, offline=offline, provider=provider)
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
        typer.Option(
            parser=to_read,
            metavar="PATH",
            help="File with the token that clients must show; or MIEN_SERVE_TOKEN.",
        ),
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
        Path | None,
        typer.Option(
            parser=to_write,
            metavar="PATH",
            help="SQLite file of the video jobs (in the user's cache).",
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Such as streams=10; all names: docs/deploy.md. May be repeated.",
        ),
    ] = None,
) -> None:
    """Serve the web page and the HTTP API. Options take precedence over MIEN_SERVE_… variables."""
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


def preprocess(
    video: Annotated[
        str | None,
        typer.Argument(
            help="A video, or a camera's number. If none: 20 s from the webcam or, where there is "
            "none, the bundled video.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(parser=to_write, metavar="PATH", help="The folder to write to.")
    ] = Path("results/preprocessing_test"),
    detector: DetectorOption = None,
    offline: OfflineOption = False,
    model: ModelOption = None,
) -> None:
    """Save the face crops that the network sees, one per second of video."""
    from mien.engine.extract import extract_faces

    recognizer = open_recognizer(model, detector=detector, offline=offline)
    with stopped_as_by_ctrl_c():
        count = extract_faces(video, out, recognizer, typer.echo)
    typer.echo(f"Wrote {out / 'input_video.mp4'} and {count} faces (image0.png …)")


def download_models(
    directory: Annotated[
        Path | None,
        typer.Option(
            parser=to_write, metavar="PATH", help="Where the file goes; the user's cache if none."
        ),
    ] = None,
) -> None:
    """Fetch the face detector YuNet (MIT, 0.2 MB) from opencv_zoo."""
    from mien.faces.models import download_yunet

    typer.echo(f"YuNet is at {download_yunet(directory)}")


def export_page(
    folder: Annotated[
        Path, typer.Argument(parser=to_write, help="An empty folder, made if it is missing.")
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            parser=to_read,
            metavar="PATH",
            help="ONNX file, with its .json beside it. Default: the shipped network.",
        ),
    ] = None,
) -> None:
    """Write the page as plain files that any web server can send; it recognises in the browser."""
    from mien.serve.site import export_site

    size = export_site(folder, model)
    typer.echo(
        f"Wrote the page to {folder} ({size / 1e6:.1f} MB). Try it with  "
        f"python -m http.server --directory {folder}  and put it behind https elsewhere."
    )
