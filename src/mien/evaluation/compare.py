"""Which of two networks is better on the validation faces, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from mien.classifier.classifier import Classifier
from mien.classifier.reading import apply_temperature
from mien.core.errors import DataError, ModelError
from mien.data.test_faces import find_test_faces
from mien.evaluation.metrics import students_t_95, variance_between_groups
from mien.evaluation.network import fit_faces, open_network
from mien.evaluation.report import label_reading
from mien.training.ancestors import ancestors_of, who_learnt_near_copies
from mien.training.config import load_experiment
from mien.training.faces import LabelledFaces, load_faces_of, split_faces
from mien.training.provenance import LARGEST_TEST_PART, check_data, data_of_run
from mien.training.run_folder import RunFolder
from mien.training.temperature import fit_temperature, log_losses

RESAMPLES = 2_000
"""Resamples of the paired bootstrap."""

ROUNDING = 1e-5
"""So little of a difference comes from how two runtimes round, not from the networks."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean over faces in one network, in another, and how far the two lie apart.

    Attributes:
        first: The first network's mean.
        second: The second network's mean.
        low: Lower end of the 95 % interval of `second - first`.
        high: Upper end of it.
    """

    first: float
    second: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0, by more than rounding."""
        return self.low > ROUNDING or self.high < -ROUNDING


def compare_networks(first: Path, second: Path, *, training_data: Path | None) -> list[str]:
    """Compare two finished runs on the validation faces that they share.

    Both answer for the same faces, so that the difference of a face is resampled, not the two
    answers (paired bootstrap, percentile interval, Efron and Tibshirani 1993): two networks can be
    told apart on 2,868 faces whose accuracies alone could not. Of faces with groups it is the
    spread of the difference between groups that counts (`compare_means`).

    Only an `.onnx` file brings its temperature along, so that it is undone: each network gets one
    fitted on these very faces, one number for 2,868, and the log-losses are those of two calibrated
    networks. The accuracy does not depend on it.

    Args:
        first: An `.onnx` or a `.keras` file in its run folder.
        second: Another one.
        training_data: What both were trained on; None for what the first one's run names, else
            `data/train.csv`.

    Returns:
        Lines of text.

    Raises:
        ModelError: if the two had other faces or other validation faces, tell other labels apart,
            or cannot be opened.
        DataError: if the faces cannot be read, or are FER2013's test faces.
    """
    opened = [open_network(path) for path in (first, second)]
    networks = [network.with_reading(label_reading(network)) for network in opened]
    experiments = [network.artifact.experiment for network in networks]
    runs = [RunFolder(path.parent) for path in (first, second)]
    recipes = [
        run.find_recipe(experiment) for run, experiment in zip(runs, experiments, strict=True)
    ]
    _refuse_other_validation(first, second, recipes)
    if networks[0].labels != networks[1].labels:
        told_apart = [", ".join(network.labels) for network in networks]
        raise ModelError(
            f"{first} tells apart {told_apart[0]}; {second} {told_apart[1]}: networks of the same "
            "labels are compared."
        )
    faces, validation = _shared_validation(recipes[0], runs, training_data)
    answers, temperatures = zip(
        *(_calibrated_answers(network, validation) for network in networks), strict=True
    )
    losses = [log_losses(answer, validation.labels) for answer in answers]
    hits = [(answer.argmax(axis=1) == validation.labels).astype(np.float64) for answer in answers]
    loss = compare_means(losses[0], losses[1], validation.groups)
    right = compare_means(hits[0], hits[1], validation.groups)
    of_groups = ""
    if validation.groups is not None:
        of_groups = f" of {len(np.unique(validation.groups)):,} groups"
    near_copies = _told_of_near_copies(experiments, runs, faces)
    return [
        *([faces.told_of_skipped] if faces.told_of_skipped else []),
        *([near_copies] if near_copies else []),
        f"{len(validation.labels):,} validation faces{of_groups}, each network calibrated on them",
        f"first:  {experiments[0]}, {first}, temperature {temperatures[0]:.3f}",
        f"second: {experiments[1]}, {second}, temperature {temperatures[1]:.3f}",
        _line("calibrated log-loss", loss, factor=1, digits=4, better="lower"),
        _line("accuracy, %", right, factor=100, digits=2, better="higher"),
    ]


