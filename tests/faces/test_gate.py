import math
from typing import Any

import cv2
import numpy as np
import pytest

from mien.classifier.classifier import Classifier
from mien.core.errors import SettingError
from mien.core.labels import EMOTIONS
from mien.core.types import Box, Face, MissedLimit
from mien.faces.crop import crop_face
from mien.faces.detect import FRAMINGS
from mien.faces.gate import Quality, QualityGate, measure_quality, parse_limits

PICTURE = (512, 512)
FACE = Face(Box(175.0, 62.0, 92.0, 114.0), 0.9)


@pytest.fixture
def crop_u8(astronaut_bgr):
    return crop_face(astronaut_bgr, FACE, FRAMINGS["yunet"])


@pytest.fixture(scope="module")
def classifier():
    return Classifier(threads=1)


@pytest.fixture
def missed(classifier, crop_u8):
    """Return the function that tells which limits of the gate, as it ships, a crop misses."""

    def ask(crop_u8=crop_u8, face=FACE, confidence=0.9):
        likeness = classifier.classify(crop_u8[np.newaxis]).likeness
        quality = measure_quality(crop_u8, float(likeness[0]), face, PICTURE)
        return {each.limit for each in QualityGate().missed(quality, confidence)}

    return ask


@pytest.fixture
def passes(missed):
    """Return the function that says whether a crop misses none."""
    return lambda *crop, **known: not missed(*crop, **known)


def test_the_limits_that_a_face_missed_are_named_with_their_measure():
    quality = Quality(17.2, 1.0, 250.0, 50.0, 0.5, math.inf)
    missed = QualityGate().missed(quality, 0.25)
    assert list(map(str, missed)) == [
        "min_side_px 17.2 < 20",
        "max_brightness 250 > 245",
        "min_confidence 0.25 < 0.3",
    ]
    assert missed[0] == MissedLimit("min_side_px", 17.2, 20.0)
    gate = QualityGate().with_limits(parse_limits(["min_side_px=10", "max_brightness=255"]))
    assert [each.limit for each in gate.missed(quality, 0.25)] == ["min_confidence"]


@pytest.mark.parametrize(
    ("angles", "missed"),
    [
        ((39.0, -19.0, 170.0), []),  # crops are turned upright by the roll
        ((52.34, 5.0, 0.0), ["max_yaw_degrees 52.3 > 40"]),
        ((-52.34, 5.0, 0.0), ["max_yaw_degrees 52.3 > 40"]),
        ((0.0, -28.0, 0.0), ["max_pitch_degrees 28 > 25"]),
        ((None, None, None), []),
    ],
)
def test_a_head_turned_too_far_to_either_side_misses_a_limit(angles, missed):
    quality = Quality(100.0, 1.0, 120.0, 50.0, 0.5, math.inf, *angles)
    assert list(map(str, QualityGate().missed(quality, 0.9))) == missed
    gate = QualityGate(max_yaw_degrees=180, max_pitch_degrees=90)
    assert not gate.missed(quality, 0.9)


def test_angles_are_measured_where_there_are_landmarks(crop_u8):
    points = np.array([[200, 102], [247, 103], [220, 125], [199, 143], [240, 144]], np.float32)
    with_landmarks = measure_quality(crop_u8, 0.0, Face(FACE.box, 0.9, points), PICTURE)
    assert abs(with_landmarks.yaw_degrees) < 10
    assert abs(with_landmarks.pitch_degrees) < 10
    assert abs(with_landmarks.roll_degrees) < 10
    without = measure_quality(crop_u8, 0.0, FACE, PICTURE)
    assert without.yaw_degrees is without.pitch_degrees is without.roll_degrees is None


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("min_confidense=0.5", "no limit 'min_confidense'.*expected min_side_px, "),
        ("min_confidence", "'min_confidence' is no limit.*NAME=NUMBER"),
        ("min_confidence=high", "NAME=NUMBER"),
        ("min_confidence=70", "min_confidence is 70; expected 0 to 1"),
    ],
)
def test_a_wrong_limit_is_refused(word, message):
    with pytest.raises(SettingError, match=message):
        QualityGate().with_limits(parse_limits([word]))


