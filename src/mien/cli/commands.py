"""The commands and their groups, in the order of `mien --help`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from mien.cli.data import check_data, download_data, explore_data
from mien.cli.deploy import bench, download_models, export_page, preprocess, serve
from mien.cli.measure import compare, evaluate, export, predict, quantise
from mien.cli.recognise import batch, image, live, report, video
from mien.cli.train import curves, experiments, finetune, new_experiment, pause, train

RECOGNISE, TRAIN = "Recognise", "Train, measure and ship a network"  # the parts of --help


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_type_of_switches(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_type_of_switches(super().get_params(ctx))


def _without_type_of_switches(params: list[Any]) -> list[Any]:
    """Let the help show `--blur`, not `--blur <bool>`, which looks as if a word had to follow."""
    for param in params:
        if isinstance(param, TyperOption) and param.is_bool_flag:
            param.metavar = ""
    return params


app = typer.Typer(
    cls=_Group,
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
        app.command(rich_help_panel=part, cls=_Command)(command)

models_app = typer.Typer(cls=_Group, help="Fetch weights that mien can use but does not ship.")
models_app.command("download", cls=_Command)(download_models)
app.add_typer(models_app, name="models", rich_help_panel=RECOGNISE)

web_app = typer.Typer(cls=_Group, help="The web page without a server.")
web_app.command("export", cls=_Command)(export_page)
app.add_typer(web_app, name="web", rich_help_panel=RECOGNISE)

data_app = typer.Typer(
    cls=_Group, help="Download FER2013; check your own faces; explore faces or video clips."
)
data_app.command("download", cls=_Command)(download_data)
data_app.command("check", cls=_Command)(check_data)
data_app.command("explore", cls=_Command)(explore_data)
app.add_typer(data_app, name="data", rich_help_panel=TRAIN)

experiments_app = typer.Typer(cls=_Group)
experiments_app.callback(invoke_without_command=True)(experiments)
experiments_app.command("new", cls=_Command)(new_experiment)
app.add_typer(experiments_app, name="experiments", rich_help_panel=TRAIN)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mien {version('mien')}")
        raise typer.Exit


@app.callback()
def _options(
    _debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Show the traceback of an error; may stand anywhere on the line."
        ),
    ] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass
