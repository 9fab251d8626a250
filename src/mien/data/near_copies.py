"""Near-copies: other crops and mirror images of the same photograph, at any scale.

FER2013 was collected by search engines, and holds photographs more than once. Equal pixels give
away the exact copies only. Two crops of one photograph are found by correlation instead: first
coarsely, every face of one set, moved, scaled and mirrored, against every face of the other; then
the best candidate of each in full resolution.
"""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

NEAR_COPY_CORRELATION = 0.93
"""From here on two faces count as the same photograph: so the pairs look that lie around it."""

_COARSE_SIDE = 12
_COARSE_CORRELATION = 0.9
_SCALES = (0.87, 1.0, 1.15)
_SHIFTS = (-4, 0, 4)
_FINE_SCALES = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2)
_PATCH_SIDE = 32
_BATCH = 256


def near_copies(
    faces_u8: NDArray[np.uint8], others_u8: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find for each face its nearest copy among other faces.

    Args:
        faces_u8: (N, 48, 48) uint8.
        others_u8: (M, 48, 48) uint8.

    Returns:
        (N,) indices into `others_u8`, and (N,) correlations: of the middle of the face with the
        part of the other one that fits best, where a coarse comparison suggested that they are
        one photograph, and 0 elsewhere. A copy has one of at least `NEAR_COPY_CORRELATION`.
    """
    coarse_others = _coarse(others_u8)
    indices = np.zeros(len(faces_u8), np.int64)
    correlations = np.zeros(len(faces_u8), np.float32)
    for start in range(0, len(faces_u8), _BATCH):
        batch = slice(start, start + _BATCH)
        best = np.full(len(faces_u8[batch]), -1, np.float32)
        for mirrored, scale, dx, dy in itertools.product((False, True), _SCALES, _SHIFTS, _SHIFTS):
            moved = _moved(faces_u8[batch], mirrored=mirrored, scale=scale, dx=dx, dy=dy)
            scores = _coarse(moved) @ coarse_others.T
            nearest = scores.argmax(axis=1)
            score = scores[np.arange(len(nearest)), nearest]
            better = score > best
            indices[batch][better] = nearest[better]
            best[better] = score[better]
        for index in np.flatnonzero(best >= _COARSE_CORRELATION) + start:
            correlations[index] = _best_fit(faces_u8[index], others_u8[indices[index]])
    return indices, correlations


def _moved(
    faces_u8: NDArray[np.uint8], *, mirrored: bool, scale: float, dx: int, dy: int
) -> NDArray[np.uint8]:
    side = faces_u8.shape[1]
    offset = (1 - scale) * (side - 1) / 2
    matrix = np.array([[scale, 0, offset + dx], [0, scale, offset + dy]])
    faces = faces_u8[:, :, ::-1] if mirrored else faces_u8
    return np.stack(
        [
            cv2.warpAffine(
                np.ascontiguousarray(face), matrix, (side, side), borderMode=cv2.BORDER_REPLICATE
            )
            for face in faces
        ]
    )


def _coarse(faces_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 144) float32 of mean 0 and length 1, so that a product is a correlation."""
    small = np.stack(
        [
            cv2.resize(face, (_COARSE_SIDE, _COARSE_SIDE), interpolation=cv2.INTER_AREA)
            for face in faces_u8
        ]
    )
    rows = small.reshape(len(small), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    unit: NDArray[np.float32] = rows / np.maximum(lengths, np.float32(1e-6))
    return unit


def _best_fit(face_u8: NDArray[np.uint8], other_u8: NDArray[np.uint8]) -> float:
    """The highest correlation of the middle of a face, as it is or mirrored, within another one."""
    margin = (len(face_u8) - _PATCH_SIDE) // 2
    middle = face_u8[margin:-margin, margin:-margin]
    if middle.std() < 1:
        return 0.0  # A correlation with a flat picture means nothing.
    best = 0.0
    for patch, scale in itertools.product((middle, middle[:, ::-1]), _FINE_SCALES):
        side = round(_PATCH_SIDE * scale)
        scaled = cv2.resize(np.ascontiguousarray(patch), (side, side), interpolation=cv2.INTER_AREA)
        fits = cv2.matchTemplate(other_u8, scaled, cv2.TM_CCOEFF_NORMED)
        best = max(best, float(np.nan_to_num(fits, posinf=0, neginf=0).max()))
    return best
