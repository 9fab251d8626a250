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

Then faces stand still, and faces come nearer, so that their size doubles within 2 s:

    width, height, centre   how far they range in one clip, (largest - smallest) / median width or
              height; the median of the clips and the worst one
    jumps     changes of width or centre by more than 3 % of the width from one frame to the next
    off       how far width or height are from the face's true growth, at most

The last table scores smoothing, and with `--temporal` a temporal network beside it: a face, shaken
and noisy, is exchanged for one that the network labels otherwise, again and again. It holds how
often a minute the label changes although the face does not, how long after a true change the new
label stands, how often the label is that of the undisturbed face, and what a face costs in
milliseconds of one core.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from inputs import existing
from numpy.typing import NDArray
from scenes import (
    HEIGHT,
    WIDTH,
    Actor,
    Image,
    Path2D,
    Scene,
    as_person,
    backgrounds,
    found_people,
    leaving_and_coming,
    look_alikes_crossing,
    make_scenes,
    render,
    still,
)

from mien.core.types import Box, Face
from mien.data.fer2013 import load_dataset
from mien.engine.settings import EngineSettings
from mien.engine.smoothing import SMOOTH_MS, Smoother
from mien.engine.stages import FaceLocator
from mien.engine.temporal import TemporalMemory
from mien.engine.tracks import Observation, TrackMemory
from mien.faces.assign import assign, intersection_over_union
from mien.faces.gate import measure_quality
from mien.recognizer import Recognizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=existing, default="data/test.csv")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--model", type=existing)
    parser.add_argument("--temporal", type=existing, help="temporal.onnx, beside the smoother")
    options = parser.parse_args()
    recognizer = Recognizer(options.model, detector=options.detector, threads=1)
    faces_u8 = load_dataset(options.faces).faces_u8
    print(f"Detector {recognizer.detector.name}")
    score_identities(recognizer, faces_u8)
    score_look_alikes(recognizer, faces_u8)
    score_returns(recognizer, faces_u8)
    score_steadiness(recognizer, faces_u8)
    score_growth(recognizer)
    score_smoothing(recognizer, faces_u8, options.temporal)


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


# --- steadiness -------------------------------------------------------------------------------

STILL_SIDES = (70, 110, 160, 230)  # of the pictures of still faces, in pixels
STILL_SECONDS = 3.0
JUMP = 0.03  # of the width
GROWTH_SECONDS = 2.0


def score_steadiness(recognizer: Recognizer, faces_u8: Image) -> None:
    coffee, rocket = backgrounds()
    random = np.random.default_rng(2)
    clips = []
    for number, person in enumerate(found_people(recognizer.detector, faces_u8, 6, coffee)):
        for side in STILL_SIDES:
            x = random.uniform(side / 2, WIDTH - side / 2)
            y = random.uniform(side / 2, HEIGHT - side / 2)
            actor = Actor(*person, still(x, y, side))
            scene = Scene("still", STILL_SECONDS, [actor], [(coffee, rocket)[number % 2]])
            boxes = [box for box, _ in followed(scene, recognizer)]
            if boxes:  # the detector may not find one at another size
                clips.append(ranges(np.array(boxes)))
    spread, jumps = np.array(clips)[:, :3], np.array(clips)[:, 3]
    print(f"\n{len(clips)} clips of a still face, {STILL_SECONDS:.0f} s each")
    print("          width  height  centre")
    print("median  " + " ".join(f"{value:6.1%}" for value in np.median(spread, axis=0)))
    print("worst   " + " ".join(f"{value:6.1%}" for value in spread.max(axis=0)))
    print(
        f"{np.count_nonzero(spread[:, 0] > JUMP)} range by more than {JUMP:.0%} of the width; "
        f"{jumps.sum() / (len(clips) * STILL_SECONDS / 60):.1f} jumps a minute"
    )


def ranges(boxes: NDArray[np.float64]) -> list[float]:
    """How far (F, 4) boxes of a still face range in width, height and centre, and their jumps."""
    widths, heights = boxes[:, 2], boxes[:, 3]
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    width = float(np.median(widths))
    steps = np.abs(np.diff(np.column_stack([widths, centres]), axis=0)).max(axis=1)
    return [
        np.ptp(widths) / width,
        np.ptp(heights) / float(np.median(heights)),
        np.ptp(centres, axis=0).max() / width,
        np.count_nonzero(steps > JUMP * width),
    ]


