import math

import cv2
import numpy as np
import pytest

from mien.faces.angles import head_angles
from mien.faces.blazeface import BlazeFaceDetector
from mien.faces.crop import _tilt_degrees
from mien.faces.detect import MtcnnDetector
from mien.faces.yunet import YuNetDetector

# Another head than the one that is fitted: x right, y down, z away from the camera.
HEAD = np.array([[-31, -30, 2], [31, -30, 2], [0, 5, -35], [-23, 35, 0], [23, 35, 0]], float)


def seen(yaw=0.0, pitch=0.0, roll=0.0):
    """The landmarks, (5, 2), of a head that looks right, up, and is turned clockwise."""
    a, b, c = (math.radians(value) for value in (-yaw, -pitch, roll))
    to_side = [[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]]
    up = [[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]]
    round_ = [[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]]
    head = HEAD @ (np.array(round_) @ np.array(up) @ np.array(to_side)).T
    return (1.7 * head[:, :2] + [400, 300]).astype(np.float32)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"),
    [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 25, 0), (0, -25, 0), (0, 0, 40), (-50, 15, -120)],
)
def test_the_turns_of_a_head_are_found_again(yaw, pitch, roll):
    angles = head_angles(seen(yaw, pitch, roll))
    assert angles.yaw_degrees == pytest.approx(yaw, abs=6)
    assert angles.pitch_degrees == pytest.approx(pitch, abs=8)
    assert angles.roll_degrees == pytest.approx(roll, abs=6)


def test_a_profile_passes_90_degrees_without_a_jump():
    courses = [head_angles(seen(yaw)).yaw_degrees for yaw in range(72, 108, 5)]
    steps = np.diff(courses)
    assert (steps > 2).all()
    assert (steps < 8).all()


def test_place_size_and_tilt_of_a_face_change_neither_yaw_nor_pitch():
    angles = head_angles(seen(20, 10))
    turned = head_angles(5 * seen(20, 10, 70) + 900)
    assert turned.yaw_degrees == pytest.approx(angles.yaw_degrees, abs=0.01)
    assert turned.pitch_degrees == pytest.approx(angles.pitch_degrees, abs=0.01)


def test_the_roll_is_what_the_crop_turns_upright():
    for roll in (-150, -20, 0, 35, 90):
        landmarks = seen(15, -5, roll)
        assert head_angles(landmarks).roll_degrees == pytest.approx(_tilt_degrees(landmarks), abs=4)


def test_landmarks_that_do_not_tell_give_no_angles():
    one_mouth = seen()
    one_mouth[4] = one_mouth[3]
    assert head_angles(one_mouth) is None
    assert head_angles(np.full((5, 2), 7, np.float32)) is None
    line = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert head_angles(line) is None


def test_blazeface_has_none(blazeface_file, astronaut_bgr):
    (face,) = BlazeFaceDetector().detect(astronaut_bgr[:300, 80:380])
    assert head_angles(face.landmarks) is None


def test_a_photograph_and_its_mirror_image(yunet_file, astronaut_bgr):
    detector = YuNetDetector()
    (face,) = detector.detect(astronaut_bgr)
    angles = head_angles(face.landmarks)
    assert abs(angles.yaw_degrees) < 10
    assert abs(angles.pitch_degrees) < 10
    (mirrored,) = detector.detect(np.ascontiguousarray(astronaut_bgr[:, ::-1]))
    assert head_angles(mirrored.landmarks).yaw_degrees == pytest.approx(-angles.yaw_degrees, abs=5)


def test_a_head_that_is_turned_clockwise_rolls_above_0(mtcnn_weights, astronaut_bgr):
    turn = cv2.getRotationMatrix2D((224, 115), -25, 1.0)
    turned_bgr = np.asarray(cv2.warpAffine(astronaut_bgr, turn, (512, 512)), np.uint8)
    (face,) = MtcnnDetector().detect(turned_bgr)
    assert head_angles(face.landmarks).roll_degrees == pytest.approx(28, abs=6)
