"""The iteration history: every experiment with its figures, without Keras."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from mien.core.errors import ModelError
from mien.training.config import Experiment, load_experiment
from mien.training.provenance import is_foreign
from mien.training.run_folder import RunFolder

_OF_FACES = (
    f"{'experiment':<32} {'parameters':>10} {'epochs':>6} {'minutes':>7} "
    f"{'validation':>10} {'test':>6} {'macro F1':>8}  decision"
)

_OVER_TIME = (
    "Temporal networks: the shares of time steps, and of whole sequences, that are right",
    f"{'':<57} {'validation':>17} {'test':>17}",
    f"{'experiment':<32} {'parameters':>10} {'epochs':>6} {'minutes':>7} "
    f"{'steps':>8} {'wholes':>8} {'steps':>8} {'wholes':>8}  decision",
)


def iteration_history(experiments: Path, runs: Path) -> list[str]:
    """Return a table of all experiments, filled from the runs that have really finished.

    Temporal networks have a table of their own: their time steps and sequences are no faces.
    """
    looks, problems = _looks(experiments / "test_scores.jsonl")
    recipes, unread = _recipes(experiments)
    finished, foreign, damaged = _recipes_of_runs(runs)
    # Variants of a recipe, as --set and --seeds make them, have no file of their own.
    variants = {
        name: finished[name] for name in finished if name not in recipes and name not in unread
    }
    own = {name: recipe for name, recipe in recipes.items() if name not in damaged} | variants

    def row(name: str, experiment: Experiment) -> str:
        if name in foreign:
            return f"{name:<32} {'run on other data, see below':>10}"
        run = RunFolder(runs / name)
        return _row(name, experiment, run, _newest_look(looks.get(name, []), run))

    def foreign_row(name: str, experiment: Experiment) -> str:
        return _row(name, experiment, RunFolder(runs / name), None)

    rows = [_OF_FACES, *_by_kind(own, row)]
    if foreign:
        rows += ["", "On other data than FER2013's, so that their figures are not to be compared:"]
        rows += _by_kind(foreign, foreign_row)
    problems += [
        f"{name:<32} cannot be read: {error}" for name, error in [*unread.items(), *damaged.items()]
    ]
    return [*rows, *(["", *problems] if problems else [])]


def _recipes(experiments: Path) -> tuple[dict[str, Experiment], dict[str, ModelError]]:
    """Return the recipes of a folder, and what is wrong with those that cannot be read."""
    recipes, unread = {}, {}
    for path in sorted(experiments.glob("*.toml")):
        try:
            recipes[path.stem] = load_experiment(path)
        except ModelError as error:
            # Somebody is writing it: no reason to end a training that reports all the others.
            unread[path.stem] = error
    return recipes, unread


def _recipes_of_runs(
    runs: Path,
) -> tuple[dict[str, Experiment], dict[str, Experiment], dict[str, ModelError]]:
    """Return those of finished runs, of runs on other data, and what is wrong with other runs."""
    finished, foreign, damaged = {}, {}, {}
    for run in map(RunFolder, sorted(runs.glob("*/"))):
        try:
            metrics = run.read_metrics()
            # Whatever a row needs is read here, so that none of it ends the table.
            _ = run.shown_sha256
            if not run.recipe.is_file():
                continue
            if is_foreign(run):
                foreign[run.path.name] = load_experiment(run.recipe)
            elif "training_minutes" in metrics:
                finished[run.path.name] = load_experiment(run.recipe)
        except ModelError as error:
            damaged[run.path.name] = error
    return finished, foreign, damaged


def _by_kind(
    experiments: Mapping[str, Experiment], row: Callable[[str, Experiment], str]
) -> list[str]:
    """Return the rows of those of faces, and those over time under a heading of their own."""
    faces = [row(*each) for each in experiments.items() if not each[1].is_temporal]
    over_time = [row(*each) for each in experiments.items() if each[1].is_temporal]
    return [*faces, *(["", *_OVER_TIME, *over_time] if over_time else [])]


def _row(name: str, experiment: Experiment, run: RunFolder, test: dict[str, Any] | None) -> str:
    metrics = run.read_metrics()
    if "training_minutes" not in metrics:
        return f"{name:<32} {'not run':>10}"
    cost = (
        f"{name:<32} {metrics['parameters']:>10,} {metrics['epochs']:>6} "
        f"{metrics['training_minutes']:>7.1f}"
    )
    if experiment.is_temporal:
        figures = _figures_over_time(metrics, test)
    else:
        figures = _figures_of_faces(metrics, test)
    return f"{cost} {figures}  {experiment.status}. {experiment.finding}".rstrip()


def _figures_of_faces(metrics: dict[str, Any], test: dict[str, Any] | None) -> str:
    accuracy = f"{test['accuracy']:.1%}" if test else "-"
    macro_f1 = f"{test['macro_f1']:.3f}" if test else "-"
    return f"{metrics['validation_accuracy']:>10.1%} {accuracy:>6} {macro_f1:>8}"


def _figures_over_time(metrics: dict[str, Any], test: dict[str, Any] | None) -> str:
    moments = f"{test['accuracy']:.1%}" if test else "-"
    wholes = f"{test['clip_accuracy']:.1%}" if test else "-"
    return (
        f"{metrics['validation_accuracy']:>8.1%} {metrics['validation_clip_accuracy']:>8.1%} "
        f"{moments:>8} {wholes:>8}"
    )


def faces_seen(entry: Mapping[str, Any]) -> int:
    """Return how many test faces a look was at; entries of before mien 0.2 were at all."""
    return int(entry.get("test_faces") or entry.get("faces", 0))


def _looks(ledger: Path) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """Each experiment's looks at the test faces, those at the most of them last; and problems."""
    if not ledger.exists():
        return {}, []
    entries, problems = [], []
    for number, line in enumerate(ledger.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            entries.append((faces_seen(entry), str(entry["experiment"]), entry))
        except (ValueError, KeyError, TypeError, AttributeError):
            # Two people's lines, not merged yet: no reason to end a training, either.
            problems.append(
                f"{ledger}, line {number}, is no evaluation on the test faces: not counted"
            )
    looks: dict[str, list[dict[str, Any]]] = {}
    for _, name, entry in sorted(entries, key=itemgetter(0)):
        looks.setdefault(name, []).append(entry)
    return looks, problems


def _newest_look(looks: list[dict[str, Any]], run: RunFolder) -> dict[str, Any] | None:
    """Return the newest of the looks at the most faces, of the network that the run left last.

    A run that was trained again has none until it is scored. Which network it left, its sidecar and
    its own figures say; where neither does, every look of its name counts.
    """
    scored = run.read_metrics().get("test", {}).get("sha256")
    networks = {sha256 for sha256 in (run.shown_sha256, scored) if sha256 is not None}
    of_network = [look for look in looks if not networks or look.get("sha256") in networks]
    return of_network[-1] if of_network else None
