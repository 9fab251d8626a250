"""What a run trains, on what, and where to; what every run does before it learns."""

from __future__ import annotations

import importlib
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mien.core.errors import ModelError, OutputError, SettingError
from mien.core.files import write_atomically
from mien.training.config import Experiment, load_experiment
from mien.training.pause import take_up_run
from mien.training.recipe import Recipe
from mien.training.run_folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One run, as it was asked for.

    Attributes:
        recipe: The experiment.
        training_data: What to learn from: labelled faces, in any format of
            `mien.data.fer2013.load_dataset`, or for a temporal network clips as well, see
            `mien.data.clips`.
        votes_file: FER+'s `fer2013new.csv`; read only where the recipe needs it.
        run: Where everything of the run is kept.
        log_folder: TensorBoard's folder for this run.
        say: Called with each line for the user.
        restart: Throw away what an earlier run left in the folder.
    """

    recipe: Recipe
    training_data: Path
    votes_file: Path
    run: RunFolder
    log_folder: Path
    say: Callable[[str], None]
    restart: bool = False

    @property
    def experiment(self) -> Experiment:
        """The recipe's content."""
        return self.recipe.experiment


def check_folders(job: TrainingJob) -> None:
    """Refuse folders of a run in which a training would write to, or throw away, somebody's files.

    Raises:
        SettingError: if the run folder or TensorBoard's is, holds or lies in the training data; or
            if one that is to be thrown away holds something else than a run.
    """
    data = job.training_data.resolve()
    for folder in (job.run.path, job.log_folder):
        place = folder.resolve()
        if place.is_relative_to(data) or data.is_relative_to(place):
            raise SettingError(
                f"The run would be written to {folder}, which is, holds or lies in the training "
                f"data {job.training_data}: name another folder with --runs or --results, or give "
                "the run another name."
            )
    is_run = job.run.recipe.is_file()
    is_log = any(job.log_folder.rglob("events.out.tfevents.*"))
    for folder, known in ((job.run.path, is_run), (job.log_folder, is_log)):
        if job.restart and not known and folder.is_dir() and any(folder.iterdir()):
            raise SettingError(
                f"{folder} is not empty and holds no run of mien, so that --restart does not throw "
                "it away: name another folder with --runs or --results, give the run another name, "
                "or empty it yourself."
            )


def check_recipe(job: TrainingJob) -> None:
    """Refuse a folder that holds a run of another recipe.

    Raises:
        ModelError: if it does.
    """
    kept = job.run.recipe
    if kept.exists() and _compared(load_experiment(kept)) != _compared(job.experiment):
        raise ModelError(
            f"{job.run.path} holds a run of another recipe than {job.recipe.name}: "
            "rename the experiment, or throw that run away with --restart."
        )


def _compared(experiment: Experiment) -> dict[str, Any]:
    """Return what decides what is learnt; title, finding and where the data lie do not."""
    return experiment.model_dump(
        include={
            *("network", "classes", "augmentation", "split", "training", "distillation"),
            "sequences",
        }
    )


def prepare_run_folder(job: TrainingJob) -> None:
    """Make the run folder, or leave in it what a run of the same recipe can go on with.

    Raises:
        OutputError: if what is to be thrown away cannot be removed.
    """
    if job.restart:
        _throw_away(job.run)
        shutil.rmtree(job.log_folder, ignore_errors=True)
    job.run.path.mkdir(parents=True, exist_ok=True)
    keep_recipe(job)
    take_up_run(job.run)


def _throw_away(run: RunFolder) -> None:
    """Remove a run so that whatever a kill leaves of it, no training goes on from it.

    What could be gone on from goes first; the recipe, by which it is known as a run, last.
    """
    first = [run.state, run.paused, run.network]
    others = run.path.iterdir() if run.path.is_dir() else ()
    rest = [path for path in others if path not in (*first, run.recipe)]
    try:
        for path in (*first, *rest, run.recipe):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{error.filename} of the run that --restart throws away cannot be removed: "
            f"{error.strerror}."
        ) from None


def keep_recipe(job: TrainingJob) -> None:
    """Write the recipe's text into the run folder, with what has been found since."""
    write_atomically(job.run.recipe, job.recipe.text)


def describe_environment(network: keras.Model) -> dict[str, str]:
    """Say which software and arithmetic made the weights."""
    backend = importlib.import_module(keras.backend.backend())
    return {
        "python": platform.python_version(),
        "platform": platform.system() + " " + platform.machine(),
        "keras": keras.__version__,
        "backend": f"{backend.__name__} {backend.__version__}",
        "numpy": np.__version__,
        "precision": network.layers[1].dtype_policy.name,
    }
