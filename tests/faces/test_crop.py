import cv2
import numpy as np
import pytest

from mien.core.artifact import Framing
from mien.core.types import Box, Face
from mien.faces.crop import crop_face, crop_faces

AS_IT_IS = Framing(scale=1.0, offset_x=0.0, offset_y=0.0)


def gradient(height=200, width=300):
    """A picture whose grey is the column, up to 255."""
    row = np.minimum(np.arange(width), 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))


def test_a_square_of_48_pixels_is_cut_out_unchanged():
    crop = crop_face(gradient(), Face(Box(100, 50, 48, 48), 0.9), AS_IT_IS)
    assert np.array_equal(crop, gradient()[50:98, 100:148, 0])


def test_the_framing_moves_and_scales_the_square():
    # A box of 40 × 80 makes a square of 1.2 × 80 pixels, 0.25 × 40 to the right of its centre.
    framing = Framing(scale=1.2, offset_x=0.25, offset_y=0.0)
    crop = crop_face(gradient(), Face(Box(80, 60, 40, 80), 0.9), framing)
    left, right = int(crop[0, 0]), int(crop[0, -1])
    assert (left, right) == pytest.approx((110 - 48, 110 + 48), abs=1)


def test_beyond_the_picture_its_border_is_repeated():
    crop = crop_face(gradient(), Face(Box(-24, -24, 48, 48), 0.9), AS_IT_IS)
    assert (crop[:, :24] == 0).all()
    assert (crop[:24] == crop[24:]).all()
    outside = crop_face(gradient(), Face(Box(900, 900, 48, 48), 0.9), AS_IT_IS)
    assert (outside == 255).all()


def test_a_large_face_is_averaged_not_sampled():
    stripes = np.zeros((480, 480, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = crop_face(stripes, Face(Box(0, 0, 480, 480), 0.9), AS_IT_IS)
    assert np.ptp(crop.astype(int)) <= 1
    assert int(crop.mean()) == pytest.approx(127, abs=2)


@pytest.mark.parametrize("side", [0.2, 1, 5, 47])
def test_the_smallest_faces_are_enlarged(side):
    crop = crop_face(gradient(), Face(Box(10.3, 20.7, side, side), 0.9), AS_IT_IS)
    assert crop.shape == (48, 48)
    assert crop.dtype == np.uint8


def test_several_faces_keep_their_order_and_none_is_none():
    faces = [Face(Box(x, 50, 48, 48), 0.9) for x in (200, 0, 100)]
    crops = crop_faces(gradient(), faces, AS_IT_IS)
    assert [int(crop[0, 0]) for crop in crops] == [200, 0, 100]
    assert crop_faces(gradient(), [], AS_IT_IS).shape == (0, 48, 48)


@pytest.mark.parametrize("degrees", [-30, 0, 20])
def test_a_tilted_face_is_turned_upright(degrees):
    # Dark eyes and mouth on a bright disc, turned about the centre.
    picture = np.full((400, 400, 3), 60, np.uint8)
    cv2.circle(picture, (200, 200), 100, (220, 220, 220), cv2.FILLED)
    upright = np.array([[160, 170], [240, 170], [200, 200], [170, 245], [230, 245]], np.float32)
    turn = cv2.getRotationMatrix2D((200, 200), -degrees, 1.0)
    landmarks = (upright @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    for x, y in landmarks:
        cv2.circle(picture, (round(float(x)), round(float(y))), 14, (0, 0, 0), cv2.FILLED)
    crop = crop_face(picture, Face(Box(100, 100, 200, 200), 0.9, landmarks), AS_IT_IS)
    for x, y in (upright - 100) * 48 / 200:
        assert crop[round(float(y)), round(float(x))] < 60


def test_both_detectors_frame_the_same_face_alike(astronaut_bgr, yunet_file):
    from mien.faces.detect import FRAMINGS, HaarDetector
    from mien.faces.yunet import YuNetDetector

    haar, yunet = (
        crop_face(astronaut_bgr, detector.detect(astronaut_bgr)[0], FRAMINGS[detector.name])
        for detector in (HaarDetector(), YuNetDetector(yunet_file))
    )
    correlation = np.corrcoef(haar.ravel(), yunet.ravel())[0, 1]
    assert correlation > 0.7
