"""The split into training and validation, in which no picture lies on both sides."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError


def split_train_validation(
    labels: NDArray[np.int64],
    faces_u8: NDArray[np.uint8],
    validation_fraction: float,
    seed: int,
    groups: NDArray[np.str_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split faces into training and validation, stratified by label.

    FER2013 holds many exact copies of a face, some with different labels. All copies of a picture
    go to the same side, so that validation never asks for a face that training has seen; a group
    of copies counts for the label of its first face.

    Args:
        labels: (N,) labels, from 0.
        faces_u8: (N, 48, 48) uint8.
        validation_fraction: Share of the faces of each label that go to validation, in (0, 1);
            of each label with two pictures, one at least.
        seed: The same seed gives the same split.
        groups: (N,) names; the faces of a group stay together too. A group may have faces of every
            label, so that the shares of the labels are met as well as they can be: of folds of
            whole groups, one that leaves faces of each label for training, if there is one, and of
            these the one whose size is nearest to the share.

    Returns:
        Indices of the training faces and of the validation faces, each in ascending order.

    Raises:
        DataError: if all faces are of one group, or no class has two faces in groups.
    """
    if groups is not None:
        # Of few groups, one at least; copies make one of two.
        together = _together(groups_of_copies(faces_u8), groups)
        if len(together) and not together.any():
            raise DataError(
                f"All {len(labels):,} faces are of one group, {str(groups[0])!r}, or copies of its "
                "faces, so that none is left to choose the epoch by: bring faces of another; or "
                "let each picture stand for itself (of a folder with --groups '.+', of a table "
                "without --groups), and the figures will say nothing of other people."
            )
        most = min(len(np.unique(together)), int(np.bincount(labels).max()))
        folds = max(2, min(round(1 / validation_fraction), most))
        in_fold = _cut(labels, together, folds, seed, "groups")
        chosen = _fold_for_validation(in_fold, labels, validation_fraction)
        return np.flatnonzero(in_fold != chosen), np.flatnonzero(in_fold == chosen)
    group_of_face = groups_of_copies(faces_u8)
    _, first_face, group_size = np.unique(group_of_face, return_index=True, return_counts=True)
    random = np.random.default_rng(seed)
    in_validation = np.zeros(len(first_face), dtype=bool)
    for label in np.unique(labels):
        pictures = np.flatnonzero(labels[first_face] == label)
        random.shuffle(pictures)
        wanted = validation_fraction * group_size[pictures].sum()
        taken = int(np.sum(np.cumsum(group_size[pictures]) <= wanted))
        # Of two pictures one, however small the fraction: else nothing speaks for the class.
        in_validation[pictures[: max(taken, min(1, len(pictures) - 1))]] = True
    is_validation = in_validation[group_of_face]
    return np.flatnonzero(~is_validation), np.flatnonzero(is_validation)


def _fold_for_validation(
    in_fold: NDArray[np.int64], labels: NDArray[np.int64], validation_fraction: float
) -> int:
    """Choose the fold that takes the fewest labels from training; of such, that of the best size.

    The largest group makes a fold by itself, which may be far too large.
    """

    def drawbacks(fold: int) -> tuple[int, float]:
        is_validation = in_fold == fold
        lost = len(np.unique(labels)) - len(np.unique(labels[~is_validation]))
        return lost, abs(float(is_validation.mean()) - validation_fraction)

    folds: list[int] = np.unique(in_fold).tolist()
    return min(folds, key=drawbacks)


def fold_of_faces(
    labels: NDArray[np.int64],
    faces_u8: NDArray[np.uint8],
    groups: NDArray[np.str_] | None,
    folds: int,
    seed: int,
) -> NDArray[np.int64]:
    """Cut faces into folds of about equal shares of each label.

    Args:
        labels: (N,) labels.
        faces_u8: (N, 48, 48) uint8; copies of a face are in one fold.
        groups: (N,) names; the faces of a group are in one fold. None for none.
        folds: How many, at least 2.
        seed: The same seed gives the same folds.

    Returns:
        (N,) the fold of each face, from 0.

    Raises:
        DataError: if there are fewer groups than folds, or no class has a face for each fold.
    """
    together = _together(groups_of_copies(faces_u8), groups)
    return _cut(labels, together, folds, seed, "different faces" if groups is None else "groups")


def _cut(
    labels: NDArray[np.int64], together: NDArray[np.int64], folds: int, seed: int, called: str
) -> NDArray[np.int64]:
    """Cut faces into folds, those of one number in `together` into one; see `fold_of_faces`."""
    # `mien data check` counts copies without it.
    from sklearn.model_selection import StratifiedGroupKFold

    count = int(together.max()) + 1 if len(together) else 0
    if count < folds:
        raise DataError(
            f"Found {count} {called}; expected at least {folds}, one for each fold: give fewer "
            f"folds, or bring more {called}."
        )
    if np.bincount(labels).max() < folds:
        raise DataError(
            f"No class has more than {np.bincount(labels).max()} faces; expected at least {folds}, "
            "one for each fold: give fewer folds, or bring more faces."
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    in_fold = np.zeros(len(labels), np.int64)
    with warnings.catch_warnings():
        # A class of fewer faces than folds is missing in some: `mien train` says in which.
        warnings.filterwarnings("ignore", message="The least populated class")
        for number, (_, chosen) in enumerate(splitter.split(labels, labels, together)):
            in_fold[chosen] = number
    return in_fold


def _together(copies: NDArray[np.int64], groups: NDArray[np.str_] | None) -> NDArray[np.int64]:
    """Number what must not be torn apart: faces joined by a group, by copies, or by a chain."""
    if groups is None:
        return copies
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, group = np.unique(groups, return_inverse=True)
    nodes = int(copies.max()) + 1
    edges = coo_array(
        (np.ones(len(copies)), (copies, nodes + group)), shape=(nodes + int(group.max()) + 1,) * 2
    )
    _, component = connected_components(edges, directed=False)
    return np.unique(component[copies], return_inverse=True)[1].astype(np.int64)


def stratified_part(labels: NDArray[np.int64], part: float, seed: int) -> NDArray[np.int64]:
    """Choose a part of the faces of each label at random.

    Args:
        labels: (N,) labels, from 0.
        part: Part of the faces of each label to keep, in (0, 1]; at least one face of each.
        seed: The same seed gives the same faces.

    Returns:
        Their indices, in ascending order.
    """
    random = np.random.default_rng(seed)
    chosen = [
        random.permutation(faces)[: max(1, round(part * len(faces)))]
        for faces in (np.flatnonzero(labels == label) for label in np.unique(labels))
    ]
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)


def groups_of_copies(faces_u8: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number the pictures: equal pictures get equal numbers, in order of first appearance.

    Args:
        faces_u8: (N, 48, 48) uint8.

    Returns:
        (N,) numbers from 0.
    """
    number_of_picture: dict[bytes, int] = {}
    return np.array(
        [number_of_picture.setdefault(face.tobytes(), len(number_of_picture)) for face in faces_u8],
        dtype=np.int64,
    )
