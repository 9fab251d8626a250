"""Score who is who, and how calm the labels are, on videos whose truth is known.

    python benchmarks/identities.py [--faces data/test.csv] [--detector auto]

FER2013's test faces (without their labels) and the astronaut move over photographs, at 640 × 360
and 30 frames a second: they cross, leave and come back, go behind an object, are look-alikes, are
shaken with the camera, are cut to. The first table scores the numbers that the engine gives them:

    IDF1      2 · IDTP / (boxes of the truth + boxes of the engine), Ristani et al. 2016
    switches  how often a person's number changes
    missed    part of the true boxes without a box at an intersection over union of 0.5
    extra     part of the boxes without a true one
    detected  part of the frames in which the detector ran
    agree     part of the boxes that detection in every frame finds which the engine has too

The second table scores smoothing: a face, shaken and noisy, is exchanged for one that the network
labels otherwise, again and again. It holds how often a minute the label changes although the face
does not, and how long after a true change the new label stands.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.core.types import Box
from mien.data.fer2013 import load_dataset
from mien.engine.settings import EngineSettings
from mien.engine.smoothing import SMOOTH_MS, Smoother
from mien.engine.stages import FaceLocator
from mien.faces.detect import Detector
from mien.faces.track import assign, intersection_over_union
from mien.media.frames import Frame
from mien.recognizer import Recognizer

WIDTH, HEIGHT, FPS = 640, 360, 30
PICTURE_SIDE = 160
VISIBLE_PART = 0.6  # of a face, for it to count as there
Image = NDArray[np.uint8]
Place = tuple[float, float, float]  # centre x, centre y, side, in pixels
Path2D = Callable[[float], Place | None]  # of the time in seconds; None is out of the scene


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A picture that moves; without a box, it is an object and no person."""

    picture: Image
    box: Box | None  # of the face, in parts of the picture's side, from its centre
    path: Path2D


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Actors (the last one in front) over backgrounds; each background lasts equally long."""

    name: str
    seconds: float
    actors: list[Actor]
    backgrounds: list[Image]


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
        matched = assign(np.where(overlaps >= 0.5, overlaps, 0))
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


def render(scene: Scene) -> Iterator[tuple[Frame, list[tuple[int, Box]]]]:
    """The frames of a scene, each with the people in it who can be seen."""
    random = np.random.default_rng(1)
    count = int(scene.seconds * FPS)
    for index in range(count):
        image = scene.backgrounds[index * len(scene.backgrounds) // count].copy()
        owner = np.full((HEIGHT, WIDTH), -1)
        places: list[tuple[int, Place, Box]] = []
        for person, actor in enumerate(scene.actors):
            place = actor.path(index / FPS)
            if place is None:
                continue
            paste(image, owner, person, actor.picture, place)
            if actor.box is not None:
                places.append((person, place, actor.box))
        truth = [
            (person, Box(x + box.x * side, y + box.y * side, box.width * side, box.height * side))
            for person, (x, y, side), box in places
            if (owner == person).sum() >= VISIBLE_PART * side**2
        ]
        noisy = np.clip(image + random.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
        yield Frame(index, index * 1000 / FPS, noisy), truth


def paste(image: Image, owner: NDArray[np.int64], person: int, picture: Image, at: Place) -> None:
    x, y, side = at
    scale = side / PICTURE_SIDE
    affine = np.array([[scale, 0, x - side / 2], [0, scale, y - side / 2]])
    soft = cv2.GaussianBlur(picture, (0, 0), max(0.4 * (1 / scale - 1), 0.01))
    moved = cv2.warpAffine(soft, affine, (WIDTH, HEIGHT))
    area = np.full(picture.shape[:2], 255, np.uint8)
    mask = cv2.warpAffine(area, affine, (WIDTH, HEIGHT)) > 127
    image[mask] = moved[mask]
    owner[mask] = person


def make_scenes(detector: Detector, faces_u8: Image) -> list[Scene]:
    import skimage.data

    coffee, rocket, brick = (
        cv2.cvtColor(picture, cv2.COLOR_RGB2BGR if picture.ndim == 3 else cv2.COLOR_GRAY2BGR)
        for picture in (skimage.data.coffee(), skimage.data.rocket(), skimage.data.brick())
    )
    first, second = (cv2.resize(photo, (WIDTH, HEIGHT)) for photo in (coffee, rocket))
    people = found_people(detector, faces_u8, 24, first)
    astronaut = cv2.cvtColor(skimage.data.astronaut()[:260, 90:350], cv2.COLOR_RGB2BGR)
    person = as_person(detector, astronaut, first)
    if person is not None:
        people[0] = person
    random = np.random.default_rng(3)

    def actor(number: int, path: Path2D) -> Actor:
        return Actor(*people[number], path)

    post = Actor(cv2.resize(brick, (PICTURE_SIDE, PICTURE_SIDE)), None, still(320, 180, 150))
    return [
        Scene("crossing", 5, [actor(0, line(60, 580, 180, 110, 0, 5)),
                              actor(1, line(580, 60, 190, 110, 0, 5))], [first]),
        Scene("slow crossing", 6, [actor(2, line(200, 440, 180, 100, 0, 6)),
                                   actor(3, line(440, 200, 170, 100, 0, 6))], [first]),
        Scene("meet and turn", 5, [actor(4, there_and_back(120, 330, 180, 100, 5)),
                                   actor(5, there_and_back(520, 330, 180, 100, 5))], [second]),
        Scene("come back", 8, [actor(6, in_turn(line(100, 720, 180, 100, 0, 3),
                                                line(720, 200, 160, 110, 5, 8)))], [first]),
        Scene("someone else", 7, [actor(7, line(100, 720, 180, 100, 0, 3)),
                                  actor(8, line(720, 200, 180, 100, 3.7, 7))], [first]),
        Scene("look-alikes", 4, [actor(9, line(60, 580, 180, 100, 0, 4)),
                                 actor(9, line(580, 60, 190, 100, 0, 4))], [second]),
        Scene("slow twins", 6, [actor(10, line(200, 440, 180, 100, 0, 6)),
                                actor(10, line(440, 200, 170, 100, 0, 6))], [second]),
        Scene("eight people", 6, [actor(11 + i, wander(i, random)) for i in range(8)], [first]),
        Scene("behind a post", 5, [actor(19, line(60, 580, 180, 90, 0, 5)), post], [second]),
        Scene("cut", 4, [actor(20, line(320, 321, 180, 110, 0, 2)),
                         actor(21, line(330, 331, 185, 115, 2, 4))], [first, second]),
        Scene("shaken camera", 4, [actor(22, shaken(320, 180, 100)),
                                   actor(23, shaken(480, 180, 90))], [first]),
    ]  # fmt: skip


def found_people(
    detector: Detector, faces_u8: Image, count: int, background: Image
) -> list[tuple[Image, Box]]:
    """Faces that the detector finds, with where it sees them."""
    people = []
    for index in np.random.default_rng(7).permutation(len(faces_u8)):
        person = as_person(detector, faces_u8[index], background)
        if person is not None:
            people.append(person)
        if len(people) == count:
            break
    return people


def as_person(detector: Detector, picture: Image, background: Image) -> tuple[Image, Box] | None:
    size = (PICTURE_SIDE, PICTURE_SIDE)
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    image = background.copy()
    paste(image, np.zeros((HEIGHT, WIDTH), int), 0, picture, (320, 180, 110))
    faces = detector.detect(image)
    box = faces[0].box if len(faces) == 1 else Box(0, 0, 0, 0)
    if intersection_over_union(box, Box(320 - 55, 180 - 55, 110, 110)) < 0.4:
        return None
    return picture, Box((box.x - 320) / 110, (box.y - 180) / 110, box.width / 110, box.height / 110)


def line(x0: float, x1: float, y: float, side: float, begin: float, end: float) -> Path2D:
    def path(time: float) -> Place | None:
        part = (time - begin) / (end - begin)
        return (x0 + (x1 - x0) * part, y, side) if 0 <= part < 1 else None

    return path


def still(x: float, y: float, side: float) -> Path2D:
    return lambda _: (x, y, side)


def there_and_back(x0: float, x1: float, y: float, side: float, seconds: float) -> Path2D:
    return lambda time: (x0 + (x1 - x0) * (1 - abs(2 * time / seconds - 1)), y, side)


def in_turn(*paths: Path2D) -> Path2D:
    return lambda time: next((place for path in paths if (place := path(time))), None)


def shaken(x: float, y: float, side: float) -> Path2D:
    turn = 2 * np.pi
    return lambda t: (x + 60 * np.sin(turn * 2 * t), y + 30 * np.sin(turn * 3 * t), side)


def wander(number: int, random: np.random.Generator) -> Path2D:
    speed, phase = random.uniform(0.3, 1.0, 3), random.uniform(0, 6, 3)
    x, y, side = 80 + 160 * (number % 4), 100 + 170 * (number // 4), 70 + 20 * (number % 3)
    return lambda time: (
        x + 45 * np.sin(speed[0] * 2 * time + phase[0]),
        y + 25 * np.sin(speed[1] * 2 * time + phase[1]),
        side * (1 + 0.15 * np.sin(speed[2] * 2 * time + phase[2])),
    )


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
