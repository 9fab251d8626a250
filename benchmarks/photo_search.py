"""Small faces in photographs: how many are found, and what the search costs, by the size searched.

    python benchmarks/photo_search.py [--width 4032 --height 3024]

Makes photographs of 24 people: scikit-image's astronaut (NASA, public domain), each of them at
another place, mirrored or not and of another brightness, before noise of a wall's kind. Their faces
have the width in pixels that stands over the column. Searches each photograph at 640 pixels, as
frames of a video are searched, and at larger sizes, in tiles. A face counts as found where a box
lies on it (intersection over union of at least 0.4 with where it was put); every other box is
false. The cost is CPU time on one thread, in seconds and relative to 640 pixels. Needs scikit-image
and YuNet.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from mien.core.types import Box
from mien.faces.assign import intersection_over_union
from mien.faces.detect import make_detectors

FACES_PX = (24, 32, 48, 64, 96)
PEOPLE = (4, 6)  # rows and columns
SIZES = ("640", "1280", "2560", "full")
FACE = Box(98, 44, 89, 111)  # in the part of the astronaut that is used, as YuNet has it


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--width", type=int, default=4032)
    arguments.add_argument("--height", type=int, default=3024)
    options = arguments.parse_args()
    cv2.setNumThreads(1)
    photographs = {
        face_px: photograph_of(face_px, options.width, options.height) for face_px in FACES_PX
    }
    count = PEOPLE[0] * PEOPLE[1]
    print(f"{options.width} x {options.height}, {count} people; found of them, false boxes after +")
    print(f"{'searched':>9}" + "".join(f"{f'{px} px':>9}" for px in FACES_PX) + "    CPU s   x 640")
    first_s = 0.0
    for size in SIZES:
        detector = make_detectors("yunet", size)[1]
        cells, seconds = [], []
        for photograph, boxes in photographs.values():
            started = time.process_time()
            faces = detector.detect(photograph)
            seconds.append(time.process_time() - started)
            found = sum(
                any(intersection_over_union(face.box, box) >= 0.4 for face in faces)
                for box in boxes
            )
            cells.append(f"{found}+{len(faces) - found}")
        cost_s = float(np.median(seconds))
        first_s = first_s or cost_s
        line = "".join(f"{cell:>9}" for cell in cells)
        print(f"{size:>9}{line}{cost_s:9.2f}{cost_s / first_s:8.1f}")


def photograph_of(face_px: int, width: int, height: int) -> tuple[NDArray[np.uint8], list[Box]]:
    """People with faces of a width, and where those are."""
    random = np.random.default_rng(face_px)
    person = np.ascontiguousarray(data.astronaut()[20:320, 80:380, ::-1])
    wall = random.normal(150, 25, (height // 8, width // 8, 3)).clip(0, 255).astype(np.uint8)
    photograph = np.asarray(cv2.resize(wall, (width, height)), np.uint8)
    scale = face_px / FACE.width
    side = round(person.shape[0] * scale)
    rows, columns = PEOPLE
    boxes = []
    for row in range(rows):
        for column in range(columns):
            left = round(column * width / columns + random.uniform(0, width / columns - side))
            top = round(row * height / rows + random.uniform(0, height / rows - side))
            small = cv2.resize(person, (side, side), interpolation=cv2.INTER_AREA)
            small = cv2.convertScaleAbs(small, alpha=random.uniform(0.6, 1.1))
            x = FACE.x
            if random.random() < 0.5:
                small, x = small[:, ::-1], person.shape[1] - FACE.right
            photograph[top : top + side, left : left + side] = small
            x, y = left + x * scale, top + FACE.y * scale
            boxes.append(Box(x, y, FACE.width * scale, FACE.height * scale))
    return photograph, boxes


if __name__ == "__main__":
    main()
