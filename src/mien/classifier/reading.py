"""From the network's heads to one reading's probabilities.

The page does the same in `web/src/vision/reading.ts`; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mien.core.artifact import Reading

_SMALLEST = np.finfo(np.float32).tiny


def read(
    heads: Mapping[str, NDArray[np.float32]],
    reading: Reading,
    classes: Mapping[str, tuple[str, ...]],
) -> NDArray[np.float32]:
    """Make a reading's probabilities out of the heads.

    Of each head that has a share, the columns of the reading's labels are taken and each row is
    renormalised; the rows are weighed by the shares, added up, and calibrated.

    Args:
        heads: Of each head that the reading has a share of, (N, K) float32; rows sum to 1.
        reading: What to read.
        classes: The classes of each head, in the order of its columns: `Artifact.heads`.

    Returns:
        (N, C) float32 in the order of `reading.labels`; each row sums to 1.
    """
    total: NDArray[np.float32] | None = None
    for name, share in reading.shares.items():
        if share == 0:
            continue
        part = np.float32(share) * _restricted(heads[name], classes[name], reading.labels)
        total = part if total is None else total + part
    assert total is not None  # The shares sum to 1.
    return apply_temperature(total, reading.temperature)


def apply_temperature(
    probabilities: NDArray[np.float32], temperature: float
) -> NDArray[np.float32]:
    """Divide the logits behind `probabilities` by `temperature` (Guo et al. 2017, section 4.2).

    Args:
        probabilities: (N, C) float32, each row sums to 1.
        temperature: Above 0; above 1 makes the probabilities less sure, 1 leaves them alone.

    Returns:
        (N, C) float32, each row sums to 1; the order within a row stays.
    """
    if temperature == 1.0:
        return probabilities
    # log(p) is the logits up to a constant per row, which softmax ignores.
    calibrated: NDArray[np.float32] = np.maximum(probabilities, _SMALLEST)
    np.log(calibrated, out=calibrated)
    calibrated -= np.maximum.reduce(calibrated, axis=1, keepdims=True)
    calibrated *= np.float32(1 / temperature)
    np.exp(calibrated, out=calibrated)
    calibrated /= np.add.reduce(calibrated, axis=1, keepdims=True)
    return calibrated


def _restricted(
    rows: NDArray[np.float32], classes: tuple[str, ...], labels: tuple[str, ...]
) -> NDArray[np.float32]:
    """Return the columns of `labels`, (N, C), each row summing to 1."""
    if classes == labels:
        return rows
    chosen = rows.take(_columns(classes, labels), axis=1)
    # A row whose labels all underflowed to 0 says that it cannot tell them apart.
    np.maximum(chosen, _SMALLEST, out=chosen)
    chosen /= np.add.reduce(chosen, axis=1, keepdims=True)
    return chosen


@lru_cache(32)
def _columns(classes: tuple[str, ...], labels: tuple[str, ...]) -> NDArray[np.intp]:
    return np.array([classes.index(label) for label in labels])