def test_a_good_face_passes(passes):
    assert passes()


@pytest.mark.parametrize(
    ("spoil", "limits"),
    [
        (lambda crop: cv2.GaussianBlur(crop, (0, 0), 3), {"min_sharpness"}),
        (lambda crop: crop // 12, {"min_brightness", "min_contrast"}),
        (
            lambda crop: np.minimum(crop.astype(int) + 210, 255).astype(np.uint8),
            {"max_brightness", "min_likeness"},
        ),
        (
            lambda crop: (128 + (crop.astype(float) - 128) * 0.05).astype(np.uint8),
            {"min_contrast", "min_likeness"},
        ),
        (lambda crop: np.ascontiguousarray(crop[::-1]), {"min_likeness"}),
        (
            lambda crop: np.full_like(crop, 120),
            {"min_contrast", "min_sharpness", "min_likeness"},
        ),
        (
            lambda crop: np.random.default_rng(0).integers(0, 256, crop.shape, np.uint8),
            {"max_sharpness", "min_likeness"},
        ),
    ],
    ids=["blurred", "dark", "overexposed", "pale", "upside down", "a wall", "noise"],
)
def test_what_is_hard_to_see_or_no_face_does_not(missed, crop_u8, spoil, limits):
    assert missed(spoil(crop_u8)) == limits


@pytest.mark.parametrize(
    "box", [Box(175, 62, 15, 19), Box(-40, 62, 92, 114), Box(175, 480, 92, 114), Box(9, 9, 0, 0)]
)
def test_a_small_or_cut_face_does_not(passes, box):
    assert not passes(face=Face(box, 0.9))


@pytest.mark.parametrize("shift", [-0.75, 0.75])
def test_half_a_face_does_not(passes, astronaut_bgr, shift):
    box = Box(FACE.box.x + shift * FACE.box.width, FACE.box.y, FACE.box.width, FACE.box.height)
    assert not passes(crop_face(astronaut_bgr, Face(box, 0.9), FRAMINGS["yunet"]))


def test_a_drawn_smile_is_no_certain_happiness(passes, classifier):
    smiley = np.full((48, 48), 200, np.uint8)
    cv2.circle(smiley, (24, 24), 20, 90, 2)
    for eye_x in (17, 31):
        cv2.circle(smiley, (eye_x, 19), 3, 60, -1)
    cv2.ellipse(smiley, (24, 26), (10, 8), 0, 20, 160, 60, 2)
    happy = classifier.classify(smiley[np.newaxis]).probabilities[0][EMOTIONS.index("happy")]
    assert not passes(smiley, confidence=float(happy))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_confidence", math.nan),
        ("min_confidence", 70),
        ("min_inside", -1),
        ("min_likeness", math.nan),
        ("min_confidence", "0.5"),
        ("min_confidence", True),
        ("max_yaw_degrees", -1),
    ],
)
def test_a_limit_that_no_face_could_meet_or_miss_is_refused(name, value):
    with pytest.raises(SettingError, match=f"{name} is {value!r}; expected"):
        QualityGate(**{name: value})


def test_a_doubtful_label_does_not(passes):
    assert not passes(confidence=0.2)


def test_photographs_without_people_have_no_certain_face(passes):
    data = pytest.importorskip("skimage.data", reason="needs mien[dev]")
    random = np.random.default_rng(0)
    certain = total = 0
    for name in ("brick", "coffee", "chelsea", "rocket", "page", "moon", "gravel"):
        photo = getattr(data, name)()
        grey = photo if photo.ndim == 2 else cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        for _ in range(40):
            side = int(random.integers(40, min(grey.shape)))
            top = int(random.integers(0, grey.shape[0] - side + 1))
            left = int(random.integers(0, grey.shape[1] - side + 1))
            crop = cv2.resize(grey[top : top + side, left : left + side], (48, 48))
            certain += passes(crop)
            total += 1
    assert certain / total < 0.01


def test_a_limit_may_be_one_of_numpys_numbers():
    limits: dict[str, Any] = {"min_confidence": np.float32(0.5), "min_side_px": np.int64(30)}
    assert QualityGate(**limits) == QualityGate(min_confidence=0.5, min_side_px=30)
