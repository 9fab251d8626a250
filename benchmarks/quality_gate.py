"""Measure what the quality gate keeps and what it lets through; fit its face-likeness network.

    python benchmarks/quality_gate.py --votes data/fer2013new.csv          measure what ships
    python benchmarks/quality_gate.py --votes data/fer2013new.csv --fit    fit it anew, then measure

Faces are the validation faces of the selected experiment (which no network was trained on): as they
are, blurred, darkened, paled, and shrunk. Non-faces are the pictures that FER+'s raters call "not
a face" (half of which are faces, badly framed) and crops of photographs without people from
scikit-image and scikit-learn.

What `--fit` says of non-faces is held out: the photographs and the rated pictures are parted in
two, and each half is judged by a network fitted without it. The shipped weights are then fitted
with both halves, so that what is measured of them later flatters them.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.files import write_atomically
from mien.core.preprocess import FACE_SIZE
from mien.core.types import Box, Face
from mien.data.fer2013 import load_dataset
from mien.data.ferplus import VOTE_CLASSES, load_votes
from mien.engine.gate import QualityGate, measure_quality
from mien.engine.likeness import WEIGHTS_NAME, FaceLikeness, bundled_likeness, features
from mien.recognizer import Recognizer
from mien.training.config import selected_experiment
from mien.training.faces import load_split

Crops = NDArray[np.uint8]  # (N, 48, 48)
ASSETS = Path("src/mien/assets")
PHOTOS_OF_SKIMAGE = (
    *("brick.png", "cell.png", "chelsea.png", "chessboard_GRAY.png", "clock_motion.png"),
    *("coffee.png", "coins.png", "color.png", "grass.png", "gravel.png", "horse.png"),
    *("hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png"),
    *("retina.jpg", "rocket.jpg", "text.png"),
)
CROPS_A_PHOTO = 100
COVERAGE = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data/train.csv"))
    parser.add_argument("--votes", type=Path, default=Path("data/fer2013new.csv"))
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    training, validation = load_split(selected_experiment(Path("experiments")), options.data)
    recognizer = Recognizer(options.model, detector="haar", threads=1)
    probabilities = recognizer.classify(validation.faces_u8)
    right = probabilities.argmax(axis=1) == validation.labels
    confidence = probabilities.max(axis=1)
    rated = rated_not_a_face(options.data, options.votes)
    photos = photographs()
    if options.fit:
        held_out = measure_held_out(training.faces_u8, validation.faces_u8, rated, photos)
        choose(held_out, confidence, right, recognizer)
        likeness = fit(training.faces_u8, rated, list(photos.values()), seed=0)
        write_weights(likeness, ASSETS / WEIGHTS_NAME)
        bundled_likeness.cache_clear()
    report(recognizer, validation.faces_u8, validation.labels, rated, photos)


# --- pictures ---------------------------------------------------------------------------------


def rated_not_a_face(data: Path, votes: Path) -> Crops:
    """The training pictures that at least five of FER+'s ten raters call "not a face"."""
    faces_u8 = load_dataset(data).faces_u8
    # The votes are of the training pictures first, in their order.
    not_a_face = load_votes(votes)[: len(faces_u8), VOTE_CLASSES.index("not a face")]
    return faces_u8[not_a_face >= 5]


def photographs() -> dict[str, Crops]:
    """Grey photographs without people, (H, W) uint8, by name."""
    import skimage.data
    import sklearn.datasets

    folder = Path(skimage.data.__file__).parent
    files = [folder / name for name in PHOTOS_OF_SKIMAGE]
    folder = Path(sklearn.datasets.__file__).parent / "images"
    files += [folder / "china.jpg", folder / "flower.jpg"]
    return {file.name: cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files}


