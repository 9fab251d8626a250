"""Figures of a classifier: accuracy with its interval, precision, recall, F1, copies of faces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from mien.core.errors import DataError
from mien.core.labels import EMOTIONS

_Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A share of right answers and its 95 % interval.

    Attributes:
        correct: Number of right answers.
        count: Number of faces.
        value: `correct / count`.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    correct: int
    count: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision, recall and F1 (0 to 1) of a class or of an average, and its number of faces."""

    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What a classifier achieves on labelled faces.

    Attributes:
        accuracy: Over all faces.
        classes: Per label, in the order of the probabilities.
        macro: Mean over the labels that occur, each counted alike.
        weighted: Mean over the labels, weighted by their number of faces.
        confusion: confusion[i][j]: faces of label i that were called j.
    """

    accuracy: Accuracy
    classes: dict[str, ClassFigures]
    macro: ClassFigures
    weighted: ClassFigures
    confusion: list[list[int]]


def accuracy_with_interval(
    is_correct: NDArray[np.bool_], groups: NDArray[np.str_] | None = None
) -> Accuracy:
    """Return the accuracy with Wilson's 95 % score interval.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference"; chosen
    over the normal approximation because it keeps its coverage for few faces and for shares near
    0 and 1 (Brown, Cai and DasGupta 2001, "Interval estimation for a binomial proportion"). Faces
    of a group, such as those of a person, count as fewer than they are (`effective_count`).

    Args:
        is_correct: (N,) bool, whether the answer for a face is right.
        groups: (N,) names of each face's group; None where each face stands for itself.

    Raises:
        DataError: if there is no face.
    """
    count = len(is_correct)
    if count == 0:
        raise DataError("Found no labelled face to score; expected at least one.")
    correct = int(is_correct.sum())
    share = correct / count
    n = count if groups is None else effective_count(is_correct, groups)
    z2 = _Z_95**2
    centre = (n * share + z2 / 2) / (n + z2)
    half = _Z_95 * math.sqrt(n * share * (1 - share) + z2 / 4) / (n + z2)
    return Accuracy(correct, count, share, max(centre - half, 0.0), min(centre + half, 1.0))


def effective_count(is_correct: NDArray[np.bool_], groups: NDArray[np.str_]) -> float:
    """Return how many faces that stand for themselves say as much as these faces of G groups.

    N over the design effect, which is the variance of the share between groups (linearised, as the
    groups may be of different size) over that of N independent faces, less what few groups leave
    unknown of it: times (z / t)², t of G - 1 degrees of freedom (Korn and Graubard 1998,
    "Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data"). In Wilson's interval it keeps its coverage (Dean and Pagano 2015,
    "Evaluating confidence interval methods for binomial proportions in clustered surveys"). Where
    all answers are right, or all wrong, nothing tells how alike the faces of a group are: they
    count as one.

    Args:
        is_correct: (N,) bool, N at least 1.
        groups: (N,) names.

    Returns:
        0 (of a single group, nothing is known about others) to N.
    """
    count, group_count = len(is_correct), len(np.unique(groups))
    if group_count == 1:
        return 0.0
    share = is_correct.mean()
    independent = share * (1 - share) / count
    between = variance_between_groups(is_correct, groups)
    if independent == 0:
        effective = float(group_count)
    elif between == 0:
        effective = float(count)
    else:
        effective = min(count * independent / between, count)
    return float(effective / widening_of_few(group_count) ** 2)


def variance_between_groups(
    values: NDArray[np.floating | np.bool_], groups: NDArray[np.str_]
) -> float:
    """Return the variance of a mean over the faces of G groups that were drawn at random.

    It is linearised, as the groups may be of different size, so that the mean is a ratio.

    Args:
        values: (N,) numbers or bool.
        groups: (N,) names, of two groups at least.
    """
    _, group_of_face = np.unique(groups, return_inverse=True)
    surprises = np.bincount(group_of_face, weights=values - values.mean())
    count = len(surprises)
    return float(count / (count - 1) * float((surprises**2).sum()) / len(values) ** 2)


def widening_of_few(group_count: int) -> float:
    """Return how much wider an interval is for so few groups, two at least, than for very many."""
    return students_t_95(group_count) / _Z_95


def students_t_95(group_count: int) -> float:
    """Return the two-sided 95 % quantile of Student's t for so many groups, two at least."""
    return float(stdtrit(group_count - 1, 0.975))


def score(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.integer],
    names: Sequence[str] = EMOTIONS,
    groups: NDArray[np.str_] | None = None,
) -> Scores:
    """Score probabilities against labels.

    Args:
        probabilities: (N, C) float32.
        labels: (N,) integers 0 to C - 1.
        names: What the C labels are called.
        groups: (N,) names of each face's group, for the interval; None where each face stands for
            itself.

    Raises:
        DataError: if there is no face, or the two are of different length.
    """
    if len(probabilities) != len(labels):
        raise DataError(f"Found {len(probabilities)} predictions for {len(labels)} labels.")
    predicted = probabilities.argmax(axis=1)
    accuracy = accuracy_with_interval(predicted == labels, groups)
    every_label = range(len(names))
    figures = precision_recall_fscore_support(
        labels, predicted, labels=every_label, zero_division=0.0
    )
    classes = {
        emotion: ClassFigures(float(p), float(r), float(f), int(n))
        for emotion, p, r, f, n in zip(names, *figures, strict=True)
    }
    counts = [figure.count for figure in classes.values()]
    return Scores(
        accuracy=accuracy,
        classes=classes,
        macro=_average(classes, [float(count > 0) for count in counts]),
        weighted=_average(classes, counts),
        confusion=confusion_matrix(labels, predicted, labels=every_label).tolist(),
    )


def _average(classes: dict[str, ClassFigures], weights: Sequence[float]) -> ClassFigures:
    figures = [(each.precision, each.recall, each.f1) for each in classes.values()]
    precision, recall, f1 = np.average(figures, axis=0, weights=weights).tolist()
    return ClassFigures(precision, recall, f1, sum(each.count for each in classes.values()))


def have_exact_copy(
    faces_u8: NDArray[np.uint8], training_faces_u8: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Tell which faces also lie in the training set, pixel for pixel.

    Args:
        faces_u8: (N, 48, 48) uint8.
        training_faces_u8: (M, 48, 48) uint8.

    Returns:
        (N,) bool.
    """
    known = {face.tobytes() for face in training_faces_u8}
    return np.array([face.tobytes() in known for face in faces_u8], dtype=np.bool_)
