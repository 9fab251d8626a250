"""Score who is who, and how calm the labels are, on videos whose truth is known.

    python benchmarks/identities.py [--faces data/test.csv] [--detector auto]

The videos are those of `scenes.py`, at 640 × 360 and 30 frames a second. The first table scores the
numbers that the engine gives to people:

    IDF1      2 · IDTP / (boxes of the truth + boxes of the engine), Ristani et al. 2016
    switches  how often a person's number changes; while its box fits, a person keeps its number
              (CLEAR MOT, Bernardin and Stiefelhagen 2008)
    missed    part of the true boxes without a box at an intersection over union of 0.5
    extra     part of the boxes without a true one
    detected  part of the frames in which the detector ran
    agree     part of the boxes that detection in every frame finds which the engine has too

Then look-alikes cross, that is, two faces of one picture, at two speeds: an exchange would halve
IDF1, so more than 0.8 means that both keep their numbers. Then one person leaves, and after 2.5 s
that one or another one comes: how often does the old number come again?

The last table scores smoothing: a face, shaken and noisy, is exchanged for one that the network
labels otherwise, again and again. It holds how often a minute the label changes although the face
does not, and how long after a true change the new label stands.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scenes import Image, Scene, leaving_and_coming, look_alikes_crossing, make_scenes, render

from mien.data.fer2013 import load_dataset
from mien.engine.settings import EngineSettings
from mien.engine.smoothing import SMOOTH_MS, Smoother
from mien.engine.stages import FaceLocator
from mien.faces.track import assign, intersection_over_union
from mien.recognizer import Recognizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("data/test.csv"))
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--model", type=Path, default=None)
    options = parser.parse_args()
    recognizer = Recognizer(options.model, detector=options.detector, threads=1)
    faces_u8 = load_dataset(options.faces).faces_u8
    print(f"Detector {recognizer.detector.name}")
    score_identities(recognizer, faces_u8)
    score_look_alikes(recognizer, faces_u8)
    score_returns(recognizer, faces_u8)
    score_smoothing(recognizer, faces_u8)


# --- identities -------------------------------------------------------------------------------


def score_identities(recognizer: Recognizer, faces_u8: Image) -> None:
    print("\nscene           IDF1  switches  missed   extra  detected   agree")
    totals = []
    for scene in make_scenes(recognizer.detector, faces_u8):
        score = score_scene(scene, recognizer)
        totals.append(score)
        print_score(scene.name, score)
    mean = np.array(totals).mean(axis=0)
    mean[1] *= len(totals)
    print_score("mean (sum)", mean)


def print_score(name: str, score: NDArray[np.float64]) -> None:
    idf1, switches, missed, extra, detected, agree = score
    print(
        f"{name:14} {idf1:5.3f} {switches:9.0f} {missed:7.1%} {extra:7.1%} {detected:9.1%} "
        f"{agree:7.1%}"
    )


def score_scene(scene: Scene, recognizer: Recognizer) -> NDArray[np.float64]:
    locator = FaceLocator(recognizer, EngineSettings())
    pairs: dict[tuple[int, int], int] = {}
    number_of: dict[int, int] = {}
    true_boxes = boxes = hits = switches = detections = 0
    agreed = []
    frames = list(render(scene))
    for frame, truth in frames:
        shown = locator.locate(frame).faces
        detections += any(tracked.detected for tracked in shown)
        overlaps = np.array(
            [[intersection_over_union(box, t.face.box) for t in shown] for _, box in truth]
        ).reshape(len(truth), len(shown))
        kept = np.array(
            [[number_of.get(person) == t.track_id for t in shown] for person, _ in truth], float
        ).reshape(overlaps.shape)
        matched = assign(np.where(overlaps >= 0.5, overlaps + kept, 0))
        for row, column in matched:
            person, number = truth[row][0], shown[column].track_id
            pairs[person, number] = pairs.get((person, number), 0) + 1
            switches += number_of.get(person, number) != number
            number_of[person] = number
        true_boxes, boxes, hits = true_boxes + len(truth), boxes + len(shown), hits + len(matched)
        for face in recognizer.detector.detect(frame.image_bgr):
            best = max((intersection_over_union(face.box, t.face.box) for t in shown), default=0)
            agreed.append(best >= 0.5)
    people, numbers = sorted({p for p, _ in pairs}), sorted({n for _, n in pairs})
    counts = np.array([[pairs.get((p, n), 0) for n in numbers] for p in people], float)
    true_positives = sum(counts[pair] for pair in assign(counts.reshape(len(people), -1)))
    return np.array(
        [
            2 * true_positives / (true_boxes + boxes),
            switches,
            1 - hits / true_boxes,
            1 - hits / boxes,
            detections / len(frames),
            np.mean(agreed),
        ]
    )


RETURNS = 40


def score_returns(recognizer: Recognizer, faces_u8: Image) -> None:
    print(f"\n{RETURNS} times one person leaves; the number after that is the old one")
    for same in (True, False):
        old = 0
        for scene in leaving_and_coming(recognizer.detector, faces_u8, RETURNS, same=same):
            locator = FaceLocator(recognizer, EngineSettings())
            shown = [locator.locate(frame).faces for frame, _ in render(scene)]
            numbers = [tracked.track_id for faces in shown for tracked in faces]
            old += numbers[-1] == numbers[0]
        print(f"{'the same person comes' if same else 'another person comes':22} {old:3}")


LOOK_ALIKES = 10


def score_look_alikes(recognizer: Recognizer, faces_u8: Image) -> None:
    scenes = look_alikes_crossing(recognizer.detector, faces_u8, LOOK_ALIKES)
    kept = sum(score_scene(scene, recognizer)[0] > 0.8 for scene in scenes)
    print(f"\n{len(scenes)} times two look-alikes cross; each keeps its number {kept} times")


# --- smoothing --------------------------------------------------------------------------------

CHANGES = 60
HOLD_MS = 3000.0
CLASSIFY_MS = 100.0


def score_smoothing(recognizer: Recognizer, faces_u8: Image) -> None:
    random = np.random.default_rng(5)
    clean = recognizer.classify(faces_u8[:2000])
    chosen = [int(random.integers(2000))]
    while len(chosen) < CHANGES:
        other = int(random.integers(2000))
        if clean[other].argmax() != clean[chosen[-1]].argmax() and clean[other].max() > 0.5:
            chosen.append(other)
    steps = int(HOLD_MS / CLASSIFY_MS)
    crops = np.stack([disturbed(faces_u8[i], random) for i in chosen for _ in range(steps)])
    observed = recognizer.classify(crops)
    print(
        f"\nA face, disturbed, classified every {CLASSIFY_MS:.0f} ms, exchanged every "
        f"{HOLD_MS / 1000:.0f} s ({CHANGES} times)"
    )
    print("smooth_ms  label changes a minute  median delay ms  p95 delay ms")
    for smooth_ms in (0.0, SMOOTH_MS / 2, SMOOTH_MS, 2 * SMOOTH_MS, 4 * SMOOTH_MS):
        flicker, delays = smoothness(observed, clean[chosen].argmax(axis=1), smooth_ms, steps)
        default = "  (default)" if smooth_ms == SMOOTH_MS else ""
        print(
            f"{smooth_ms:9.0f} {flicker:23.1f} {np.median(delays):16.0f} "
            f"{np.percentile(delays, 95):13.0f}{default}"
        )


def disturbed(face: Image, random: np.random.Generator) -> Image:
    """What a shaky, noisy camera makes of a still face."""
    angle, zoom = random.normal(0, 4), random.normal(1, 0.05)
    affine = cv2.getRotationMatrix2D((24, 24), angle, zoom)
    affine[:, 2] += random.normal(0, 1.2, 2)
    moved = cv2.warpAffine(face, affine, (48, 48), borderMode=cv2.BORDER_REPLICATE)
    lit = moved * random.normal(1, 0.05) + random.normal(0, 6, moved.shape)
    return np.clip(lit, 0, 255).astype(np.uint8)


def smoothness(
    observed: NDArray[np.float32], true_labels: NDArray[np.int64], smooth_ms: float, steps: int
) -> tuple[float, list[float]]:
    """Label changes a minute beyond the true ones, and the delay of each true one in ms."""
    smoother = Smoother(smooth_ms)
    labels = np.array(
        [smoother.smooth(1, row, i * CLASSIFY_MS)[1] for i, row in enumerate(observed)]
    ).reshape(-1, steps)
    needless, delays = 0, []
    for held, truth in zip(labels[1:], true_labels[1:], strict=True):
        needless += max(np.count_nonzero(np.diff(held)) - (held[0] != truth), 0)
        right = np.flatnonzero(held == truth)
        if len(right):
            delays.append(right[0] * CLASSIFY_MS)
    minutes = (len(labels) - 1) * HOLD_MS / 60_000
    return needless / minutes, delays


if __name__ == "__main__":
    main()
