"""Recognise FER2013's faces, whatever file they come in: test faces one by one, training by sample.

Each face has a fingerprint of 143 bits: the signs of its lowest cosine frequencies (12 × 12 less
the mean; the perceptual hash of Zauner 2010, with more of them). A face is taken for the test face
whose fingerprint differs in the fewest bits, if those are at most `MOST_DIFFERENT_BITS`: JPEG moves
a few signs, another photograph half of them. `python benchmarks/test_fingerprints.py` prints how
many bits JPEG and scaling change, and how many training faces are taken for test faces.

The fingerprints lie beside this module, made by `scripts/fingerprint_fer2013.py`: those of all test
faces, and of every `TRAINING_STEP`th training face. No picture can be drawn from them.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

LOWEST_FREQUENCIES = 12
"""So many of the lowest cosine frequencies in each direction make the fingerprint."""

MOST_DIFFERENT_BITS = 10
"""A fingerprint that differs from a test face's in more bits is that of another photograph."""

TRAINING_STEP = 14
"""Of so many of FER2013's training faces the fingerprint of one is kept."""

DIFFERENT_TEST_FACES = 7087
"""So many of FER2013's 7,178 test faces differ in their fingerprint. The others are copies of
these, five of them saved again."""

_TEST_TABLE = "fer2013_test_fingerprints.npy"
_TRAINING_TABLE = "fer2013_training_fingerprints.npy"
_NEAR_COPIES = "fer2013_near_copies.txt"
_FACES_AT_ONCE = 2000
_MORE_THAN_CHANCE = 3


def find_test_faces(faces_u8: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Say which of FER2013's test faces each face is.

    Args:
        faces_u8: (N, 48, 48) uint8.

    Returns:
        (N,) rows of `test_with_emotions.csv`, -1 for a face that is none of them; of test faces
        that are copies of one another the first.
    """
    return _nearest_rows(faces_u8, _known_signs(_TEST_TABLE))


def estimate_training_faces(faces_u8: NDArray[np.uint8]) -> int:
    """Estimate how many of these faces are FER2013's training faces, by those of a sample.

    Args:
        faces_u8: (N, 48, 48) uint8.

    Returns:
        `TRAINING_STEP` for each that is in the sample, at most N; 0 for fewer than three, which may
        be chance.
    """
    rows = _nearest_rows(faces_u8, _known_signs(_TRAINING_TABLE))
    found = int((rows >= 0).sum())
    return min(found * TRAINING_STEP, len(rows)) if found >= _MORE_THAN_CHANCE else 0


def _nearest_rows(faces_u8: NDArray[np.uint8], table: NDArray[np.float32]) -> NDArray[np.intp]:
    rows = np.full(len(faces_u8), -1, np.intp)
    for start in range(0, len(faces_u8), _FACES_AT_ONCE):
        part = slice(start, start + _FACES_AT_ONCE)
        # Of two rows of signs, the product sums to the equal bits less the different ones.
        agreement = _signs(fingerprint(faces_u8[part])) @ table.T
        nearest = agreement.argmax(axis=1)
        different = (table.shape[1] - agreement[np.arange(len(nearest)), nearest]) / 2
        rows[part] = np.where(different <= MOST_DIFFERENT_BITS, nearest, -1)
    return rows


def are_near_copies(rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Say which test faces are other crops or mirror images of FER2013's training faces.

    The list was made by `python scripts/find_near_copies.py data/test_with_emotions.csv
    data/train.csv --write FILE`; exact copies are not in it.

    Args:
        rows: (N,) rows of `test_with_emotions.csv`, as `find_test_faces` gives them.

    Returns:
        (N,) bool.
    """
    return np.isin(rows, _near_copy_rows())


def fingerprint(faces_u8: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Compute fingerprints.

    Args:
        faces_u8: (N, 48, 48) uint8.

    Returns:
        (N, 18) uint8: 143 bits, and one that is always 0.
    """
    side = LOWEST_FREQUENCIES
    bits = np.zeros((len(faces_u8), side * side - 1), np.bool_)
    for row, face in enumerate(faces_u8):
        bits[row] = cv2.dct(face.astype(np.float32))[:side, :side].ravel()[1:] > 0
    return np.packbits(bits, axis=1)


def _signs(fingerprints: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unpack fingerprints to (N, 143) float32, -1 and 1."""
    bits = np.unpackbits(fingerprints, axis=1, count=LOWEST_FREQUENCIES**2 - 1)
    return bits.astype(np.float32) * 2 - 1


@cache
def _near_copy_rows() -> NDArray[np.intp]:
    with resources.files("mien.data").joinpath(_NEAR_COPIES).open(encoding="utf-8") as file:
        return np.loadtxt(file, dtype=np.intp)


@cache
def _known_signs(table: str) -> NDArray[np.float32]:
    with resources.files("mien.data").joinpath(table).open("rb") as file:
        return _signs(np.load(file))
