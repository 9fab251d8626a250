"""The split into training and validation, in which no picture lies on both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import DataError


def split_train_validation(
    labels: NDArray[np.int64],
    faces_u8: NDArray[np.uint8],
    validation_fraction: float,
    seed: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split faces into training and validation, stratified by label.

    FER2013 holds many exact copies of a face, some with different labels. All copies of a picture
    go to the same side, so that validation never asks for a face that training has seen; a group
    of copies counts for the label of its first face.

    Args:
        labels: (N,) labels, 0 to 6.
        faces_u8: (N, 48, 48) uint8.
        validation_fraction: Share of the faces of each label that go to validation, in (0, 1).
        seed: The same seed gives the same split.

    Returns:
        Indices of the training faces and of the validation faces, each in ascending order.

    Raises:
        DataError: if the lengths differ, or the fraction is not in (0, 1).
    """
    if len(labels) != len(faces_u8):
        raise DataError(f"Found {len(labels)} labels for {len(faces_u8)} faces; expected as many.")
    if not 0 < validation_fraction < 1:
        raise DataError(
            f"Found a validation fraction of {validation_fraction}; expected 0 < f < 1."
        )
    group_of_face = groups_of_copies(faces_u8)
    _, first_face, group_size = np.unique(group_of_face, return_index=True, return_counts=True)
    random = np.random.default_rng(seed)
    in_validation = np.zeros(len(first_face), dtype=bool)
    for label in np.unique(labels):
        groups = np.flatnonzero(labels[first_face] == label)
        random.shuffle(groups)
        wanted = validation_fraction * group_size[groups].sum()
        in_validation[groups[np.cumsum(group_size[groups]) <= wanted]] = True
    is_validation = in_validation[group_of_face]
    return np.flatnonzero(~is_validation), np.flatnonzero(is_validation)


def stratified_part(labels: NDArray[np.int64], part: float, seed: int) -> NDArray[np.int64]:
    """Choose a part of the faces of each label at random.

    Args:
        labels: (N,) labels, 0 to 6.
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
    return np.sort(np.concatenate(chosen))


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
