"""Train, export and publish an experiment: what `mien train` does, as one function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from mien.core.artifact import Artifact, load_artifact
from mien.export.onnx_file import export_file, has_calibrated_export
from mien.export.temporal import export_temporal
from mien.models.build import check_weights
from mien.training.device import export_needs
from mien.training.fit import train
from mien.training.job import TrainingJob
from mien.training.order import recipes_in_order
from mien.training.provenance import data_of
from mien.training.publish import is_better_than_chance, publish_run
from mien.training.readings import LABELS
from mien.training.recipe import Recipe
from mien.training.run_folder import RunFolder
from mien.training.snapshots import newest_of
from mien.training.temporal import train_temporal

_RUNS = Path("results/runs")
"""Where runs lie unless their folder is named."""

_NOT_EXPORTED = (
    "There is no artifact yet: run the same command where TensorFlow is, without KERAS_BACKEND."
)


def train_and_publish(
    recipe: Recipe,
    *,
    training_data: Path | None,
    votes_file: Path,
    runs: Path,
    results: Path,
    say: Callable[[str], None],
    restart: bool = False,
) -> Artifact | None:
    """Train an experiment, export its network, and publish it if the experiment is selected.

    A network that is no better than chance is not published.

    What it learns from, or starts from, is trained first. A run that was stopped goes on where it
    was; what is done already is left alone.

    Args:
        recipe: The experiment.
        training_data: Labelled faces, in any format of `mien.data.fer2013.load_dataset`; None for
            those of each recipe.
        votes_file: FER+'s `fer2013new.csv`; read only if the recipe has a vote head.
        runs: Folder of all run folders.
        results: Where the selected experiment's results go, and all logs.
        say: Called with each line for the user.
        restart: Throw away what an earlier run of this experiment left.

    Returns:
        The run's artifact; None after training with a backend that cannot export.

    Raises:
        ModelError: if the experiment is not valid, its run cannot go on, or its network would
            replace a calibrated artifact by one that is not.
        DataError: if the faces cannot be read or have no labels.
        MissingExtraError: if published weights are wanted that are not installed.
    """
    logs = results / "logs" / _name_of_logs(runs)

    def job_of(one: Recipe, *, restart: bool) -> TrainingJob:
        return TrainingJob(
            recipe=one,
            training_data=training_data or data_of(one.experiment),
            votes_file=votes_file,
            run=RunFolder(runs / one.name),
            log_folder=logs / one.name,
            say=say,
            restart=restart,
        )

    run = RunFolder(runs / recipe.name)
    if recipe.experiment.is_temporal:
        train_temporal(job_of(recipe, restart=restart))
        if export_needs() is not None:
            say(_NOT_EXPORTED)
            return None
        written = export_temporal(run)
        say(f"wrote {written.onnx_path}; see it:  mien live --temporal {written.onnx_path}")
        return None
    recipes = recipes_in_order(recipe, runs, restart=restart)
    for one in recipes:
        if _begins(RunFolder(runs / one.name), restart=restart and one == recipe):
            check_weights(one.experiment.network)  # not after the hours of those before it
    for one in recipes:
        say(f"training {one.name}")
        job = job_of(one, restart=restart and one == recipe)
        network = train(job)
    if export_needs() is not None:
        say(_NOT_EXPORTED)
        return None
    if has_calibrated_export(network, run.artifact):
        artifact = load_artifact(run.artifact)
        say(f"{run.path} holds its artifact; mien export writes it again")
    else:
        artifact = export_file(
            network, run.path, training_data=job.training_data, votes_file=votes_file, say=say
        )
    if recipe.experiment.status == "selected":
        if is_better_than_chance(artifact.readings[LABELS]):
            publish_run(run, RunFolder(results))
        else:
            say(f"{results} is left as it was: this network is no better than chance")
    return artifact


def _name_of_logs(runs: Path) -> str:
    """Return the folder of a folder of runs among the logs: the same experiment has one in each.

    The default one has no folder, those beside it their names; others may be called the same.
    """
    place = runs.resolve()
    if place == _RUNS.resolve():
        return ""
    # The folder of runs may be a link to a larger disk.
    if runs.absolute().parent.resolve() == _RUNS.absolute().parent.resolve():
        return runs.absolute().name
    return f"{place.name}_{hashlib.sha256(str(place).encode(errors='replace')).hexdigest()[:8]}"


def _begins(run: RunFolder, *, restart: bool) -> bool:
    """Whether a run starts from its first weights: it has not finished, and has no snapshot."""
    return restart or (not run.is_finished and newest_of(run.state, run.paused) is None)
