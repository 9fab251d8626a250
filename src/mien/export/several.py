"""Train one recipe or several, each to its artifact; of several, say how far the figures spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mien.core.artifact import Artifact
from mien.core.errors import MienError, MissingExtraError
from mien.export.publish import train_and_publish
from mien.training.recipe import Recipe
from mien.training.run_folder import RunFolder
from mien.training.variants import spread


def train_several(
    recipes: Sequence[Recipe],
    *,
    training_data: Path | None,
    votes_file: Path,
    runs: Path,
    results: Path,
    say: Callable[[str], None],
    restart: bool = False,
) -> list[Artifact]:
    """Train recipes one after the other; of several, say mean and spread.

    One that is no better than chance counts in mean and spread, which would be too good without.

    Args:
        recipes: At least one.
        training_data: See `train_and_publish`, also for the others and what is raised.
        votes_file: See there.
        runs: See there.
        results: See there.
        say: Called with each line for the user.
        restart: See there.

    Returns:
        The artifacts; none after training with a backend that cannot export.

    Raises:
        MienError: as `train_and_publish`; of several the first one that fails ends it, and the
            message says which and what is kept.
    """
    artifacts: list[Artifact | None] = []
    for number, recipe in enumerate(recipes):
        try:
            artifact = train_and_publish(
                recipe,
                training_data=training_data,
                votes_file=votes_file,
                runs=runs,
                results=results,
                say=say,
                restart=restart,
            )
        except MienError as error:
            if len(recipes) == 1 or isinstance(error, MissingExtraError):
                raise
            again = "without --restart " if restart else ""
            raise type(error)(
                f"{recipe.name}, run {number + 1} of {len(recipes)}, failed: {error} "
                f"Finished before it, and kept: {number}. The same command {again}goes on."
            ) from error
        artifacts.append(artifact)
    if len(recipes) > 1:
        for line in spread([RunFolder(runs / recipe.name).read_metrics() for recipe in recipes]):
            say(line)
    return [artifact for artifact in artifacts if artifact is not None]