def score_growth(recognizer: Recognizer) -> None:
    """A real face comes nearer: FER2013's are too coarse for a detector to agree with itself."""
    import skimage.data

    coffee, rocket = backgrounds()
    astronaut = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)[45:185, 154:294]
    person = as_person(recognizer.detector, np.ascontiguousarray(astronaut), coffee)
    if person is None:
        print("\nThe detector does not find the face that comes nearer")
        return
    off = []
    for side in (80, 120, 160):
        for x, background in ((200, coffee), (320, rocket), (430, coffee)):
            path = nearing(x, HEIGHT / 2, side)
            scene = Scene("nearing", 1.25 * GROWTH_SECONDS, [Actor(*person, path)], [background])
            found = followed(scene, recognizer)
            grown = np.array([[box[2] / true.width, box[3] / true.height] for box, true in found])
            off.append(np.abs(grown / np.median(grown, axis=0) - 1).max())
    print(
        f"\n{len(off)} times a face's size doubles in {GROWTH_SECONDS:.0f} s; its box is off by "
        f"{np.median(off):.1%} at most in the median clip, by {max(off):.1%} in the worst"
    )


def nearing(x: float, y: float, side: float) -> Path2D:
    return lambda time: (x, y, side * 2 ** min(time / GROWTH_SECONDS, 1.0))


def followed(scene: Scene, recognizer: Recognizer) -> list[tuple[list[float], Box]]:
    """The only face's box in each frame that shows it, x, y, width and height, and the true one."""
    locator = FaceLocator(recognizer, EngineSettings())
    boxes = []
    for frame, truth in render(scene):
        shown = locator.locate(frame).faces
        if len(shown) == len(truth) == 1:
            box = shown[0].face.box
            boxes.append(([box.x, box.y, box.width, box.height], truth[0][1]))
    return boxes


# --- smoothing --------------------------------------------------------------------------------

CHANGES = 60
HOLD_MS = 3000.0
CLASSIFY_MS = 100.0


def score_smoothing(recognizer: Recognizer, faces_u8: Image, temporal: Path | None) -> None:
    random = np.random.default_rng(5)
    clean = recognizer.classifier.classify(faces_u8[:2000]).probabilities
    chosen = [int(random.integers(2000))]
    while len(chosen) < CHANGES:
        other = int(random.integers(2000))
        if clean[other].argmax() != clean[chosen[-1]].argmax() and clean[other].max() > 0.5:
            chosen.append(other)
    steps = int(HOLD_MS / CLASSIFY_MS)
    crops = np.stack([disturbed(faces_u8[i], random) for i in chosen for _ in range(steps)])
    observed = observations(recognizer, crops)
    print(
        f"\nA face, disturbed, classified every {CLASSIFY_MS:.0f} ms, exchanged every "
        f"{HOLD_MS / 1000:.0f} s ({CHANGES} times)"
    )
    print(
        "smoothing            label changes a minute  delay ms: median  mean   p95  right"
        "  ms a face"
    )
    memories: dict[str, TrackMemory] = {}
    for smooth_ms in (0.0, SMOOTH_MS / 2, SMOOTH_MS, 2 * SMOOTH_MS, 4 * SMOOTH_MS):
        default = " (default)" if smooth_ms == SMOOTH_MS else ""
        memories[f"{smooth_ms:.0f} ms{default}"] = Smoother(smooth_ms)
    if temporal is not None:
        memories[temporal.name] = TemporalMemory(temporal, recognizer.classifier)
    for name, memory in memories.items():
        started_s = time.process_time()
        labels = [memory.observe(1, each)[1] for each in observed]
        cost_ms = (time.process_time() - started_s) * 1000 / len(observed)
        held = np.array(labels).reshape(-1, steps)
        truth = clean[chosen].argmax(axis=1)
        flicker, delays = smoothness(held, truth)
        right = np.mean(held == truth[:, None])
        print(
            f"{name:20} {flicker:23.1f} {np.median(delays):17.0f} {np.mean(delays):5.0f} "
            f"{np.percentile(delays, 95):5.0f} "
            f"{right:6.1%} {cost_ms:10.3f}"
        )


def observations(recognizer: Recognizer, crops_u8: Image) -> list[Observation]:
    outputs = recognizer.classifier.classify(crops_u8)
    whole = Face(Box(0, 0, 48, 48), 1.0)
    return [
        Observation(
            i * CLASSIFY_MS,
            outputs.probabilities[i],
            None if outputs.features is None else outputs.features[i],
            measure_quality(crop_u8, float(outputs.likeness[i]), whole, (48, 48)),
        )
        for i, crop_u8 in enumerate(crops_u8)
    ]


def disturbed(face: Image, random: np.random.Generator) -> Image:
    """What a shaky, noisy camera makes of a still face."""
    angle, zoom = random.normal(0, 4), random.normal(1, 0.05)
    affine = cv2.getRotationMatrix2D((24, 24), angle, zoom)
    affine[:, 2] = affine[:, 2] + random.normal(0, 1.2, 2)
    moved = cv2.warpAffine(face, affine, (48, 48), borderMode=cv2.BORDER_REPLICATE)
    lit = moved * random.normal(1, 0.05) + random.normal(0, 6, moved.shape)
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def smoothness(
    labels: NDArray[np.int64], true_labels: NDArray[np.int64]
) -> tuple[float, list[float]]:
    """Label changes a minute beyond the true ones, and the delay of each true one in ms."""
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