def _refuse_other_validation(first: Path, second: Path, recipes: list[Path]) -> None:
    """Refuse networks whose epochs were chosen on different faces."""
    splits = [load_experiment(recipe).split for recipe in recipes]
    kinds = {
        # Of folds, near-copies are left out before the validation is drawn.
        (
            *(one.validation_fraction, one.seed, one.folds, one.fold),
            one.near_copies_apart and one.folds > 0,
        )
        for one in splits
    }
    if len(kinds) > 1:
        raise ModelError(
            f"{first} and {second} were not chosen on the same validation faces: "
            f"{recipes[0]} and {recipes[1]} differ in [split]."
        )


def _told_of_near_copies(
    experiments: list[str], runs: list[RunFolder], faces: LabelledFaces
) -> str | None:
    """Say which network has the advantage of near-copies of the validation faces, if one has."""
    # The folder of the shipped network does not say where it comes from.
    found = [
        run if run.recipe.is_file() else RunFolder(Path("results/runs") / experiment)
        for run, experiment in zip(runs, experiments, strict=True)
    ]
    learnt = [who_learnt_near_copies(ancestors_of([run]), faces) for run in found]
    if bool(learnt[0]) == bool(learnt[1]):
        return None
    names, ahead, behind = (
        (learnt[0], *experiments) if learnt[0] else (learnt[1], *reversed(experiments))
    )
    return (
        f"{', '.join(names)} learnt near-copies of these faces: the figures of {ahead} are a "
        f"little too good beside those of {behind}, which comes from none"
    )


def _shared_validation(
    recipe: Path, runs: list[RunFolder], training_data: Path | None
) -> tuple[LabelledFaces, LabelledFaces]:
    """Return all faces that the runs had, and those of them that chose their epochs."""
    training_data = training_data or data_of_run(runs[0])
    faces, split = load_faces_of(recipe, training_data, None)
    for run in runs:
        check_data(faces, run)
    _, validation = split_faces(faces, split)
    of_test = np.mean(find_test_faces(validation.faces_u8) >= 0)
    if of_test > LARGEST_TEST_PART:
        raise DataError(
            f"{of_test:.0%} of the faces of {training_data} to compare on are FER2013's test "
            "faces; networks are compared on validation faces: give what both were trained on. "
            "`mien evaluate` scores on the test faces, and logs it."
        )
    return faces, validation


def _calibrated_answers(
    network: Classifier, faces: LabelledFaces
) -> tuple[NDArray[np.float32], float]:
    """Return (N, K) probabilities at the temperature that suits these faces best, and that."""
    faces_u8 = fit_faces(faces.faces_u8, network.artifact.input)
    answered = network.classify(faces_u8).probabilities
    own = apply_temperature(answered, 1 / network.reading.temperature)
    temperature = fit_temperature(own, faces.labels)
    return apply_temperature(own, temperature), temperature


def compare_means(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    groups: NDArray[np.str_] | None = None,
) -> Difference:
    """Compare two means of the same faces.

    Faces that stand for themselves are resampled: a paired bootstrap of fixed seed. Faces of a
    group, such as a person, are alike, and of few groups a bootstrap's interval would be far too
    narrow. There the interval comes from the variance of the mean difference between the G groups,
    linearised, with Student's t of G - 1 degrees of freedom (`variance_between_groups`).
    It is at least that of as many faces that stand for themselves.

    Args:
        first: (N,) float64, a value of each face.
        second: (N,) float64.
        groups: (N,) names. Of a single one, nothing is known about others: the interval has no
            ends. None where each face stands for itself.
    """
    means = float(first.mean()), float(second.mean())
    difference = second - first
    if not difference.any():
        return Difference(*means, 0.0, 0.0)
    if groups is not None:
        group_count = len(np.unique(groups))
        if group_count == 1:
            return Difference(*means, -np.inf, np.inf)
        # Groups that differ less than their faces do by chance say no more than these.
        independent = float(difference.var()) / len(difference)
        variance = max(variance_between_groups(difference, groups), independent)
        half = students_t_95(group_count) * variance**0.5
        middle = float(difference.mean())
        return Difference(*means, middle - half, middle + half)
    if len(difference) == 1:
        return Difference(*means, -np.inf, np.inf)
    interval = bootstrap(
        (difference,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=100,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Difference(*means, float(interval.low), float(interval.high))


def _line(name: str, difference: Difference, *, factor: float, digits: int, better: str) -> str:
    first, second, low, high = (
        factor * value
        for value in (difference.first, difference.second, difference.low, difference.high)
    )
    verdict = "clear" if difference.is_clear else "not clear"
    return (
        f"{name} ({better} is better): {first:.{digits}f} and {second:.{digits}f}, "
        f"difference {second - first:+.{digits}f} "
        f"(95% interval {low:+.{digits}f} to {high:+.{digits}f}): {verdict}"
    )
