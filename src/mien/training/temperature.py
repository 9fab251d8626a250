"""How sure a network should be: its log-likelihood, and the temperature that makes it best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from mien.core.artifact import apply_temperature
from mien.core.errors import DataError

_TEMPERATURES = (0.1, 10.0)


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
