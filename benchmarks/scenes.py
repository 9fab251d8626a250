"""Videos whose truth is known: people who move over photographs.

    python benchmarks/scenes.py "eight people" eight.mp4 [--size 1280x720] [--faces data/test.csv]

FER2013's test faces (without their labels) cross, leave and come back, go behind an object, are
look-alikes, are shaken with the camera, are cut to. Other benchmarks use the scenes as they are;
the command writes one as H.264, for those that take a file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from inputs import existing
from numpy.typing import NDArray

from mien.core.types import Box
from mien.data.fer2013 import load_dataset
from mien.faces.assign import intersection_over_union
from mien.faces.detect import Detector, make_detector
from mien.media.frames import Frame

WIDTH, HEIGHT, FPS = 640, 360, 30
PICTURE_SIDE = 160
VISIBLE_PART = 0.6  # of a face, for it to count as there
Image = NDArray[Any]  # uint8
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
    parser.add_argument("scene")
    parser.add_argument("video", type=Path)
    parser.add_argument("--size", default=f"{WIDTH}x{HEIGHT}")
    parser.add_argument("--faces", type=existing, default="data/test.csv")
    parser.add_argument("--detector", default="auto", help="chooses faces that it finds")
    options = parser.parse_args()
    faces_u8 = load_dataset(options.faces).faces_u8
    scenes = {scene.name: scene for scene in make_scenes(make_detector(options.detector), faces_u8)}
    if options.scene not in scenes:
        parser.error(f"there is no scene {options.scene!r}: expected {', '.join(scenes)}")
    width, height = map(int, options.size.split("x"))
    write(scenes[options.scene], (width, height), options.video)


def write(scene: Scene, size: tuple[int, int], path: Path) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FPS, options={"crf": "20"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for frame, _ in render(scene, size):
            picture = av.VideoFrame.from_ndarray(frame.image_bgr, format="bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def render(
    scene: Scene, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> Iterator[tuple[Frame, list[tuple[int, Box]]]]:
    """The frames of a scene, (width, height) pixels, each with the people who can be seen."""
    random = np.random.default_rng(1)
    count = int(scene.seconds * FPS)
    zoom = size[0] / WIDTH
    backgrounds = [cv2.resize(background, size) for background in scene.backgrounds]
    for index in range(count):
        image = backgrounds[index * len(backgrounds) // count].copy()
        owner = np.full(image.shape[:2], -1)
        places: list[tuple[int, Place, Box]] = []
        for person, actor in enumerate(scene.actors):
            place = actor.path(index / FPS)
            if place is None:
                continue
            place = (zoom * place[0], zoom * place[1], zoom * place[2])
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
    size = (image.shape[1], image.shape[0])
    moved = cv2.warpAffine(soft, affine, size)
    area = np.full(picture.shape[:2], 255, np.uint8)
    mask = cv2.warpAffine(area, affine, size) > 127
    image[mask] = moved[mask]
    owner[mask] = person


def backgrounds() -> tuple[Image, Image]:
    """Two photographs without people, in the size of the scenes."""
    import skimage.data

    coffee, rocket = (
        cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        for picture in (skimage.data.coffee(), skimage.data.rocket())
    )
    return cv2.resize(coffee, (WIDTH, HEIGHT)), cv2.resize(rocket, (WIDTH, HEIGHT))


def make_scenes(detector: Detector, faces_u8: Image) -> list[Scene]:
    import skimage.data

    first, second = backgrounds()
    brick = cv2.cvtColor(skimage.data.brick(), cv2.COLOR_GRAY2BGR)
    people = found_people(detector, faces_u8, 24, first)
    random = np.random.default_rng(3)

    def actor(number: int, path: Path2D) -> Actor:
        return Actor(*people[number], path)

    post = Actor(cv2.resize(brick, (PICTURE_SIDE, PICTURE_SIDE)), None, still(320, 180, 150))
    return [
        Scene("one person", 10, [actor(0, roam(320, 180, 120))], [first]),
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


def leaving_and_coming(
    detector: Detector, faces_u8: Image, count: int, *, same: bool
) -> list[Scene]:
    """One person leaves to the right; later that one or another one comes from there."""
    background, _ = backgrounds()
    people = found_people(detector, faces_u8, count + 1, background)
    leave, come = line(300, 740, 180, 100, 0, 1.5), line(740, 300, 170, 110, 4.0, 5.5)
    scenes = []
    for number in range(count):
        first, second = Actor(*people[number], leave), Actor(*people[number + 1], come)
        whole = Actor(*people[number], in_turn(leave, come))
        scenes.append(Scene("come back", 5.5, [whole] if same else [first, second], [background]))
    return scenes


def look_alikes_crossing(detector: Detector, faces_u8: Image, count: int) -> list[Scene]:
    """Two people of the same picture cross, fast and slowly."""
    _, background = backgrounds()
    scenes = []
    for person in found_people(detector, faces_u8, count, background):
        for reach, seconds in ((260, 4), (120, 6)):
            there = line(320 - reach, 320 + reach, 180, 100, 0, seconds)
            back = line(320 + reach, 320 - reach, 180, 100, 0, seconds)
            actors = [Actor(*person, there), Actor(*person, back)]
            scenes.append(Scene("look-alikes", seconds, actors, [background]))
    return scenes


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


def roam(x: float, y: float, side: float) -> Path2D:
    return lambda t: (x + 150 * np.sin(0.9 * t), y + 40 * np.sin(1.7 * t), side + 20 * np.sin(t))


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


if __name__ == "__main__":
    main()
