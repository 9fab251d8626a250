"""`mien data`: the faces to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import GroupsOption, OfflineOption, open_recognizer
from mien.cli.paths import to_read, to_write


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
    directory: Annotated[
        Path, typer.Option(parser=to_write, metavar="PATH", help="Where the files go.")
    ] = Path("data"),
) -> None:
    """Download FER2013 (116 MB) and FER+'s votes (1.6 MB), and check them."""
    from mien.data.download import download

    download(directory, typer.echo, source=source, votes_source=votes_source)


def check_data(
    data: Annotated[
        Path,
        typer.Argument(parser=to_read, help="A folder with a folder per class, or a CSV file."),
    ],
    groups: GroupsOption = "",
    recipe: Annotated[
        Path | None,
        typer.Option(
            parser=to_read,
            metavar="RECIPE",
            help="The recipe whose \\[classes] name them; as they are named if none.",
        ),
    ] = None,
) -> None:
    """Report what a folder or file of faces contains, what was skipped, and what to watch for."""
    from mien.data.check import check_faces

    classes = None
    if recipe is not None:
        from mien.training.recipe import find_recipe

        experiment = find_recipe(recipe).experiment
        classes, groups = experiment.class_table, groups or experiment.data.groups
    for line in check_faces(data, classes, groups=groups):
        typer.echo(line)


def explore_data(
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            parser=to_read,
            help="Files or folders of faces, one per split; data/train.csv and "
            "data/test_with_emotions.csv if none. A folder or manifest of video clips is looked "
            "through by itself.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            parser=to_write, metavar="PATH", help="Folder for the report and the figures."
        ),
    ] = Path("results/data_exploration"),
    offline: OfflineOption = False,
) -> None:
    """Report class balance, brightness, copies and label conflicts, with figures of the faces."""
    from mien.data.clips import holds_clips
    from mien.data.explore import explore, summarise

    paths = data or [Path("data/train.csv"), Path("data/test_with_emotions.csv")]
    if len(paths) == 1 and holds_clips(paths[0]):
        from mien.data.explore_clips import explore_clips

        recognizer = open_recognizer(None, detector=None, offline=offline)
        for line in explore_clips(paths[0], recognizer, out, typer.echo).lines():
            typer.echo(line)
        typer.echo(f"Wrote {out / 'clips.json'}")
        return
    for line in summarise(explore(paths, out)):
        typer.echo(line)
    typer.echo(f"Wrote report.json and the figures to {out}; they show faces: do not publish them")
