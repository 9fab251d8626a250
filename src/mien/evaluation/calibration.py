"""Whether "92%" means 92 %: the calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError
from mien.training.temperature import as_shares, negative_log_likelihood

BINS = 15
"""Bins of the calibration error, as in Guo et al. (2017)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far confidence and accuracy lie apart, in `BINS` bins of equal width.

    Attributes:
        expected_error: Expected calibration error, 0 to 1: the mean over faces of the distance
            between a bin's mean confidence and its accuracy.
        negative_log_likelihood: Mean over faces of the cross-entropy, in nats.
        edges: The 16 borders of the bins, 0 to 1; a bin holds its upper border.
        counts: Faces in each bin.
        confidences: Mean confidence in each bin; None in an empty one.
        accuracies: Accuracy, or share of votes, in each bin; None in an empty one.
    """

    expected_error: float
    negative_log_likelihood: float
    edges: list[float]
    counts: list[int]
    confidences: list[float | None]
    accuracies: list[float | None]


def measure_calibration(probabilities: NDArray[np.float32], truth: NDArray[Any]) -> Calibration:
    """Measure the calibration of the most probable label (Guo et al. 2017, section 2).

    Args:
        probabilities: (N, C) float32, each row sums to 1.
        truth: (N,) integer labels, 0 to C - 1; or (N, C) shares of votes that sum to 1, so that
            being right is no matter of yes or no, but the share of the raters who say the same.

    Raises:
        DataError: if there is no face.
    """
    if len(truth) == 0:
        raise DataError("Found no labelled face to measure the calibration on.")
    confidence = probabilities.max(axis=1).astype(np.float64)
    shares = as_shares(truth, probabilities.shape[1])
    correct = shares[np.arange(len(truth)), probabilities.argmax(axis=1)]
    edges = np.linspace(0.0, 1.0, BINS + 1)
    # Rounding may lift a float32 softmax a hair above 1.
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    sum_of_confidence = np.bincount(bins, weights=confidence, minlength=BINS)
    sum_of_correct = np.bincount(bins, weights=correct, minlength=BINS)
    return Calibration(
        expected_error=float(np.abs(sum_of_confidence - sum_of_correct).sum() / len(truth)),
        negative_log_likelihood=negative_log_likelihood(probabilities, truth),
        edges=edges.tolist(),
        counts=counts.tolist(),
        confidences=_means(sum_of_confidence.tolist(), counts.tolist()),
        accuracies=_means(sum_of_correct.tolist(), counts.tolist()),
    )


def _means(sums: list[float], counts: list[int]) -> list[float | None]:
    return [total / count if count else None for total, count in zip(sums, counts, strict=True)]
