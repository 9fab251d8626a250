"""How surely FER2013's test faces are recognised, and what else is taken for them.

python benchmarks/test_fingerprints.py        (needs FER2013 in data/)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from inputs import existing
from numpy.typing import NDArray

from mien.data.fer2013 import load_dataset
from mien.data.test_faces import MOST_DIFFERENT_BITS, find_test_faces, fingerprint

Face = NDArray[np.uint8]  # (48, 48)


def jpeg(quality: int, face_u8: Face) -> Face:
    content = cv2.imencode(".jpg", face_u8, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)


def enlarged_and_reduced(side: int, face_u8: Face) -> Face:
    large = cv2.resize(face_u8, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.resize(large, (48, 48), interpolation=cv2.INTER_AREA), np.uint8)


CHANGES: dict[str, Callable[[Face], Face]] = {
    **{f"JPEG, quality {quality}": partial(jpeg, quality) for quality in (95, 75, 50, 30)},
    "enlarged to 224 pixels and reduced": partial(enlarged_and_reduced, 224),
}


def main() -> None:
    test = load_dataset(existing("data/test_with_emotions.csv")).faces_u8
    train = load_dataset(existing("data/train.csv")).faces_u8
    first_of = find_test_faces(test)
    print(f"bits that differ in the fingerprints of the {len(test):,} test faces:")
    for name, change in CHANGES.items():
        changed = np.stack([change(face) for face in test])
        bits = np.unpackbits(fingerprint(changed) ^ fingerprint(test), axis=1).sum(axis=1)
        found = np.mean(find_test_faces(changed) == first_of)
        print(f"  {name:36} median {np.median(bits):2.0f}, most {bits.max():2d}, found {found:.2%}")
    pixels_of_test = {face.tobytes() for face in test}
    is_copy = np.array([face.tobytes() in pixels_of_test for face in train])
    is_taken = find_test_faces(train) >= 0
    print(f"training faces that are exact copies of test faces: {is_copy.sum():,}")
    print(
        f"of the other {np.sum(~is_copy):,}, taken for test faces at {MOST_DIFFERENT_BITS} bits: "
        f"{np.sum(is_taken & ~is_copy):,} ({np.mean(is_taken[~is_copy]):.2%})"
    )


if __name__ == "__main__":
    main()
