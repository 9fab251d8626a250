"""How sure a network should be: its log-likelihood, and the temperature that makes it best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from mien.classifier.reading import apply_temperature
from mien.core.errors import DataError

_TEMPERATURES = (0.1, 10.0)

FEW_FACES = 50
"""So few faces, all of them right perhaps, are no reason to be surer than the network is."""


def fit_temperature(probabilities: NDArray[np.float32], truth: NDArray[Any]) -> float:
    """Find the temperature with the smallest negative log-likelihood (Guo et al. 2017, 4.2).

    Fit it on validation faces, never on test faces; `Reading.temperature` keeps it.

    Args:
        probabilities: (N, C) float32, at temperature 1.
        truth: (N,) integer labels, 0 to C - 1, or (N, C) shares of votes that sum to 1.

    Returns:
        The temperature, between 0.1 and 10; of fewer faces than `FEW_FACES` at least 1.

    Raises:
        DataError: if there is no face.
    """
    if len(truth) == 0:
        raise DataError("Found no labelled face to fit the temperature on.")

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(
            apply_temperature(probabilities, float(np.exp(log_temperature))), truth
        )

    # The loss has one minimum in the logarithm of the temperature, for it is convex in 1/T.
    best = minimize_scalar(loss, bounds=np.log(_TEMPERATURES), method="bounded")
    temperature = float(np.exp(best.x))
    return max(temperature, 1.0) if len(truth) < FEW_FACES else temperature


def negative_log_likelihood(probabilities: NDArray[np.float32], truth: NDArray[Any]) -> float:
    """Return the mean of `log_losses`, in nats; the arguments are the same."""
    return float(log_losses(probabilities, truth).mean())


def log_losses(probabilities: NDArray[np.float32], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cross-entropy of each face, (N,), in nats.

    Args:
        probabilities: (N, C) float32, each row sums to 1.
        truth: (N,) integer labels, for -log(probability of the right one), or (N, C) shares of
            votes, for its mean over the votes.
    """
    logs = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
    losses: NDArray[np.float64] = -(as_shares(truth, logs.shape[1]) * logs).sum(axis=1)
    return losses


def as_shares(truth: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Return (N,) labels as (N, `count`) shares of 0 and 1; shares as they are."""
    return np.eye(count)[truth] if truth.ndim == 1 else truth.astype(np.float64)
