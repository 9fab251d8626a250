"""Measure what the quality gate keeps and what it lets through.

    python benchmarks/quality_gate.py --votes data/fer2013new.csv

Faces are the validation faces of the selected experiment (which no network was trained on): as they
are, blurred, darkened, paled, and shrunk. "agree" is the mean share of FER+'s raters (of those who
name one of the seven emotions) who say what the network says. Non-faces are the pictures that the
raters call "not a face" (half of which are faces, badly framed) and crops of photographs without
people from scikit-image and scikit-learn. The crops, and the rated pictures of the test, are new to
the network and to its likeness to a face. Those of train.csv are not: the network has learnt most
of them, and the likeness was fitted on faces drawn from train.csv, some of these among them.

The table of head angles is of the validation faces on which YuNet (`--detector mtcnn`: MTCNN)
finds landmarks, when they are enlarged threefold and padded with grey. FER2013's faces have no true
angles: what is tabulated is what the landmarks give. Only the roll has a truth, in turned pictures.
"commonest" is the share of raters who agree with the commonest vote: faces from the side are harder
for people too.

The last table asks whether what the vote head says of other answers, "unknown" and "not a face",
would tell doubtful faces better than the confidence does: each sign refuses equally many faces.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from inputs import existing
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier, Outputs
from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.core.preprocess import FACE_SIZE
from mien.core.types import Box, Face
from mien.data.fer2013 import load_dataset
from mien.data.ferplus import emotion_shares, load_votes
from mien.faces.angles import head_angles
from mien.faces.detect import Detector, make_detector
from mien.faces.gate import QualityGate, measure_quality
from mien.media.picture_files import read_image
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
ENLARGED, PADDING = 144, 56  # pixels: what a detector finds nearly all of FER2013's faces in
TURNED_FACES = 200  # so many are turned in the picture
FRONTAL_DEGREES = 20.0  # a face is frontal up to this yaw and pitch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=existing, default="data/train.csv")
    parser.add_argument("--test", type=existing, default="data/test.csv")
    parser.add_argument("--votes", type=existing, default="data/fer2013new.csv")
    parser.add_argument("--model", type=existing)
    parser.add_argument("--detector", choices=("yunet", "mtcnn"), default="yunet")
    options = parser.parse_args()
    recipe = selected_experiment(Path("experiments"))
    _, validation = load_split(recipe, options.data, options.votes)
    assert validation.votes is not None
    shares = emotion_shares(validation.votes)
    named = shares.any(axis=1)
    faces_u8, shares = validation.faces_u8[named], shares[named]
    classifier = Classifier(options.model, threads=1)
    others = rated_not_a_face(options.data, options.test, options.votes)
    others["crops of photos"] = crops_of_photographs()
    report(classifier, faces_u8, shares, others)
    report_coverage(classifier, faces_u8, shares, others)
    report_angles(classifier, faces_u8, shares, make_detector(options.detector))
    report_doubt(classifier, faces_u8, shares, others)


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
    photos = [cv2.cvtColor(read_image(file), cv2.COLOR_BGR2GRAY) for file in files]
    random = np.random.default_rng(2)
    return np.stack([crop for photo in photos for crop in random_crops(photo, random)])


def to_face_size(square: NDArray[Any]) -> NDArray[Any]:
    shrinks = square.shape[0] > FACE_SIZE
    return cv2.resize(
        square,
        (FACE_SIZE, FACE_SIZE),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )


def random_crops(photo: NDArray[Any], random: np.random.Generator) -> list[Crops]:
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
    classifier: Classifier,
    faces_u8: Crops,
    shares: NDArray[np.float32],
    others: dict[str, Crops],
) -> None:
    """Print, for each kind of picture, how much passes the default gate, and how many agree."""
    gate = QualityGate()
    print(f"{gate}\n")
    commonest = shares.max(axis=1).mean()
    print(f"With the commonest vote of every face {commonest:.1%} of the raters agree.\n")
    print("pictures                     number   pass  agree with these  with all")
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
        shown_px = float(name.split()[2]) if name.startswith("shrunk") else FACE_SIZE
        passes, probabilities = judge(classifier, gate, crops, shown_px)
        agree = agreement(probabilities, shares)
        kept = agree[passes].mean() if passes.any() else float("nan")
        print(f"{name:27} {len(crops):7,} {passes.mean():6.1%} {kept:17.1%} {agree.mean():9.1%}")
    for name, pictures in others.items():
        passes, _ = judge(classifier, gate, pictures, FACE_SIZE)
        print(f"{name:27} {len(pictures):7,} {passes.mean():6.1%}")


def report_coverage(
    classifier: Classifier,
    faces_u8: Crops,
    shares: NDArray[np.float32],
    others: dict[str, Crops],
) -> None:
    """Print how many validation faces are kept, and how many agree with these, by confidence."""
    print("\nmin_confidence  coverage  agree with these  " + "  ".join(f"{n} pass" for n in others))
    # Only the confidence differs from row to row.
    gate = replace(QualityGate(), min_confidence=0.0)
    passes_rest, probabilities = judge(classifier, gate, faces_u8, FACE_SIZE)
    judged = [judge(classifier, gate, crops, FACE_SIZE) for crops in others.values()]
    for least in (0.0, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        passes = passes_rest & is_confident(probabilities, least)
        agree = agreement(probabilities, shares)[passes].mean()
        let_through = [(rest & is_confident(p, least)).mean() for rest, p in judged]
        columns = zip(others, let_through, strict=True)
        print(
            f"{least:14.2f} {passes.mean():9.1%} {agree:17.1%}  "
            + "  ".join(f"{share:{len(n) + 5}.1%}" for n, share in columns)
        )


def report_angles(
    classifier: Classifier, faces_u8: Crops, shares: NDArray[np.float32], detector: Detector
) -> None:
    """Print how right the network is by head angle, and what the limits of angles refuse."""
    landmarks = [landmarks_of(face_u8, detector) for face_u8 in faces_u8]
    measured = [None if points is None else head_angles(points) for points in landmarks]
    yaw, pitch = (
        np.array([np.nan if each is None else getattr(each, name) for each in measured])
        for name in ("yaw_degrees", "pitch_degrees")
    )
    found = np.isfinite(yaw)
    anyhow, probabilities = judge(classifier, QualityGate(), faces_u8, FACE_SIZE)
    passes, _ = judge(classifier, QualityGate(), faces_u8, FACE_SIZE, landmarks)
    agree, sad = agreement(probabilities, shares), EMOTIONS.index("sad")
    print(f"\n{detector.name} finds {found.mean():.1%} of the validation faces. Of 100 of these, 5")
    for name, angles in (("yaw", yaw), ("pitch", pitch)):
        low, middle, high = np.nanpercentile(angles, (5, 50, 95))
        print(
            f"have a {name} below {low:.1f}, 5 above {high:.1f} degrees; the median is "
            f"{middle:.1f}."
        )
    print("\nangle             faces  agree  commonest  said sad  raters say sad    pass")
    rows = {f"|yaw| {a} to {b}": (abs(yaw) >= a) & (abs(yaw) < b)
            for a, b in ((0, 10), (10, 20), (20, 30), (30, 40), (40, 180))}  # fmt: skip
    rows |= {f"pitch {a} to {b}": (pitch >= a) & (pitch < b)
             for a, b in ((-90, -20), (-20, -10), (-10, 0), (0, 10), (10, 90))}  # fmt: skip
    rows["no landmarks"] = ~found
    for name, chosen in rows.items():
        if chosen.any():
            said_sad = (probabilities[chosen].argmax(axis=1) == sad).mean()
            print(
                f"{name:16} {chosen.sum():6,} {agree[chosen].mean():6.1%} "
                f"{shares[chosen].max(axis=1).mean():10.1%} {said_sad:9.1%} "
                f"{shares[chosen, sad].mean():15.1%} {passes[chosen].mean():7.1%}"
            )
    frontal = (abs(yaw) <= FRONTAL_DEGREES) & (abs(pitch) <= FRONTAL_DEGREES)
    refused = anyhow & ~passes
    print(
        f"\nFrontal (both within {FRONTAL_DEGREES:.0f}): {frontal.sum():,} faces, "
        f"{passes[frontal].mean():.1%} pass. All faces: {passes.mean():.1%} pass, "
        f"{anyhow.mean():.1%} without the limits of angles; these alone refuse {refused.sum()}, "
        f"with which {agree[refused].mean():.1%} of the raters agree, "
        f"{agree[passes].mean():.1%} with the rest."
    )
    for turned in (-30, -15, 0, 15, 30):
        points = [landmarks_of(face_u8, detector, turned) for face_u8 in faces_u8[:TURNED_FACES]]
        turns = [head_angles(each) for each in points if each is not None]
        rolls = [each.roll_degrees for each in turns if each is not None]
        print(f"Turned clockwise by {turned:3}: the median of the roll is {np.median(rolls):5.1f}.")


def landmarks_of(
    face_u8: Crops, detector: Detector, turned_degrees: float = 0.0
) -> NDArray[np.float32] | None:
    """The landmarks of the largest face that is found in one of FER2013's, (48, 48), turned."""
    large = cv2.resize(face_u8, (ENLARGED, ENLARGED), interpolation=cv2.INTER_CUBIC)
    padded = cv2.copyMakeBorder(large, *(PADDING,) * 4, cv2.BORDER_CONSTANT, value=127)
    if turned_degrees:
        middle = (padded.shape[1] / 2, padded.shape[0] / 2)
        turn = cv2.getRotationMatrix2D(middle, -turned_degrees, 1.0)
        padded = cv2.warpAffine(padded, turn, padded.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    faces = detector.detect(np.asarray(cv2.cvtColor(padded, cv2.COLOR_GRAY2BGR), np.uint8))
    return faces[0].landmarks if faces else None


def report_doubt(
    classifier: Classifier,
    faces_u8: Crops,
    shares: NDArray[np.float32],
    others: dict[str, Crops],
) -> None:
    """Print what signs of doubt achieve that refuse equally many of the faces that pass."""
    gate = replace(QualityGate(), min_confidence=0.0)
    outputs = {"faces": classifier.classify(faces_u8)}
    outputs |= {name: classifier.classify(crops) for name, crops in others.items()}
    if not {"unknown", "not a face"} <= set(outputs["faces"].other_shares):
        print("\nThis network does not tell what raters would say else.")
        return
    signs = {name: doubts(each) for name, each in outputs.items()}
    passes = {"faces": judge(classifier, gate, faces_u8, FACE_SIZE)[0]}
    passes |= {n: judge(classifier, gate, crops, FACE_SIZE)[0] for n, crops in others.items()}
    agree = agreement(outputs["faces"].probabilities, shares)
    print("\nrefused  sign of doubt             agree  " + "  ".join(f"{n} pass" for n in others))
    for refused in (0.02, 0.05, 0.1, 0.2):
        for sign, doubt in signs["faces"].items():
            most = np.quantile(doubt[passes["faces"]], 1 - refused)
            kept = passes["faces"] & (doubt <= most)
            let_through = [(passes[n] & (signs[n][sign] <= most)).mean() for n in others]
            columns = zip(others, let_through, strict=True)
            print(
                f"{refused:7.0%}  {sign:24} {agree[kept].mean():6.1%}  "
                + "  ".join(f"{share:{len(n) + 5}.1%}" for n, share in columns)
            )


def doubts(outputs: Outputs) -> dict[str, NDArray[np.float32]]:
    """Signs of doubt, (N,) each: the higher, the more doubtful."""
    unknown, not_a_face = (outputs.other_shares[name] for name in ("unknown", "not a face"))
    confidence = outputs.probabilities.max(axis=1)
    return {
        "confidence": 1 - confidence,
        "unknown": unknown,
        "not a face": not_a_face,
        "all three": 1 - confidence * (1 - unknown - not_a_face),
    }


def agreement(
    probabilities: NDArray[np.float32], shares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The share of raters, (N,), who say of each face what the network says."""
    chosen: NDArray[np.float32] = shares[np.arange(len(shares)), probabilities.argmax(axis=1)]
    return chosen


def judge(
    classifier: Classifier,
    gate: QualityGate,
    crops: Crops,
    side_px: float,
    landmarks: Sequence[NDArray[np.float32] | None] | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which crops pass, as faces of `side_px` in the middle of a picture; their probabilities."""
    outputs = classifier.classify(crops)
    probabilities, likeness = outputs.probabilities, outputs.likeness
    box = Box(100, 100, side_px, side_px)
    faces = [Face(box, 1.0, points) for points in landmarks or [None] * len(crops)]
    passes = [
        not gate.missed(
            measure_quality(crops[n], float(likeness[n]), faces[n], (300, 300)), float(row.max())
        )
        for n, row in enumerate(probabilities)
    ]
    return np.array(passes), probabilities


def is_confident(probabilities: NDArray[np.float32], least: float) -> NDArray[np.bool_]:
    """Whether the likeliest emotion of each face has at least this probability."""
    return np.asarray(probabilities.max(axis=1).astype(np.float64) >= least)


if __name__ == "__main__":
    main()
