"""The commands and their groups, in the order of `mien --help`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from mien.cli.data import check_data, download_data, explore_data
from mien.cli.deploy import bench, download_models, export_page, preprocess, serve
from mien.cli.measure import compare, evaluate, export, predict, quantise
from mien.cli.recognise import batch, image, live, report, video
from mien.cli.train import curves, experiments, finetune, new_experiment, pause, train

RECOGNISE, TRAIN = "Recognise", "Train, measure and ship a network"  # the parts of --help

app = typer.Typer(
    help="Recognise seven emotions in faces, live; train, measure and ship the network yourself.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

_OF_EACH_PART: dict[str, tuple[Callable[..., None], ...]] = {
    RECOGNISE: (live, video, image, batch, report, bench, serve, preprocess),
    TRAIN: (train, finetune, pause, curves, compare, evaluate, predict, export, quantise),
}
for part, of_part in _OF_EACH_PART.items():
    for command in of_part:
        app.command(rich_help_panel=part)(command)

models_app = typer.Typer(help="Fetch weights that mien can use but does not ship.")
models_app.command("download")(download_models)
app.add_typer(models_app, name="models", rich_help_panel=RECOGNISE)

web_app = typer.Typer(help="The web page without a server.")
web_app.command("export")(export_page)
app.add_typer(web_app, name="web", rich_help_panel=RECOGNISE)

data_app = typer.Typer(help="Download and explore the data set FER2013.")
data_app.command("download")(download_data)
data_app.command("check")(check_data)
data_app.command("explore")(explore_data)
app.add_typer(data_app, name="data", rich_help_panel=TRAIN)

experiments_app = typer.Typer()
experiments_app.callback(invoke_without_command=True)(experiments)
experiments_app.command("new")(new_experiment)
app.add_typer(experiments_app, name="experiments", rich_help_panel=TRAIN)


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
