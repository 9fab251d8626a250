import cv2
import numpy as np
import pytest

from mien.core.errors import ModelError
from mien.faces.detect import HaarDetector, YuNetDetector, make_detector

FACE_CENTRE = (224, 115)  # Of the astronaut's face, in the photograph's pixels.


@pytest.fixture(params=["haar", "yunet"])
def detector(request):
    if request.param == "yunet":
        request.getfixturevalue("yunet_file")
    return make_detector(request.param)


def check_is_the_face(face, scale):
    centre = (face.box.x + face.box.width / 2, face.box.y + face.box.height / 2)
    assert centre == pytest.approx([scale * value for value in FACE_CENTRE], abs=20 * scale)
    assert 70 * scale < face.box.width < 130 * scale
    assert 0.5 <= face.score <= 1


@pytest.mark.parametrize("scale", [0.5, 1, 6], ids=["small", "as it is", "beyond 4K"])
def test_the_face_is_found_in_the_pictures_own_pixels(detector, astronaut_bgr, scale):
    faces = detector.detect(cv2.resize(astronaut_bgr, None, fx=scale, fy=scale))
    assert len(faces) == 1
    check_is_the_face(faces[0], scale)


def test_several_faces_come_largest_first(detector, astronaut_bgr):
    person = astronaut_bgr[:300]
    smaller = cv2.resize(person, None, fx=0.6, fy=0.6)
    picture = np.full((300, 900, 3), 128, np.uint8)
    picture[:180, 20:327] = smaller
    picture[:, 380:892] = person
    large, small = detector.detect(picture)
    assert large.box.x > 380 > small.box.x
    assert large.box.area > 2 * small.box.area


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 2000, 3), (28, 358, 3), (480, 640, 3)])
def test_no_face_is_an_empty_list(detector, shape):
    random = np.random.default_rng(0)
    assert detector.detect(np.zeros(shape, np.uint8)) == []
    assert detector.detect(random.integers(0, 255, shape, dtype=np.uint8)) == []


def test_yunet_gives_the_landmarks_of_the_face(yunet_file, astronaut_bgr):
    face = YuNetDetector(yunet_file).detect(astronaut_bgr)[0]
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert face.landmarks.dtype == np.float32
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


@pytest.mark.usefixtures("yunet_file")
def test_auto_is_yunet_where_its_file_is():
    assert make_detector().name == "yunet"


@pytest.mark.usefixtures("without_yunet")
def test_auto_is_haar_where_there_is_no_file():
    assert isinstance(make_detector(), HaarDetector)
    with pytest.raises(ModelError, match="mien models download"):
        make_detector("yunet")


def test_an_unknown_detector_is_named():
    with pytest.raises(ModelError, match=r"'mtccn': expected auto, haar, yunet"):
        make_detector("mtccn")


def test_another_file_is_not_taken_for_yunet(tmp_path, monkeypatch):
    other = tmp_path / "yunet.onnx"
    other.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ModelError, match="SHA-256"):
        YuNetDetector(other)
    monkeypatch.setenv("MIEN_YUNET", str(tmp_path / "absent.onnx"))
    with pytest.raises(ModelError, match=r"MIEN_YUNET names .*absent\.onnx"):
        make_detector()
