import numpy as np
import pytest

from mien.faces.detect import HaarDetector
from mien.faces.sweep import STRIPS, Sweep

SIDE = 256  # of each person's photograph, in the picture


@pytest.fixture
def person(astronaut_bgr):
    return astronaut_bgr[:SIDE, 100 : 100 + SIDE]


def picture_with(person, places, shape):
    image = np.full((*shape, 3), 128, np.uint8)
    for x, y in places:
        image[y : y + SIDE, x : x + SIDE] = person
    return image


def turns_of(sweep, image):
    return [sweep.detect(image) for _ in range(STRIPS)]


@pytest.mark.parametrize("turned", [False, True], ids=["wide", "high"])
@pytest.mark.parametrize("along", [20, 330, 545, 700, 940])
def test_a_face_anywhere_is_found_within_one_round(person, along, turned):
    place, shape = ((along, 200), (640, 1200)) if not turned else ((200, along), (1200, 640))
    image = picture_with(person, [place], shape)
    found = [face for faces in turns_of(Sweep(HaarDetector()), image) for face in faces]
    assert found
    for face in found:
        assert place[0] < face.box.x < face.box.right < place[0] + SIDE
        assert place[1] < face.box.y < face.box.bottom < place[1] + SIDE
