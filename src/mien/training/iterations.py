"""The iteration history: every experiment with its figures, without Keras."""

from __future__ import annotations

import json
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from mien.core.errors import ModelError
from mien.models.config import TemporalConfig
from mien.training.config import Experiment, load_experiment
from mien.training.provenance import is_foreign
from mien.training.run_folder import RunFolder

_OVER_TIME = (
    "Networks over time: the parts of the moments, and of whole sequences, that are right",
    f"{'':<57} {'validation':>17} {'test':>17}",
    f"{'experiment':<32} {'parameters':>10} {'epochs':>6} {'minutes':>7} "
    f"{'moments':>8} {'wholes':>8} {'moments':>8} {'wholes':>8}  decision",
)


def iteration_history(experiments: Path, runs: Path) -> list[str]:
    """Return a table of all experiments, filled from the runs that have really finished.

    Networks over time have a table of their own: the moments and sequences that they get right are
    no faces.
    """
    looks, problems = _looks(experiments / "test_scores.jsonl")
    rows = [
        f"{'experiment':<32} {'parameters':>10} {'epochs':>6} {'minutes':>7} "
        f"{'validation':>10} {'test':>6} {'macro F1':>8}  decision"
    ]
    recipes = {path.stem: path for path in sorted(experiments.glob("*.toml"))}
    of_faces: dict[str, Experiment] = {}
    over_time: dict[str, Experiment] = {}
    for name, path in recipes.items():
        try:
            experiment = load_experiment(path)
        except ModelError as error:
            # Somebody is writing it: no reason to end a training that reports all the others.
            problems.append(f"{name:<32} cannot be read: {error}")
            continue
        is_over_time = isinstance(experiment.network, TemporalConfig)
        (over_time if is_over_time else of_faces)[name] = experiment
    foreign: dict[str, Experiment] = {}
    for run in map(RunFolder, sorted(runs.glob("*/"))):
        try:
            run.read_metrics()
            if run.recipe.is_file() and is_foreign(run):
                foreign[run.path.name] = load_experiment(run.recipe)
        except ModelError as error:
            problems.append(f"{run.path.name:<32} cannot be read: {error}")
            of_faces.pop(run.path.name, None)
            over_time.pop(run.path.name, None)
    for name, experiment in of_faces.items():
        if name in foreign:
            rows.append(f"{name:<32} {'run on other data, see below':>10}")
        else:
            run = RunFolder(runs / name)
            rows.append(_history_row(name, experiment, run, _newest_look(looks.get(name, []), run)))
    if over_time:
        rows += ["", *_OVER_TIME]
        for name, experiment in over_time.items():
            if name in foreign:
                rows.append(f"{name:<32} {'run on other data, see below':>10}")
            else:
                run = RunFolder(runs / name)
                look = _newest_look(looks.get(name, []), run)
                rows.append(_row_over_time(name, experiment, run, look))
    if foreign:
        rows += ["", "On other data than FER2013's, so that their figures are not to be compared:"]
        clips = [name for name in foreign if isinstance(foreign[name].network, TemporalConfig)]
        rows += [
            _history_row(name, experiment, RunFolder(runs / name), None)
            for name, experiment in foreign.items()
            if name not in clips
        ]
        if clips:
            rows += _OVER_TIME
        rows += [
            _row_over_time(name, foreign[name], RunFolder(runs / name), None) for name in clips
        ]
    return [*rows, *(["", *problems] if problems else [])]


def _history_row(
    name: str, experiment: Experiment, run: RunFolder, test: dict[str, Any] | None
) -> str:
    metrics = run.read_metrics()
    if "training_minutes" not in metrics:
        return f"{name:<32} {'not run':>10}"
    accuracy = f"{test['accuracy']:.1%}" if test else "-"
    macro_f1 = f"{test['macro_f1']:.3f}" if test else "-"
    return (
        f"{_cost(name, metrics)} {metrics['validation_accuracy']:>10.1%} "
        f"{accuracy:>6} {macro_f1:>8}  {_decision(experiment)}"
    ).rstrip()


def _row_over_time(
    name: str, experiment: Experiment, run: RunFolder, test: dict[str, Any] | None
) -> str:
    metrics = run.read_metrics()
    if "training_minutes" not in metrics:
        return f"{name:<32} {'not run':>10}"
    moments = f"{test['accuracy']:.1%}" if test else "-"
    wholes = f"{test['clip_accuracy']:.1%}" if test else "-"
    return (
        f"{_cost(name, metrics)} {metrics['validation_accuracy']:>8.1%} "
        f"{metrics['validation_clip_accuracy']:>8.1%} {moments:>8} {wholes:>8}  "
        f"{_decision(experiment)}"
    ).rstrip()


def _cost(name: str, metrics: dict[str, Any]) -> str:
    return (
        f"{name:<32} {metrics['parameters']:>10,} {metrics['epochs']:>6} "
        f"{metrics['training_minutes']:>7.1f}"
    )


def _decision(experiment: Experiment) -> str:
    return f"{experiment.status}. {experiment.finding}"


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
            problems.append(f"{ledger}, line {number}, is no look at the test faces: not counted")
    looks: dict[str, list[dict[str, Any]]] = {}
    for _, name, entry in sorted(entries, key=itemgetter(0)):
        looks.setdefault(name, []).append(entry)
    return looks, problems


def _newest_look(looks: list[dict[str, Any]], run: RunFolder) -> dict[str, Any] | None:
    """Return the newest of the looks at the most faces, of the network that the run left last.

    A run that was trained anew has none until it is scored. Which network it left, its sidecar and
    its own figures say; where neither does, every look of its name counts.
    """
    scored = run.read_metrics().get("test", {}).get("sha256")
    networks = {sha256 for sha256 in (run.shown_sha256, scored) if sha256 is not None}
    of_network = [look for look in looks if not networks or look.get("sha256") in networks]
    return of_network[-1] if of_network else None
