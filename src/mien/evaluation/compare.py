"""Which of two networks is better on the validation faces, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from mien.core.artifact import apply_temperature
from mien.core.errors import ModelError
from mien.evaluation.network import open_network
from mien.training.config import load_experiment
from mien.training.faces import find_recipe, load_split
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


def compare_networks(first: Path, second: Path, *, training_data: Path) -> list[str]:
    """Compare two finished runs on the validation faces that they share.

    Both answer for the same faces, so that the difference of a face is resampled, not the two
    answers (paired bootstrap, percentile interval, Efron and Tibshirani 1993): two networks can be
    told apart on 2,868 faces whose accuracies alone could not.

    Only an `.onnx` file brings its temperature along, so that it is undone: each network gets one
    fitted on these very faces, one number for 2,868, and the log-losses are those of two calibrated
    networks. The accuracy does not depend on it.

    Args:
        first: An `.onnx` or a `.keras` file in its run folder.
        second: Another one.
        training_data: What both were trained on.

    Returns:
        Lines of text.

    Raises:
        ModelError: if the two had other validation faces, or cannot be opened.
        DataError: if the faces cannot be read.
    """
    networks = [open_network(path) for path in (first, second)]
    recipes = [find_recipe(network.path.parent, network.experiment) for network in networks]
    splits = [load_experiment(recipe).split for recipe in recipes]
    if len({(split.validation_fraction, split.seed) for split in splits}) > 1:
        raise ModelError(
            f"{first} and {second} were not chosen on the same validation faces: "
            f"{recipes[0]} and {recipes[1]} differ in [split]."
        )
    _, validation = load_split(recipes[0], training_data)
    answers = []
    temperatures = []
    for network in networks:
        own = apply_temperature(network.classify(validation.faces_u8), 1 / network.temperature)
        temperatures.append(fit_temperature(own, validation.labels))
        answers.append(apply_temperature(own, temperatures[-1]))
    loss = compare_means(*(log_losses(answer, validation.labels) for answer in answers))
    hits = compare_means(
        *((answer.argmax(axis=1) == validation.labels).astype(float) for answer in answers)
    )
    return [
        f"{len(validation.labels):,} validation faces, each network calibrated on them",
        f"first:  {networks[0].experiment}, {first}, temperature {temperatures[0]:.3f}",
        f"second: {networks[1].experiment}, {second}, temperature {temperatures[1]:.3f}",
        _line("calibrated log-loss", loss, factor=1, digits=4, better="lower"),
        _line("accuracy, %", hits, factor=100, digits=2, better="higher"),
    ]


def compare_means(first: NDArray[np.float64], second: NDArray[np.float64]) -> Difference:
    """Compare two means of the same N faces, with a paired bootstrap of fixed seed."""
    difference = second - first
    if not difference.any():
        return Difference(float(first.mean()), float(second.mean()), 0.0, 0.0)
    interval = bootstrap(
        (difference,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=100,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Difference(
        float(first.mean()), float(second.mean()), float(interval.low), float(interval.high)
    )


def _line(name: str, difference: Difference, *, factor: float, digits: int, better: str) -> str:
    first, second, low, high = (
        factor * value
        for value in (difference.first, difference.second, difference.low, difference.high)
    )
    verdict = "clear" if difference.is_clear else "not clear"
    return (
        f"{name} ({better} is better): {first:.{digits}f} and {second:.{digits}f}, "
        f"difference {second - first:+.{digits}f} "
        f"(95 % interval {low:+.{digits}f} to {high:+.{digits}f}): {verdict}"
    )