def to_face_size(square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shrinks = square.shape[0] > FACE_SIZE
    return cv2.resize(
        square,
        (FACE_SIZE, FACE_SIZE),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )


def random_crops(photo: NDArray[np.uint8], count: int, random: np.random.Generator) -> list[Crops]:
    height, width = photo.shape
    crops = []
    for _ in range(count):
        side = int(random.uniform(32, min(height, width) * 0.8))
        left = int(random.integers(0, width - side + 1))
        top = int(random.integers(0, height - side + 1))
        crops.append(to_face_size(photo[top : top + side, left : left + side]))
    return crops


def haar_crops(photo: NDArray[np.uint8]) -> list[Crops]:
    """What the cascade takes for a face if one window is enough for it."""
    cascade = cv2.CascadeClassifier(
        str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml")
    )
    crops = []
    for scale in (0.7, 1.0, 1.5):
        scaled = cv2.resize(photo, None, fx=scale, fy=scale)
        for x, y, width, height in cascade.detectMultiScale(scaled, 1.03, 0, minSize=(24, 24)):
            crops.append(to_face_size(scaled[y : y + height, x : x + width]))
    return crops


def badly_framed(face: Crops, random: np.random.Generator) -> Crops:
    """A face lying, half out of the crop, too near or too far."""
    middle = FACE_SIZE / 2
    kind = random.integers(4)
    border = cv2.BORDER_REFLECT
    if kind == 0:
        zoom, angle = random.uniform(0.8, 1.2), random.uniform(50, 310)
        affine = cv2.getRotationMatrix2D((middle, middle), angle, zoom)
    elif kind == 1:
        angle, shift = random.uniform(0, 2 * np.pi), random.uniform(18, 30)
        affine = np.array([[1, 0, shift * np.cos(angle)], [0, 1, shift * np.sin(angle)]])
    else:
        zoom = random.uniform(1.9, 3) if kind == 2 else random.uniform(0.3, 0.5)
        x, y = random.uniform(10, 38, 2)
        target = (middle - zoom * x, middle - zoom * y)
        if kind == 3:
            target = (x - zoom * middle, y - zoom * middle)
            border = cv2.BORDER_REPLICATE
        affine = np.array([[zoom, 0, target[0]], [0, zoom, target[1]]])
    return cv2.warpAffine(face, affine, (FACE_SIZE, FACE_SIZE), borderMode=border)


def slightly_moved(face: Crops, random: np.random.Generator) -> Crops:
    middle = FACE_SIZE / 2
    angle, zoom = random.uniform(-20, 20), random.uniform(0.85, 1.2)
    affine = cv2.getRotationMatrix2D((middle, middle), angle, zoom)
    affine[:, 2] += random.uniform(-4, 4, 2)
    return cv2.warpAffine(face, affine, (FACE_SIZE, FACE_SIZE), borderMode=cv2.BORDER_REPLICATE)


def varied(crop: Crops, random: np.random.Generator) -> Crops:
    """Mirrored, blurred, lighter or darker, noisy: a little of each, by chance."""
    if random.random() < 0.5:
        crop = crop[:, ::-1]
    if random.random() < 0.4:
        crop = cv2.GaussianBlur(np.ascontiguousarray(crop), (0, 0), random.uniform(0.4, 1.5))
    lit = 255 * (crop / 255.0) ** random.uniform(0.6, 1.5)
    noise = random.normal(0, random.uniform(0, 6), crop.shape)
    return np.clip(lit + noise, 0, 255).astype(np.uint8)


def drawn(random: np.random.Generator) -> Crops:
    """Circles, lines, polygons and writing."""
    crop = np.full((FACE_SIZE, FACE_SIZE), random.integers(0, 256), np.uint8)
    for _ in range(random.integers(1, 9)):
        grey = int(random.integers(0, 256))
        points = [tuple(map(int, random.integers(-8, 56, 2))) for _ in range(4)]
        thickness = int(random.choice([-1, 1, 2, 3]))
        kind = random.integers(5)
        if kind == 0:
            cv2.circle(crop, points[0], int(random.integers(2, 24)), grey, thickness)
        elif kind == 1:
            cv2.line(crop, points[0], points[1], grey, abs(thickness) + 1)
        elif kind == 2:
            cv2.rectangle(crop, points[0], points[1], grey, thickness)
        elif kind == 3:
            cv2.fillPoly(crop, [np.array(points)], grey)
        else:
            text = "".join(random.choice(list("abcxyzQRS?!18%"), 4))
            size = float(random.uniform(0.3, 1.2))
            cv2.putText(crop, text, points[0], cv2.FONT_HERSHEY_SIMPLEX, size, grey, 2)
    return cv2.GaussianBlur(crop, (0, 0), random.uniform(0.3, 2))


def cloud(random: np.random.Generator) -> Crops:
    side = int(random.integers(2, FACE_SIZE + 1))
    noise = cv2.resize(random.normal(size=(side, side)), (FACE_SIZE, FACE_SIZE))
    grey = random.uniform(0, 255) + random.choice([20, 90]) * random.uniform() * noise
    return np.clip(grey, 0, 255).astype(np.uint8)


# --- the likeness network ---------------------------------------------------------------------


def fit(faces_u8: Crops, rated: Crops, photos: list[Crops], seed: int) -> FaceLikeness:
    """Fit the network; it takes a minute or two."""
    from sklearn.neural_network import MLPClassifier

    random = np.random.default_rng(seed)
    faces = faces_u8[random.permutation(len(faces_u8))[:11_000]]
    yes = [*faces, *(varied(slightly_moved(face, random), random) for face in faces)]
    no = [crop for photo in photos for crop in random_crops(photo, 1500, random)]
    no += [np.rot90(crop, random.integers(4)) for crop in no[::2]]
    no += [255 - crop for crop in no[::7]]
    no += 3 * [crop for photo in photos for crop in haar_crops(photo)]
    no += [badly_framed(face, random) for face in faces]
    no += [cloud(random) for _ in range(1500)] + [drawn(random) for _ in range(4000)]
    no += 8 * list(rated)
    no = [varied(crop, random) for crop in no]
    network = MLPClassifier(
        (64, 16), alpha=1e-3, batch_size=256, learning_rate_init=1e-3, max_iter=14,
        random_state=seed,
    )  # fmt: skip
    inputs = np.stack([features(crop) for crop in [*yes, *no]])
    network.fit(inputs, np.arange(len(inputs)) < len(yes))
    return FaceLikeness(
        tuple(weights.astype(np.float32) for weights in network.coefs_),
        tuple(biases.astype(np.float32) for biases in network.intercepts_),
    )


def write_weights(likeness: FaceLikeness, path: Path) -> None:
    arrays = {}
    for layer, (weights, biases) in enumerate(zip(likeness.weights, likeness.biases, strict=True)):
        arrays[f"weights_{layer}"] = weights.astype(np.float16)
        arrays[f"biases_{layer}"] = biases.astype(np.float16)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_atomically(path, content.getvalue())
    print(f"Wrote {path} ({len(content.getvalue()) / 1000:.0f} kB)\n")


def measure_held_out(
    faces_u8: Crops, validation_u8: Crops, rated: Crops, photos: dict[str, Crops]
) -> dict[str, list[tuple[NDArray[np.float64], Crops]]]:
    """By kind: for each half, the likeness that the other half's network sees, and the crops."""
    random = np.random.default_rng(1)
    halves = (np.arange(len(rated)) % 2 == 0, np.arange(len(rated)) % 2 == 1)
    names = sorted(photos)
    result: dict[str, list[tuple[NDArray[np.float64], Crops]]] = {
        "validation": [], "rated": [], "photos": [],
    }  # fmt: skip
    for number, mine in enumerate(halves):
        others = [photos[name] for name in names[1 - number :: 2]]
        network = fit(faces_u8, rated[~mine], others, seed=number)
        own = [
            crop
            for name in names[number::2]
            for crop in random_crops(photos[name], CROPS_A_PHOTO, random)
        ]
        for kind, crops in (("validation", validation_u8), ("rated", rated[mine]), ("photos", own)):
            scores = np.array([network.score(crop) for crop in crops])
            result[kind].append((scores, np.stack(list(crops))))
    return result


def choose(
    held_out: dict[str, list[tuple[NDArray[np.float64], Crops]]],
    confidence: NDArray[np.float32],
    right: NDArray[np.bool_],
    recognizer: Recognizer,
) -> None:
    """Print what of the held-out non-faces passes pairs of thresholds that keep `COVERAGE`."""
    print(f"Pairs of thresholds that keep {COVERAGE:.0%} of the validation faces; held out:")
    print("min_confidence  min_likeness  accuracy  rated pass  photo crops pass")
    for least in (0.0, 0.25, 0.3, 0.35, 0.4):
        likeness, kept, passed = [], [], {"rated": [], "photos": []}
        for half in range(2):
            scores = held_out["validation"][half][0]
            sure = confidence >= least
            if sure.mean() <= COVERAGE:
                break
            threshold = np.quantile(np.where(sure, scores, -np.inf), 1 - COVERAGE)
            likeness.append(threshold)
            kept.append(right[sure & (scores >= threshold)].mean())
            for kind, shares in passed.items():
                found, crops = held_out[kind][half]
                top = recognizer.classify(crops).max(axis=1)
                shares.append(((found >= threshold) & (top >= least)).mean())
        if len(likeness) == 2:
            print(
                f"{least:14.2f}  {np.mean(likeness):12.2f}  {np.mean(kept):8.1%}  "
                f"{np.mean(passed['rated']):10.1%}  {np.mean(passed['photos']):16.1%}"
            )
    print()


# --- what the whole gate does -----------------------------------------------------------------


def report(
    recognizer: Recognizer,
    faces_u8: Crops,
    labels: NDArray[np.integer],
    rated: Crops,
    photos: dict[str, Crops],
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
    random = np.random.default_rng(2)
    crops = [c for photo in photos.values() for c in random_crops(photo, CROPS_A_PHOTO, random)]
    others = {"rated not a face": rated, "crops of photos": np.stack(crops)}
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
    probabilities = recognizer.classify(crops)
    face = Face(Box(100, 100, side_px, side_px), 1.0)
    passes = [
        gate.passes(measure_quality(crop, face, (300, 300)), float(row.max()))
        for crop, row in zip(crops, probabilities, strict=True)
    ]
    return np.array(passes), probabilities


def is_confident(probabilities: NDArray[np.float32], least: float) -> NDArray[np.bool_]:
    """Whether the likeliest emotion of each face has at least this probability."""
    return probabilities.max(axis=1).astype(np.float64) >= least


if __name__ == "__main__":
    main()
