"""The mean recall of the emotions, each counted alike, and how far chance moves it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
"""Resamples of the bootstrap."""


def mean_recall(predicted: NDArray[np.integer], labels: NDArray[np.integer]) -> float:
    """Return the mean over the labels that occur of the share of their faces that is found.

    Args:
        predicted: (N,) integers.
        labels: (N,) integers, N at least 1.
    """
    hits, counts = _hits_and_counts(predicted, labels)
    return float((hits / counts).mean())


def resample_mean_recall(
    predicted: NDArray[np.integer], labels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the mean recall of `RESAMPLES` resamples, of a fixed seed.

    The faces of each label are resampled among themselves, as many as there are, so that a label
    with few faces never goes missing (a stratified bootstrap, Efron and Tibshirani 1993). The
    standard deviation is the standard error; percentiles give the interval.
    """
    hits, counts = _hits_and_counts(predicted, labels)
    random = np.random.default_rng(0)
    # Hits among `count` draws with replacement: binomial.
    resampled = random.binomial(counts, hits / counts, (RESAMPLES, len(counts)))
    means: NDArray[np.float64] = (resampled / counts).mean(axis=1)
    return means


def _hits_and_counts(
    predicted: NDArray[np.integer], labels: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    counts = np.bincount(labels)
    hits = np.bincount(labels[predicted == labels], minlength=len(counts))
    occurs = counts > 0
    return hits[occurs], counts[occurs]
