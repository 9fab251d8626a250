"""Measure how FER2013 frames a face, relative to the box of each detector.

    python benchmarks/measure_framing.py [--data data/train.csv] [--faces 1500]
        [--detectors haar yunet mediapipe mtcnn]

Every face is enlarged and set in a plain border, which gives a detector the surroundings that it
expects. Where it then finds one face, its box and the face's own 48 × 48 frame say how the one
follows from the other; the medians are the constants in `mien.faces.detect.FRAMINGS`. The accuracy
of the shipped network on the faces cut out again by their boxes, with the square made smaller or
larger, shows what a wrong framing costs; most of these faces it was trained on, so only the
differences count.
"""

from __future__ import annotations

import argparse

import numpy as np
from inputs import existing
from numpy.typing import NDArray
from surround import border_px_of, surround, to_bgr

from mien.classifier.classifier import Classifier
from mien.core.artifact import Framing
from mien.core.types import Face
from mien.data.fer2013 import load_dataset
from mien.faces.crop import crop_face
from mien.faces.detect import Detector, make_detector

ENLARGEMENT = 4
SIZES = (0.8, 0.9, 1.0, 1.1, 1.2)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=existing, default="data/train.csv")
    arguments.add_argument("--faces", type=int, default=1500)
    arguments.add_argument("--detectors", nargs="+", default=["haar", "yunet"])
    options = arguments.parse_args()
    dataset = load_dataset(options.data)
    chosen = np.random.default_rng(0).permutation(len(dataset.faces_u8))[: options.faces]
    faces_u8 = dataset.faces_u8[chosen]
    labels = None if dataset.labels is None else dataset.labels[chosen]
    for name in options.detectors:
        detector = make_detector(name)
        pictures, faces, found = detect(faces_u8, detector)
        print(f"{detector.name}: one face in {len(faces) / len(faces_u8):.1%} of {len(faces_u8)}")
        framing = measure(faces)
        if labels is not None:
            compare_sizes(pictures, faces, faces_u8[found], labels[found], framing)


def detect(
    faces_u8: NDArray[np.uint8], detector: Detector
) -> tuple[list[NDArray[np.uint8]], list[Face], list[int]]:
    """Return, for each face that is found: its picture, what was found, and its index."""
    pictures, faces, indices = [], [], []
    for index, face_u8 in enumerate(faces_u8):
        picture = to_bgr(surround(face_u8, ENLARGEMENT))
        found = detector.detect(picture)
        if len(found) == 1:
            pictures.append(picture)
            faces.append(found[0])
            indices.append(index)
    return pictures, faces, indices


def measure(faces: list[Face]) -> Framing:
    """Print and return the median framing."""
    x, y, width, height = np.array(
        [(face.box.x, face.box.y, face.box.width, face.box.height) for face in faces]
    ).T
    side = 48 * ENLARGEMENT
    centre = border_px_of(ENLARGEMENT) + side / 2
    values = {
        "scale": side / np.maximum(width, height),
        "offset_x": (centre - x - width / 2) / width,
        "offset_y": (centre - y - height / 2) / height,
    }
    for name, value in values.items():
        low, middle, high = np.percentile(value, [10, 50, 90])
        print(f"  {name:8}  median {middle:6.3f}   80 % from {low:6.3f} to {high:6.3f}")
    return Framing(**{name: float(np.median(value)) for name, value in values.items()})


def compare_sizes(
    pictures: list[NDArray[np.uint8]],
    faces: list[Face],
    faces_u8: NDArray[np.uint8],
    labels: NDArray[np.int64],
    framing: Framing,
) -> None:
    classifier = Classifier(reading="labels")
    own = (classifier.classify(faces_u8).probabilities.argmax(axis=1) == labels).mean()
    print(f"  accuracy on these faces as they are: {own:.1%}")
    for size in SIZES:
        framed = Framing(framing.scale * size, framing.offset_x, framing.offset_y)
        crops = np.stack(
            [
                crop_face(picture, face, framed)
                for picture, face in zip(pictures, faces, strict=True)
            ]
        )
        accuracy = (classifier.classify(crops).probabilities.argmax(axis=1) == labels).mean()
        print(f"  cut out with {size:.1f} times the median scale: {accuracy:.1%}")


if __name__ == "__main__":
    main()
