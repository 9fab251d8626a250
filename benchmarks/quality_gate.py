"""Measure what the quality gate keeps and what it lets through.

    python benchmarks/quality_gate.py --votes data/fer2013new.csv

Faces are the validation faces of the selected experiment (which no network was trained on): as they
are, blurred, darkened, paled, and shrunk. Non-faces are the pictures that FER+'s raters call "not
a face" (half of which are faces, badly framed) and crops of photographs without people from
scikit-image and scikit-learn. The likeness to a face was fitted without any of these non-faces; the
emotion network itself was trained on the rated pictures of the training part, not of the test.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.preprocess import FACE_SIZE
from mien.core.types import Box, Face
from mien.data.fer2013 import load_dataset
from mien.data.ferplus import VOTE_CLASSES, load_votes
from mien.faces.gate import QualityGate, measure_quality
from mien.recognizer import Recognizer
from mien.training.config import selected_experiment
from mien.training.faces import load_split

Crops = NDArray[np.uint8]  # (N, 48, 48)
PHOTOS_OF_SKIMAGE = (
    *("brick.png", "cell.png", "chelsea.png", "chessboard_GRAY.png", "clock_motion.png"),
    *("coffee.png", "coins.png", "color.png", "grass.png", "gravel.png", "horse.png"),
    *("hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png"),
    *("retina.jpg", "rocket.jpg", "text.png"),
)
CROPS_A_PHOTO = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data/train.csv"))
    parser.add_argument("--test", type=Path, default=Path("data/test.csv"))
    parser.add_argument("--votes", type=Path, default=Path("data/fer2013new.csv"))
    parser.add_argument("--model", type=Path, default=None)
    options = parser.parse_args()
    _, validation = load_split(selected_experiment(Path("experiments")), options.data)
    recognizer = Recognizer(options.model, detector="haar", threads=1)
    others = rated_not_a_face(options.data, options.test, options.votes)
    others["crops of photos"] = crops_of_photographs()
    report(recognizer, validation.faces_u8, validation.labels, others)


# --- pictures ---------------------------------------------------------------------------------


def rated_not_a_face(data: Path, test: Path, votes: Path) -> dict[str, Crops]:
    """The pictures that at least five of FER+'s ten raters call "not a face"."""
    training, testing = load_dataset(data).faces_u8, load_dataset(test).faces_u8
    # The votes are of the training pictures first, in their order.
    faces_u8 = np.concatenate([training, testing])
    rated = load_votes(votes)[:, VOTE_CLASSES.index("not a face")] >= 5
    in_training = np.arange(len(faces_u8)) < len(training)
    return {
        "rated not a face": faces_u8[rated & in_training],
        "the same, of the test": faces_u8[rated & ~in_training],
    }


def crops_of_photographs() -> Crops:
    """Squares out of photographs without people."""
    import skimage.data
    import sklearn.datasets

    folder = Path(skimage.data.__file__).parent
    files = [folder / name for name in PHOTOS_OF_SKIMAGE]
    folder = Path(sklearn.datasets.__file__).parent / "images"
    files += [folder / "china.jpg", folder / "flower.jpg"]
    photos = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]
    random = np.random.default_rng(2)
    return np.stack([crop for photo in photos for crop in random_crops(photo, random)])


