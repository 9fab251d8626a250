"""`mien train`, `finetune`, `pause`, `curves` and `experiments`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.options import (
    FoldsOption,
    GroupsOption,
    RestartOption,
    RunsOption,
    SeedsOption,
    SetOption,
    VotesOption,
    fetch_detector_for_clips,
)
from mien.cli.paths import to_read, to_write


def train(
    experiment: Annotated[
        Path | None,
        typer.Argument(
            parser=to_read,
            metavar="[RECIPE]",
            help="A recipe's TOML file, or the name of one that ships with mien. Default: the "
            "selected one of experiments/.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            parser=to_read,
            metavar="PATH",
            help="Labelled faces to train on, a file or a folder; those of the recipe, else "
            "data/train.csv, if none.",
        ),
    ] = None,
    votes: VotesOption = Path("data/fer2013new.csv"),
    runs: RunsOption = Path("results/runs"),
    results: Annotated[
        Path,
        typer.Option(
            parser=to_write,
            metavar="PATH",
            help="Where the selected experiment's results go, and all logs.",
        ),
    ] = Path("results/model"),
    changes: SetOption = None,
    seeds: SeedsOption = 1,
    folds: FoldsOption = 0,
    restart: RestartOption = False,
) -> None:
    """Train a network, and its teachers first; resumes an interrupted run."""
    from mien.training.config import selected_experiment
    from mien.training.provenance import data_of
    from mien.training.recipe import find_recipe, parse_changes
    from mien.training.variants import changed, several

    recipe = find_recipe(experiment or selected_experiment(Path("experiments")))
    recipes = several(changed(recipe, parse_changes(changes or [])), seeds=seeds, folds=folds)
    if recipe.experiment.is_temporal:
        fetch_detector_for_clips(data or data_of(recipe.experiment))
    # Keras takes seconds to import: a slip is said before.
    from mien.export.several import train_several

    train_several(
        recipes,
        training_data=data,
        votes_file=votes,
        runs=runs,
        results=results,
        say=typer.echo,
        restart=restart,
    )


def finetune(
    data: Annotated[
        Path,
        typer.Argument(
            parser=to_read, help="Your faces: a folder with a folder of pictures per class, or CSV."
        ),
    ],
    recipe: Annotated[
        Path,
        typer.Option(
            parser=to_read,
            metavar="RECIPE",
            help="A recipe's TOML file, or the name of one that ships with mien.",
        ),
    ] = Path("finetune"),
    name: Annotated[
        str | None, typer.Option(help="Name of the run. If none: own_ and the name of the data.")
    ] = None,
    groups: GroupsOption = "",
    runs: RunsOption = Path("results/runs"),
    results: Annotated[
        Path, typer.Option(parser=to_write, metavar="PATH", help="Where TensorBoard's logs go.")
    ] = Path("results/model"),
    changes: SetOption = None,
    seeds: SeedsOption = 1,
    folds: FoldsOption = 0,
    restart: RestartOption = False,
) -> None:
    """Fine-tune the shipped network on your own faces and labels.

    Use the result with --model in live, video, image, batch, serve, bench, evaluate and predict.
    """
    from mien.training.recipe import find_recipe, parse_changes
    from mien.training.variants import for_own_faces, several

    own = for_own_faces(
        find_recipe(recipe),
        data,
        groups=groups,
        name=name,
        changes=parse_changes(changes or []),
    )
    recipes = several(own, seeds=seeds, folds=folds)
    from mien.export.several import train_several

    artifacts = train_several(
        recipes,
        training_data=data,
        votes_file=Path("data/fer2013new.csv"),
        runs=runs,
        results=results,
        say=typer.echo,
        restart=restart,
    )
    for artifact in artifacts[:1]:
        typer.echo(f"See it:  mien live --model {artifact.onnx_path}")


def pause(
    run_folder: Annotated[
        Path, typer.Argument(parser=to_read, help="Folder of a run that has not finished.")
    ],
) -> None:
    """Save a run's newest snapshot in half precision, to resume it elsewhere."""
    from mien.training.pause import pause_run
    from mien.training.run_folder import RunFolder

    typer.echo(f"Wrote {pause_run(RunFolder(run_folder))}; mien train goes on from it")


def curves(
    run_folder: Annotated[
        Path | None,
        typer.Argument(
            parser=to_read,
            help="A run folder; if none, that of the run trained here last, else of the selected "
            "experiment.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_write, metavar="PATH", help="The PNG file to write; that of the run if none."
        ),
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


def experiments(context: typer.Context) -> None:
    """Show every experiment with its figures, its cost and what was decided."""
    if context.invoked_subcommand is not None:
        return
    from mien.training.config import check_experiments
    from mien.training.iterations import iteration_history

    recipes = Path("experiments")
    check_experiments(recipes)
    for line in iteration_history(recipes, Path("results/runs")):
        typer.echo(line)


def new_experiment(
    name: Annotated[str, typer.Argument(help="Its name, such as 100_own.")],
    origin: Annotated[
        Path,
        typer.Option(
            "--from",
            parser=to_read,
            metavar="RECIPE",
            help="A recipe's TOML file, or the name of one that ships with mien.",
        ),
    ] = Path("003"),
    folder: Annotated[
        Path, typer.Option(parser=to_write, metavar="PATH", help="Where it goes.")
    ] = Path("experiments"),
) -> None:
    """Write a recipe to change, as a copy of another one."""
    from mien.training.recipe_file import new_recipe

    path = new_recipe(name, origin, folder)
    typer.echo(f"Wrote {path}; train it with  mien train {path}")
