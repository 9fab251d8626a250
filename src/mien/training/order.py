"""Which runs to train, and in which order, so that what one learns from is there before it."""

from __future__ import annotations

from pathlib import Path

from mien.core.errors import ModelError
from mien.training.ancestors import check_split
from mien.training.recipe import Recipe, load_recipe
from mien.training.run_folder import RunFolder
from mien.training.start import runs_needed


def recipes_in_order(recipe: Recipe, runs: Path, *, restart: bool = False) -> list[Recipe]:
    """List a recipe after those of the unfinished runs that it needs.

    Args:
        recipe: The recipe; those of the runs that it needs lie in its folder.
        runs: Folder of all run folders.
        restart: What its run has done so far will be thrown away.

    Returns:
        Recipes, each after all that it needs; the given one is the last.

    Raises:
        ModelError: if a recipe is missing or not valid, needs itself by way of others, or would
            train on faces that choose the epoch of one that learns from it.
    """
    if not restart and RunFolder(runs / recipe.name).is_finished:
        return [recipe]
    return _in_order(recipe, runs, needed_by=(), restart=restart)


def _in_order(
    recipe: Recipe, runs: Path, needed_by: tuple[str, ...], *, restart: bool = False
) -> list[Recipe]:
    if recipe.name in needed_by:
        chain = " needs ".join([*needed_by[needed_by.index(recipe.name) :], recipe.name])
        raise ModelError(
            f"{chain}: no run can be the first. Name other teachers, or another start."
        )
    order: list[Recipe] = []
    for name in runs_needed(recipe.experiment, RunFolder(runs / recipe.name), restart=restart):
        if RunFolder(runs / name).is_finished:
            continue
        needed = load_recipe(recipe.folder / f"{name}.toml")
        check_split(name, needed.experiment.split, recipe.experiment.split)
        earlier = _in_order(needed, runs, (*needed_by, recipe.name))
        order += [one for one in earlier if one not in order]
    return [*order, recipe]