def to_face_size(square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shrinks = square.shape[0] > FACE_SIZE
    return cv2.resize(
        square,
        (FACE_SIZE, FACE_SIZE),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )


def random_crops(photo: NDArray[np.uint8], random: np.random.Generator) -> list[Crops]:
    height, width = photo.shape
    crops = []
    for _ in range(CROPS_A_PHOTO):
        side = int(random.uniform(32, min(height, width) * 0.8))
        left = int(random.integers(0, width - side + 1))
        top = int(random.integers(0, height - side + 1))
        crops.append(to_face_size(photo[top : top + side, left : left + side]))
    return crops


# --- what the whole gate does -----------------------------------------------------------------


def report(
    recognizer: Recognizer,
    faces_u8: Crops,
    labels: NDArray[np.integer],
    others: dict[str, Crops],
) -> None:
    """Print, for each kind of picture, how much passes the default gate, and how much is right."""
    gate = QualityGate()
    print(f"{gate}\n")
    print("pictures                     number   pass  right of these  right of all")
    spoiled = {"validation faces": faces_u8}
    for sigma in (1, 2, 3, 4):
        spoiled[f"blurred by {sigma} px"] = np.stack(
            [cv2.GaussianBlur(face, (0, 0), sigma) for face in faces_u8]
        )
    for factor in (0.5, 0.25, 0.1, 0.05):
        spoiled[f"darkened to {factor:.0%}"] = (faces_u8 * factor).astype(np.uint8)
    for factor in (0.25, 0.1, 0.05):
        spoiled[f"contrast cut to {factor:.0%}"] = (
            128 + (faces_u8.astype(float) - 128) * factor
        ).astype(np.uint8)
    for side in (32, 24, 16, 12, 8):
        spoiled[f"shrunk to {side} px"] = np.stack(
            [
                to_face_size(cv2.resize(f, (side, side), interpolation=cv2.INTER_AREA))
                for f in faces_u8
            ]
        )
    for name, crops in spoiled.items():
        side = float(name.split()[2]) if name.startswith("shrunk") else FACE_SIZE
        passes, probabilities = judge(recognizer, gate, crops, side)
        right = probabilities.argmax(axis=1) == labels
        kept = right[passes].mean() if passes.any() else float("nan")
        print(f"{name:27} {len(crops):7,} {passes.mean():6.1%} {kept:15.1%} {right.mean():13.1%}")
    for name, pictures in others.items():
        passes, _ = judge(recognizer, gate, pictures, FACE_SIZE)
        print(f"{name:27} {len(pictures):7,} {passes.mean():6.1%}")
    report_coverage(recognizer, faces_u8, labels, others)


def report_coverage(
    recognizer: Recognizer,
    faces_u8: Crops,
    labels: NDArray[np.integer],
    others: dict[str, Crops],
) -> None:
    """Print how many validation faces are kept, and how many of these are right, by confidence."""
    print("\nmin_confidence  coverage  right of these  " + "  ".join(f"{n} pass" for n in others))
    # Only the confidence differs from row to row.
    gate = replace(QualityGate(), min_confidence=0.0)
    passes_rest, probabilities = judge(recognizer, gate, faces_u8, FACE_SIZE)
    judged = [judge(recognizer, gate, crops, FACE_SIZE) for crops in others.values()]
    for least in (0.0, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        passes = passes_rest & is_confident(probabilities, least)
        right = (probabilities.argmax(axis=1) == labels)[passes].mean()
        shares = [(rest & is_confident(p, least)).mean() for rest, p in judged]
        print(
            f"{least:14.2f} {passes.mean():9.1%} {right:15.1%}  "
            + "  ".join(f"{share:{len(n) + 5}.1%}" for n, share in zip(others, shares, strict=True))
        )


def judge(
    recognizer: Recognizer, gate: QualityGate, crops: Crops, side_px: float
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which crops pass, as faces of `side_px` in the middle of a picture; their probabilities."""
    probabilities, likeness = recognizer.classify_with_likeness(crops)
    face = Face(Box(100, 100, side_px, side_px), 1.0)
    passes = [
        gate.passes(
            measure_quality(crops[n], float(likeness[n]), face, (300, 300)), float(row.max())
        )
        for n, row in enumerate(probabilities)
    ]
    return np.array(passes), probabilities


def is_confident(probabilities: NDArray[np.float32], least: float) -> NDArray[np.bool_]:
    """Whether the likeliest emotion of each face has at least this probability."""
    return probabilities.max(axis=1).astype(np.float64) >= least


if __name__ == "__main__":
    main()
