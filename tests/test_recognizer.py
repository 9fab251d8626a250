import os
import subprocess
import sys

import numpy as np
import pytest

import mien
from mien.core.errors import DataError, ModelError, SourceError
from mien.core.labels import EMOTIONS
from mien.core.types import Box, Face
from mien.faces.detect import HaarDetector
from mien.faces.gate import QualityGate


@pytest.fixture
def recognizer(tmp_path, brightness_network):
    artifact = brightness_network(tmp_path / "emotion.onnx")
    return mien.Recognizer(artifact.onnx_path, detector="haar", threads=1)


def test_faces_that_are_cut_out_already_are_classified(recognizer, faces_of):
    probabilities = recognizer.classify(faces_of(range(7)))
    assert probabilities.shape == (7, 7)
    assert probabilities.dtype == np.float32
    assert list(probabilities.argmax(axis=1)) == list(range(7))
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(7), abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
def test_any_number_of_faces_is_classified_in_order(recognizer, faces_of, count):
    labels = np.arange(count) % 7
    probabilities = recognizer.classify(faces_of(labels))
    assert probabilities.shape == (count, 7)
    assert np.array_equal(probabilities.argmax(axis=1), labels)


def test_the_artifacts_temperature_calms_the_probabilities(
    tmp_path, recognizer, brightness_network, faces_of
):
    calm = mien.Recognizer(
        brightness_network(tmp_path / "calm.onnx", temperature=2.0), detector="haar"
    )
    faces_u8 = faces_of(range(7))
    expected = np.sqrt(recognizer.classify(faces_u8))
    expected /= expected.sum(axis=1, keepdims=True)
    assert calm.classify(faces_u8) == pytest.approx(expected, abs=1e-5)


def test_the_faces_of_a_picture_are_recognised(recognizer, astronaut_bgr):
    (face,) = recognizer.recognize(astronaut_bgr, frame=7, timestamp_ms=280.0)
    assert (face.frame, face.timestamp_ms, face.track_id) == (7, 280.0, 0)
    assert face.box.x < 224 < face.box.right
    assert face.emotion == EMOTIONS[int(face.probabilities.argmax())]
    assert face.confidence == pytest.approx(float(face.probabilities.max()))
    assert not face.probabilities.flags.writeable


def test_a_face_too_poor_to_rely_on_is_uncertain(recognizer, astronaut_bgr):
    (face,) = recognizer.recognize(astronaut_bgr)
    assert not face.uncertain
    dark_bgr = astronaut_bgr // 8
    (face,) = recognizer.recognize(dark_bgr)
    assert face.uncertain
    (face,) = recognizer.recognize(dark_bgr, gate=QualityGate(min_brightness=0, min_contrast=0))
    assert not face.uncertain


def test_what_a_detector_takes_for_a_face_is_uncertain_if_it_does_not_look_like_one(astronaut_bgr):
    class SleeveDetector:
        name = "haar"

        def detect(self, _image_bgr):
            return [Face(Box(20, 330, 120, 120), score=0.9)]

    recognizer = mien.Recognizer(detector=SleeveDetector(), threads=1)
    (face,) = recognizer.recognize(astronaut_bgr, 7)
    assert (face.frame, face.track_id, face.uncertain) == (7, 0, True)
    lenient = QualityGate(min_likeness=-1e9, min_confidence=0)
    (face,) = recognizer.recognize(astronaut_bgr, gate=lenient)
    assert not face.uncertain


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image: image[..., 1], id="grey"),
        pytest.param(lambda image: image.astype(np.uint16) << 8, id="16 bits"),
        pytest.param(lambda image: np.dstack([image, image[..., :1]]), id="transparent"),
    ],
)
def test_pictures_of_any_depth_and_channels_are_recognised(recognizer, astronaut_bgr, change):
    assert len(recognizer.recognize(change(astronaut_bgr))) == 1


def test_a_picture_without_faces_gives_none(recognizer, astronaut_bgr):
    assert recognizer.recognize(np.zeros((1, 1, 3), np.uint8)) == []
    assert recognizer.recognize(astronaut_bgr[300:]) == []


def test_the_network_that_ships_sees_the_smile(astronaut_bgr):
    recognizer = mien.Recognizer(detector="haar")
    (face,) = recognizer.recognize(astronaut_bgr)
    assert face.emotion == "happy"
    assert face.confidence > 0.8


def test_wrong_input_is_named(recognizer):
    with pytest.raises(DataError, match=r"shape \(48, 48\)"):
        recognizer.classify(np.zeros((48, 48), np.uint8))
    with pytest.raises(DataError, match="float32"):
        recognizer.classify(np.zeros((1, 48, 48), np.float32))
    with pytest.raises(SourceError, match="float64"):
        recognizer.recognize(np.zeros((48, 48, 3)))


def test_a_detector_of_ones_own_brings_its_framing(tmp_path, brightness_network):
    class Mine(HaarDetector):
        name = "mine"

    artifact = brightness_network(tmp_path / "emotion.onnx")
    with pytest.raises(ModelError, match=r"'mine'.*emotion\.json"):
        mien.Recognizer(artifact, detector=Mine())


def test_an_unknown_provider_is_named(tmp_path, brightness_network):
    artifact = brightness_network(tmp_path / "emotion.onnx")
    assert mien.Recognizer(artifact, detector="haar", provider="CPUExecutionProvider")
    with pytest.raises(ModelError, match=r"no provider 'tpu': expected .*cpu"):
        mien.Recognizer(artifact, detector="haar", provider="tpu")


def test_a_file_that_is_no_network_is_named(tmp_path):
    from mien.core.artifact import write_artifact

    write_artifact(b"no network", tmp_path / "emotion.onnx", experiment="none")
    with pytest.raises(ModelError, match=r"cannot open .*emotion\.onnx"):
        mien.Recognizer(tmp_path / "emotion.onnx", detector="haar")


def test_nothing_is_written_to_the_users_home(tmp_path, brightness_network):
    """ONNX Runtime's telemetry would leave a device identifier there."""
    artifact = brightness_network(tmp_path / "emotion.onnx")
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import sys, mien, numpy; mien.Recognizer(sys.argv[1], detector='haar')"
        ".classify(numpy.zeros((1, 48, 48), 'uint8'))"
    )
    # ONNX Runtime keeps quiet in a CI by itself.
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home), "LOCALAPPDATA": str(home)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", code, artifact.onnx_path], env=environment, check=True)
    assert list(home.iterdir()) == []


def test_the_public_names():
    assert mien.__all__ == [
        "EMOTIONS",
        "Box",
        "DataError",
        "EmotionStream",
        "EngineSettings",
        "Face",
        "FaceEmotion",
        "FrameFaces",
        "MienError",
        "MissingExtraError",
        "ModelError",
        "Recognizer",
        "SourceError",
        "stream",
    ]
    assert all(getattr(mien, name) is not None for name in mien.__all__)
    assert {*mien.__all__} <= {*dir(mien)}
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        _ = mien.Recogniser


def test_importing_mien_loads_neither_opencv_nor_onnx_runtime():
    code = "import mien, sys; print({'cv2', 'onnxruntime', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
