"""Whether "92%" means 92 %: calibration error, and the temperature that mends it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from mien.core.artifact import apply_temperature
from mien.core.errors import DataError

BINS = 15
"""Bins of the calibration error, as in Guo et al. (2017)."""

_TEMPERATURES = (0.1, 10.0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far confidence and accuracy lie apart, in `BINS` bins of equal width.

    Attributes:
        expected_error: Expected calibration error, 0 to 1: the mean over faces of the distance
            between a bin's mean confidence and its accuracy.
        negative_log_likelihood: Mean over faces of -log(probability of the right label), in nats.
        edges: The 16 borders of the bins, 0 to 1; a bin holds its upper border.
        counts: Faces in each bin.
        confidences: Mean confidence in each bin; None in an empty one.
        accuracies: Accuracy in each bin; None in an empty one.
    """

    expected_error: float
    negative_log_likelihood: float
    edges: list[float]
    counts: list[int]
    confidences: list[float | None]
    accuracies: list[float | None]


def measure_calibration(
    probabilities: NDArray[np.float32], labels: NDArray[np.integer]
) -> Calibration:
    """Measure the calibration of the most probable label (Guo et al. 2017, section 2).

    Args:
        probabilities: (N, 7) float32, each row sums to 1.
        labels: (N,) integers 0 to 6.

    Raises:
        DataError: if there is no face.
    """
    if len(labels) == 0:
        raise DataError("Found no labelled face to measure the calibration on.")
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0.0, 1.0, BINS + 1)
    # Rounding may lift a float32 softmax a hair above 1.
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    sum_of_confidence = np.bincount(bins, weights=confidence, minlength=BINS)
    sum_of_correct = np.bincount(bins, weights=correct, minlength=BINS)
    return Calibration(
        expected_error=float(np.abs(sum_of_confidence - sum_of_correct).sum() / len(labels)),
        negative_log_likelihood=negative_log_likelihood(probabilities, labels),
        edges=edges.tolist(),
        counts=counts.tolist(),
        confidences=_means(sum_of_confidence.tolist(), counts.tolist()),
        accuracies=_means(sum_of_correct.tolist(), counts.tolist()),
    )


def fit_temperature(probabilities: NDArray[np.float32], labels: NDArray[np.integer]) -> float:
    """Find the temperature with the smallest negative log-likelihood (Guo et al. 2017, 4.2).

    Fit it on validation faces, never on test faces; `Artifact.temperature` keeps it.

    Args:
        probabilities: (N, 7) float32, the network's own (of temperature 1).
        labels: (N,) integers 0 to 6.

    Returns:
        The temperature, between 0.1 and 10.

    Raises:
        DataError: if there is no face.
    """
    if len(labels) == 0:
        raise DataError("Found no labelled face to fit the temperature on.")

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(
            apply_temperature(probabilities, float(np.exp(log_temperature))), labels
        )

    # The loss has one minimum in the logarithm of the temperature, for it is convex in 1/T.
    best = minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded")
    return float(np.exp(best.x))


def negative_log_likelihood(
    probabilities: NDArray[np.float32], labels: NDArray[np.integer]
) -> float:
    """Return the mean of -log(probability of the right label), in nats.

    Args:
        probabilities: (N, 7) float32, each row sums to 1.
        labels: (N,) integers 0 to 6.
    """
    return float(log_losses(probabilities, labels).mean())


def log_losses(
    probabilities: NDArray[np.float32], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return -log(probability of the right label) of each face, (N,), in nats.

    Args:
        probabilities: (N, 7) float32, each row sums to 1.
        labels: (N,) integers 0 to 6.
    """
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.maximum(right, np.finfo(np.float32).tiny))


def _means(sums: list[float], counts: list[int]) -> list[float | None]:
    return [total / count if count else None for total, count in zip(sums, counts, strict=True)]
