"""Ask networks about faces as cameras show them: detected again, small, blurred, noisy, dark.

    python benchmarks/camera_faces.py [MODEL ...] [--detector yunet]

Each validation face of the selected experiment, which no network learnt, is set in a plain border
as a picture of a face of 96 pixels. A detector finds it there; then the picture is degraded, and
the crop is what a live stream would give the network. Columns, for each network (without one, that
which ships): the faces on which the reading `raters` says what more than five of FER+'s ten raters
say, the mean recall of the seven emotions on these, and how often the reading `labels` says
FER2013's label. To choose between networks by: the test faces have no part in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from inputs import existing
from numpy.typing import NDArray
from surround import surround, to_bgr

from mien.classifier.classifier import Classifier
from mien.classifier.reading import read
from mien.core.types import Face
from mien.data.ferplus import agreed_labels
from mien.faces.crop import crop_face
from mien.faces.detect import FRAMINGS, Detector, make_detector
from mien.training.config import selected_experiment
from mien.training.faces import LabelledFaces, load_split
from mien.training.readings import LABELS, RATERS
from mien.training.recall import mean_recall

Picture = NDArray[np.uint8]  # (H, W), grey

ENLARGEMENT = 2  # of FER2013's 48 pixels
LEAST_WIDTH_PX = 48  # of a box that holds the face, not a part of it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=existing, metavar="MODEL")
    parser.add_argument("--data", type=existing, default="data/train.csv")
    parser.add_argument("--votes", type=existing, default="data/fer2013new.csv")
    parser.add_argument("--detector", default="yunet")
    options = parser.parse_args()
    _, validation = load_split(
        selected_experiment(Path("experiments")), options.data, options.votes
    )
    detector = make_detector(options.detector)
    pictures = [surround(face_u8, ENLARGEMENT) for face_u8 in validation.faces_u8]
    found = [find(picture, detector) for picture in pictures]
    chosen = np.array([index for index, face in enumerate(found) if face is not None])
    print(f"{detector.name} finds {len(chosen):,} of {len(pictures):,} validation faces")
    faces = validation.take(chosen)
    rows = {"original": faces.faces_u8}
    for name, spoil in SPOILED.items():
        rows[name] = np.stack(
            [
                crop_face(to_bgr(spoil(picture)), face, FRAMINGS[detector.name])
                for picture, face in zip(pictures, found, strict=True)
                if face is not None
            ]
        )
    for model in options.models or [None]:
        report(model, rows, faces)


# --- pictures ---------------------------------------------------------------------------------


def _dim_and_noisy(picture: Picture) -> Picture:
    return _add_noise((picture * 0.2).astype(np.uint8), sigma=5)


def _add_noise(picture: Picture, sigma: float) -> Picture:
    noise = np.random.default_rng(0).normal(0, sigma, picture.shape)
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def _compress(picture: Picture, quality: int) -> Picture:
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), np.uint8)


def _shrink(picture: Picture, factor: float) -> Picture:
    """Show the face with fewer pixels; enlarged again, as a browser or a player does."""
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, picture.shape[::-1]), np.uint8)


def _light_from_a_side(picture: Picture) -> Picture:
    return np.asarray(picture * np.linspace(1, 0.15, picture.shape[1]), np.uint8)


def _overexpose(picture: Picture) -> Picture:
    return np.asarray(np.clip(picture * 1.4, 0, 255), np.uint8)


SPOILED: Mapping[str, Callable[[Picture], Picture]] = {
    "detected again": lambda picture: picture,
    "24 px": lambda picture: _shrink(picture, 24 / 96),
    "blurred by 3 px": lambda picture: np.asarray(cv2.GaussianBlur(picture, (0, 0), 3), np.uint8),
    "motion blur, 12 px": lambda picture: np.asarray(cv2.blur(picture, (12, 1)), np.uint8),
    "noise, sigma 25": lambda picture: _add_noise(picture, sigma=25),
    "JPEG, quality 10": lambda picture: _compress(picture, quality=10),
    "dark and noisy": _dim_and_noisy,
    "lit from one side": _light_from_a_side,
    "overexposed": _overexpose,
}
"""By name, what is done to the picture; pixels are those of a face of 96."""


def find(picture: Picture, detector: Detector) -> Face | None:
    """Return the one face in the picture; None where there is none, or not one alone."""
    faces = [face for face in detector.detect(to_bgr(picture)) if face.box.width >= LEAST_WIDTH_PX]
    return faces[0] if len(faces) == 1 else None


# --- networks ---------------------------------------------------------------------------------


def report(model: Path | None, rows: Mapping[str, NDArray[np.uint8]], faces: LabelledFaces) -> None:
    """Print a network's table."""
    assert faces.votes is not None
    agreed = agreed_labels(faces.votes)
    clear = agreed >= 0
    classifier = Classifier(model)
    readings, classes = classifier.artifact.readings, classifier.artifact.heads
    print(f"\n{model or 'the shipped network'}")
    print(f"{'':20}{'raters':>10}{'mean recall':>14}{'labels':>10}")
    for row, crops in rows.items():
        heads = classifier.classify(crops).heads
        said, named = (
            read(heads, readings[name], classes).argmax(axis=1) for name in (RATERS, LABELS)
        )
        print(
            f"{row:20}{np.mean((said == agreed)[clear]):10.1%}"
            f"{mean_recall(said[clear], agreed[clear]):14.1%}"
            f"{np.mean(named == faces.labels):10.1%}"
        )


if __name__ == "__main__":
    main()
