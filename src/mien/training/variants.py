"""Recipes made of a recipe: with changed values, for several seeds, for folds, for own faces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mien.core.errors import SettingError
from mien.data.dataset import name_of_data
from mien.data.infer_classes import infer_classes
from mien.training.config import TrainingConfig
from mien.training.recipe import Recipe

_FIGURES = {
    "held_out_accuracy": ("accuracy on what is held out", "{:.1%}"),
    "held_out_mean_recall": ("mean recall on what is held out", "{:.1%}"),
    "held_out_clip_accuracy": ("whole sequences right of those held out", "{:.1%}"),
    "validation_accuracy": ("accuracy on what chose the epoch", "{:.1%}"),
    "validation_clip_accuracy": ("whole sequences right of those that chose it", "{:.1%}"),
    "validation_loss": ("loss on what chose the epoch", "{:.3f}"),
}


LONGEST_NAME = 200
"""Bytes of a run's name: file systems allow 255, and seeds, folds and locks take some."""


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with some values changed, and named after them.

    Args:
        recipe: The recipe.
        changes: Values by their key, such as "training.learning_rate".

    Raises:
        ModelError: if the result is not valid.
        SettingError: if the name would be too long for a file's.
    """
    if not changes:
        return recipe
    return recipe.variant(_changed_name(recipe.name, changes), changes)


def several(recipe: Recipe, *, seeds: int, folds: int) -> list[Recipe]:
    """Return a recipe for each seed and fold; the recipe itself for one seed and no folds.

    Args:
        recipe: The recipe.
        seeds: How many seeds, from its own on.
        folds: How many folds of cross-validation; 0 for none.

    Raises:
        SettingError: if one fold is asked for.
    """
    if folds == 1:
        raise SettingError("One fold is none: give --folds 2 or more.")
    recipes = [recipe]
    if folds:
        recipes = [
            recipe.variant(
                f"{recipe.name}_fold{fold}of{folds}", {"split.folds": folds, "split.fold": fold}
            )
            for fold in range(1, folds + 1)
        ]
    if seeds > 1:
        first = recipe.experiment.training.seed
        recipes = [
            one.variant(f"{one.name}_seed{seed}", {"training.seed": seed})
            for one in recipes
            for seed in range(first, first + seeds)
        ]
    return recipes


def for_own_faces(
    recipe: Recipe,
    data: Path,
    *,
    groups: str,
    name: str | None,
    changes: Mapping[str, Any],
) -> Recipe:
    """Return a recipe for somebody's faces; it names the classes as they do, if it names none.

    Args:
        recipe: The recipe.
        data: A folder of faces or a CSV file.
        groups: See `mien.training.config.DataConfig`; empty for what the recipe says.
        name: That of the run; "own_" and the data's name if None.
        changes: Other values by their key, which the run is named after as well. They come with
            the classes: a recipe with a head for FER+'s votes is one for own classes without it.

    Raises:
        DataError: if the classes cannot be found out.
        SettingError: if the name is no file's, or too long for one.
        ModelError: if the result is not valid.
    """
    own: dict[str, Any] = {"data.path": str(data)}
    if groups:
        own["data.groups"] = groups
    if recipe.experiment.classes is None:
        classes = infer_classes(data)
        own["classes.names"] = list(classes.names)
        own["classes.other_names"] = dict(classes.other_names)
    run_name = _file_name(name or f"own_{name_of_data(data)}")
    if run_name.startswith("."):
        raise SettingError(f"{name!r} is no name of a run: give one such as own_faces.")
    return recipe.variant(_changed_name(run_name, changes), {**own, **changes})


def spread(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say in lines the mean and the standard deviation of the figures of several runs.

    Args:
        runs: The content of each run's `metrics.json`.
    """
    for key, (name, form) in _FIGURES.items():
        values = [run[key] for run in runs if key in run]
        if len(values) == len(runs):
            mean, deviation = np.mean(values), np.std(values, ddof=1)
            yield (
                f"{name}: {form.format(mean)} ± {form.format(deviation)} (mean and standard "
                f"deviation of {len(values)} runs, {form.format(min(values))} to "
                f"{form.format(max(values))})"
            )


def _changed_name(name: str, changes: Mapping[str, Any]) -> str:
    suffix = ",".join(f"{_short(key)}={value}" for key, value in changes.items())
    changed = _file_name(f"{name},{suffix}") if changes else name
    if len(changed.encode()) > LONGEST_NAME:
        raise SettingError(
            f"The run would be named {changed}: {len(changed.encode())} bytes, and files of it "
            f"have room for {LONGEST_NAME}. Copy the recipe with `mien experiments new NAME "
            "--from RECIPE`, and change it there."
        )
    return changed


def _short(key: str) -> str:
    """Return a key without its table; with it where `[training]` has a key of the same name."""
    table, _, last = key.rpartition(".")
    return key if table != "training" and last in TrainingConfig.model_fields else last


def _file_name(text: str) -> str:
    return re.sub(r'[\s/\\:*?"<>|\[\]\']+', "_", text)
