import cv2
import numpy as np
import pytest

from mien.core.errors import SettingError
from mien.core.types import Box
from mien.faces.detect import HaarDetector, make_detectors
from mien.faces.photograph import LARGEST, OVERLAP, TILE_SIDE, PhotographDetector

SEAM = TILE_SIDE - OVERLAP // 2


@pytest.fixture
def photograph_detector(yunet_file):
    return make_detectors("yunet")[1]


def person_of(astronaut_bgr, face_px):
    """The astronaut, whose face is about 95 pixels wide, with a face of another width."""
    person = astronaut_bgr[:300, 80:380]
    return cv2.resize(person, None, fx=face_px / 95, fy=face_px / 95, interpolation=cv2.INTER_AREA)


def photograph_with(person, places, width=2700, height=1800):
    photograph = np.full((height, width, 3), 120, np.uint8)
    for x, y in places:
        photograph[y : y + len(person), x : x + len(person)] = person
    return photograph


@pytest.mark.parametrize("face_px", [28, 41, 87])
def test_small_faces_of_a_large_photograph_are_found_once_each(
    photograph_detector, astronaut_bgr, face_px
):
    person = person_of(astronaut_bgr, face_px)
    places = [(20, 20), (SEAM - len(person) // 2, 700), (1100, 1500 - len(person) // 2), (2300, 40)]
    faces = photograph_detector.detect(photograph_with(person, places))
    assert len(faces) == len(places)
    # The face is within its person where it is in the astronaut's photograph.
    scale = face_px / 95
    for x, y in places:
        eye = (x + 130 * scale, y + 115 * scale)
        assert any(is_within(eye, face.box) for face in faces)
    for face in faces:
        assert face.box.width == pytest.approx(face_px, rel=0.3)
        nose = face.landmarks[2]
        assert is_within(nose, face.box)


def is_within(point, box: Box):
    x, y = point
    return box.x <= x <= box.right and box.y <= y <= box.bottom


@pytest.mark.parametrize("face_px", [LARGEST - 30, LARGEST + 30, 700])
def test_a_face_of_any_size_is_one_face(photograph_detector, astronaut_bgr, face_px):
    person = person_of(astronaut_bgr, face_px)[:1800, :2600]
    photograph = np.full((1800, 2700, 3), 120, np.uint8)
    photograph[: len(person), 50 : 50 + person.shape[1]] = person
    (face,) = photograph_detector.detect(photograph)
    assert face.box.width == pytest.approx(face_px, rel=0.3)


@pytest.mark.parametrize("height", [200, 640, 2000])
def test_a_face_that_fills_the_picture_is_found_however_large_it_is(
    yunet_file, astronaut_bgr, height
):
    close_up = astronaut_bgr[75:165, 187:259]  # its box less a tenth on each side
    enlarged = cv2.resize(close_up, (height * 72 // 90, height))
    for detect_size in (None, 640):
        (face,) = make_detectors("yunet", detect_size)[1].detect(enlarged)
        assert face.score > 0.9
        assert face.box.width == pytest.approx(enlarged.shape[1], rel=0.3)
        assert is_within(face.landmarks[2], Box(0, 0, *enlarged.shape[1::-1]))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 2000, 3), (500, 400, 3), (1700, 2000, 3)])
def test_a_photograph_without_faces_has_none(photograph_detector, shape):
    noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    assert photograph_detector.detect(noise) == []
    assert photograph_detector.detect(np.full(shape, 120, np.uint8)) == []


def test_the_size_that_is_searched_can_be_chosen(yunet_file, astronaut_bgr):
    photograph = photograph_with(person_of(astronaut_bgr, 28), [(300, 300)])
    for detect_size, count in ((640, 0), ("2700", 1), ("full", 1)):
        _, detector = make_detectors("yunet", detect_size)
        assert len(detector.detect(photograph)) == count
    _, detector = make_detectors("yunet")
    assert isinstance(detector, PhotographDetector)
    assert detector.limited(640).detect(photograph) == []


def test_the_size_holds_for_the_frames_of_a_video_and_for_haar(astronaut_bgr):
    for detect_size, is_found in ((128, False), ("full", True)):
        for detector in make_detectors("haar", detect_size):
            boxes = [face.box for face in detector.detect(astronaut_bgr)]
            assert any(is_within((224, 115), box) for box in boxes) == is_found


@pytest.mark.parametrize("detect_size", ["all", "", 0, -1, "63"])
def test_a_size_that_cannot_be_meant_is_refused(detect_size):
    with pytest.raises(SettingError, match="expected full, or a number of pixels"):
        make_detectors("haar", detect_size)


def test_a_detector_of_one_size_refuses_another():
    class OneSize:
        name = "mediapipe"

        def detect(self, _image_bgr):
            return []

    with pytest.raises(SettingError, match="mediapipe knows one size alone"):
        make_detectors(OneSize(), 1280)
    own = HaarDetector()
    assert make_detectors(own) == (own, own)
