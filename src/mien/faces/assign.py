"""Pairing two sets: which of the faces found belongs to which of the faces known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box


def assign(scores: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pair rows with columns so that the sum of the pairs' scores is greatest.

    Args:
        scores: (R, C); a score of 0 or less forbids the pair.

    Returns:
        The pairs (row, column), by row; each row and column at most once.
    """
    rows, columns = scores.shape
    if rows > columns:
        return sorted((row, column) for column, row in assign(scores.T))
    # Shortest augmenting paths (Jonker, Volgenant 1987), with a dummy column 0; each row may also
    # stay alone, in a column of its own that scores nothing.
    cost = np.hstack([-np.maximum(scores, 0), np.zeros((rows, rows))])
    width = columns + rows
    row_price, column_price = np.zeros(rows + 1), np.zeros(width + 1)
    row_of = np.zeros(width + 1, int)
    for row in range(1, rows + 1):
        row_of[0] = row
        column = 0
        slack = np.full(width + 1, np.inf)
        came_from = np.zeros(width + 1, int)
        done = np.zeros(width + 1, bool)
        while row_of[column]:
            done[column] = True
            here = row_of[column]
            reduced = cost[here - 1] - row_price[here] - column_price[1:]
            better = ~done[1:] & (reduced < slack[1:])
            slack[1:][better] = reduced[better]
            came_from[1:][better] = column
            nearest = int(np.where(done, np.inf, slack)[1:].argmin()) + 1
            step = slack[nearest]
            row_price[row_of[done]] += step
            column_price[done] -= step
            slack[~done] -= step
            column = nearest
        while column:
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
    pairs = ((int(row_of[column]) - 1, column - 1) for column in range(1, columns + 1))
    return sorted((row, column) for row, column in pairs if row >= 0 and scores[row, column] > 0)


def intersection_over_union(one: Box, other: Box) -> float:
    """The area that two boxes share, as a part of the area that they cover together, 0 to 1."""
    shared = one.shared_area(other)
    return shared / (one.area + other.area - shared) if shared > 0 else 0.0
