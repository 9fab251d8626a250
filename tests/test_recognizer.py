import copy
import json
import math
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

import mien
from mien.core.artifact import write_artifact
from mien.core.errors import DataError, ModelError, SettingError, SourceError
from mien.core.labels import EMOTIONS
from mien.core.types import Box, Face
from mien.faces.detect import HaarDetector
from mien.faces.gate import QualityGate
from mien.record.table import json_line, row_of


@pytest.fixture
def recognizer(tmp_path, brightness_network):
    artifact = brightness_network(tmp_path / "emotion.onnx")
    return mien.Recognizer(artifact.onnx_path, detector="haar", threads=1)


def test_the_faces_of_a_picture_are_recognised(recognizer, astronaut_bgr):
    (face,) = recognizer.recognize(astronaut_bgr, frame=7, timestamp_ms=280.0)
    assert (face.frame, face.timestamp_ms, face.track_id) == (7, 280.0, 0)
    assert face.box.x < 224 < face.box.right
    assert face.emotion == EMOTIONS[int(face.probabilities.argmax())]
    assert face.confidence == pytest.approx(float(face.probabilities.max()))
    assert not face.probabilities.flags.writeable


def test_a_picture_may_be_a_file_or_pillows(recognizer, astronaut_bgr, tmp_path):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow")
    (expected,) = recognizer.recognize(astronaut_bgr)
    cv2.imwrite(str(tmp_path / "photo.png"), astronaut_bgr)
    pillows = image.fromarray(astronaut_bgr[..., ::-1])
    for picture in (str(tmp_path / "photo.png"), tmp_path / "photo.png", pillows):
        (face,) = recognizer.recognize(picture)
        assert face.box == expected.box
        assert np.array_equal(face.probabilities, expected.probabilities)
    with pytest.raises(SourceError, match="Found list"):
        recognizer.recognize([astronaut_bgr])


def test_faces_whose_boxes_are_known_are_not_sought(recognizer, astronaut_bgr):
    (found,) = recognizer.recognize(astronaut_bgr)
    box = found.box
    elsewhere = (10, 300, 100, 100)
    known = recognizer.recognize(astronaut_bgr, 7, boxes=[elsewhere, box])
    assert [face.box for face in known] == [Box(*map(float, elsewhere)), box]
    assert np.array_equal(known[1].probabilities, found.probabilities)
    assert {(face.frame, face.detection_score) for face in known} == {(7, 1.0)}
    (same,) = recognizer.recognize(
        astronaut_bgr, boxes=np.array([[box.x, box.y, box.width, box.height]])
    )
    assert same.box == box
    assert recognizer.recognize(astronaut_bgr, boxes=[]) == []
    for wrong in (
        (1, 2, 3),
        (0, 0, 1e9, 1e9),
        (1, 2, 0, 4),
        (9, 9, -2, -2),
        (1, 2, math.nan, 4),
        "face",
        None,
    ):
        with pytest.raises(DataError, match=r"as a face's box; expected mien\.Box or"):
            recognizer.recognize(astronaut_bgr, boxes=[wrong])
    with pytest.raises(DataError, match=r"expected several: write boxes=\[box\]"):
        recognizer.recognize(astronaut_bgr, boxes=box)


def test_a_gate_of_another_type_is_named(recognizer, astronaut_bgr):
    gates: list[Any] = [{"min_confidence": 0.5}, {}]
    for gate in gates:
        with pytest.raises(SettingError, match=r"Found dict as the gate; expected mien\.Quality"):
            recognizer.recognize(astronaut_bgr, gate=gate)
        with pytest.raises(SettingError, match="Found dict as the gate"):
            recognizer.classify_crops([astronaut_bgr], gate=gate)
        with pytest.raises(SettingError, match="Found dict as the gate"):
            mien.EngineSettings(gate=gate)


def test_faces_of_any_size_that_are_cut_out_already_are_classified(recognizer, tmp_path):
    greys = [30, 90, 230]
    shapes = [(48, 48), (200, 100, 3), (61, 97, 4)]
    crops = [np.full(shape, grey, np.uint8) for shape, grey in zip(shapes, greys, strict=True)]
    cv2.imwrite(str(tmp_path / "face.png"), crops[0])
    faces = recognizer.classify_crops([*crops, tmp_path / "face.png"])
    expected = [EMOTIONS[np.abs(np.linspace(0.1, 0.9, 7) - grey / 255).argmin()] for grey in greys]
    assert [face.emotion for face in faces] == [*expected, expected[0]]
    assert [face.frame for face in faces] == [0, 1, 2, 3]
    assert faces[1].box == Box(0, 50, 100, 100)
    assert recognizer.classify_crops([]) == []
    with pytest.raises(SourceError, match="Found None"):
        recognizer.classify_crops([None])
    for single in (*crops, tmp_path / "face.png", str(tmp_path / "face.png")):
        with pytest.raises(SourceError, match=r"write classify_crops\(\[picture\]\)"):
            recognizer.classify_crops(single)
    for none in (None, 7):
        with pytest.raises(SourceError, match=rf"Found {none!r}; expected several pictures"):
            recognizer.classify_crops(none)
    assert len(recognizer.classify_crops(np.stack([crops[1], crops[1]]))) == 2


def test_a_recognizer_can_be_pickled_and_opens_its_network_anew(recognizer, astronaut_bgr):
    again = pickle.loads(pickle.dumps(recognizer))
    (one,), (other,) = recognizer.recognize(astronaut_bgr), again.recognize(astronaut_bgr)
    assert (again.detector.name, other.box) == ("haar", one.box)
    assert np.array_equal(one.probabilities, other.probabilities)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        (elsewhere,) = pool.submit(recognizer.recognize, astronaut_bgr).result()
    assert np.array_equal(elsewhere.probabilities, one.probabilities)


def test_an_artifact_that_was_changed_is_pickled_as_it_is(recognizer):
    framing = replace(recognizer.framing, scale=2.0)
    wide = mien.Recognizer(replace(recognizer.artifact, crop={"haar": framing}), detector="haar")
    assert pickle.loads(pickle.dumps(wide)).framing == copy.copy(wide).framing == framing


def test_the_reading_is_pickled_too(tmp_path, two_headed, two_headed_network):
    artifact = two_headed(tmp_path / "emotion.onnx")
    artifact = write_artifact(two_headed_network().SerializeToString(), artifact)
    chosen = mien.Recognizer(artifact, detector="haar", threads=1)
    for name in chosen.artifact.readings:
        again = pickle.loads(pickle.dumps(chosen.with_reading(name)))
        assert again.classifier.reading_name == name


def test_the_size_that_photographs_are_limited_to_is_pickled_too(yunet_file, astronaut_bgr):
    photograph = np.full((1800, 2700, 3), 120, np.uint8)
    photograph[300:400, 300:400] = cv2.resize(astronaut_bgr[:300, 80:380], (100, 100))
    limited = mien.Recognizer(detector="yunet", threads=1)
    assert len(limited.recognize(photograph)) == 1
    limited.limit_photographs(640)
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(limited))))
    assert limited.recognize(photograph) == again.recognize(photograph) == []


def test_a_result_in_plain_types_goes_through_json(recognizer, astronaut_bgr):
    (face,) = recognizer.recognize(astronaut_bgr // 8)
    plain = face.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["box"] == {"x": face.box.x, "y": face.box.y, "width": face.box.width,
                            "height": face.box.height}  # fmt: skip
    assert plain["probabilities"][face.emotion] == plain["confidence"] == face.confidence
    assert plain["uncertain"] is True
    assert {"limit", "value", "bound"} == set(plain["missed_limits"][0])
    assert plain["raw_probabilities"] is None


def test_how_a_head_is_turned_stands_in_the_result(yunet_file, astronaut_bgr):
    recognizer = mien.Recognizer(detector="yunet", threads=1)
    (face,) = recognizer.recognize(astronaut_bgr)
    for name in ("yaw_degrees", "pitch_degrees", "roll_degrees"):
        assert abs(getattr(face, name)) < 10
        assert face.to_dict()[name] == getattr(face, name)
    (given,) = recognizer.recognize(astronaut_bgr, boxes=[face.box])
    assert given.yaw_degrees is given.pitch_degrees is given.roll_degrees is None
    gate = mien.QualityGate(max_yaw_degrees=0)
    (turned,) = recognizer.recognize(astronaut_bgr, gate=gate)
    assert [missed.limit for missed in turned.missed_limits] == ["max_yaw_degrees"]


def test_why_a_face_is_uncertain_stands_in_the_result(recognizer, astronaut_bgr):
    (face,) = recognizer.recognize(astronaut_bgr // 8)
    assert "min_brightness" in [missed.limit for missed in face.missed_limits]
    for missed in face.missed_limits:
        assert missed.value < missed.bound
    (face,) = recognizer.recognize(astronaut_bgr)
    assert face.missed_limits == ()


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


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image: image[..., 1], id="grey"),
        pytest.param(lambda image: np.asmatrix(image[..., 1]), id="matrix"),
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
    with pytest.raises(SourceError, match="float64"):
        recognizer.recognize(np.zeros((48, 48, 3)))


def test_a_detector_of_ones_own_brings_its_framing(tmp_path, brightness_network):
    class Mine(HaarDetector):
        name = "mine"

    artifact = brightness_network(tmp_path / "emotion.onnx")
    with pytest.raises(ModelError, match=r"'mine'.*emotion\.json"):
        mien.Recognizer(artifact, detector=Mine())


NOT_FACES: list[Any] = [
    None,
    np.array([[10, 10, 40, 40]]),
    iter([Face(Box(10, 10, 40, 40), 0.9)]),
    [(10, 10, 40, 40)],
    [Box(10, 10, 40, 40)],
    [Face((10, 10, 40, 40), 0.9)],  # type: ignore[arg-type]
    [Face(Box(math.nan, 10, 40, 40), 0.9)],
    [Face(Box(10, 10, 0, 40), 0.9)],
    [Face(Box(10, 10, 1e9, 1e9), 0.9)],
    [Face(Box(10, 10, "40", 40), 0.9)],  # type: ignore[arg-type]
    [Face(Box(10, 10, 40, 40), None)],
    [Face(Box(10, 10, 40, 40), 0.9, np.zeros((4, 2), np.float32))],
    [Face(Box(10, 10, 40, 40), 0.9, [(0, 0)] * 5)],  # type: ignore[arg-type]
    [Face(Box(10, 10, 40, 40), 0.9, np.full((5, 2), np.nan, np.float32))],
    [Face(Box(10, 10, 40, 40), 0.9, np.full((5, 2), None))],
]


@pytest.mark.parametrize("answer", NOT_FACES)
def test_a_detector_of_ones_own_that_gives_something_else_is_told(
    tmp_path, brightness_network, answer
):
    class Mine:
        name = "haar"

        def detect(self, _image_bgr):
            return answer

    artifact = brightness_network(tmp_path / "emotion.onnx")
    picture = np.full((100, 120, 3), 90, np.uint8)
    expected = r"(?s)The detector haar gave .*; expected a list of mien\.Face"
    with pytest.raises(DataError, match=expected):
        mien.Recognizer(artifact, detector=Mine(), threads=1).recognize(picture)
    with pytest.raises(DataError, match=expected):
        list(mien.stream(picture, artifact=artifact, detector=Mine()))


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.float32])
def test_boxes_of_numpys_numbers_are_those_of_pythons(tmp_path, recognizer, astronaut_bgr, dtype):
    """As OpenCV's detectors give them, in arrays."""
    row, score = np.array([170, 60, 100, 100], dtype), np.array([0.5], np.float32)[0]

    class Mine:
        name = "haar"

        def detect(self, _image_bgr):
            return [Face(Box(*row), score)]

    artifact = recognizer.artifact
    own = mien.Recognizer(artifact, detector=Mine(), threads=1)
    found = [
        *recognizer.recognize(astronaut_bgr, np.int64(3), boxes=[Box(*row)]),
        *own.recognize(astronaut_bgr // 8),
        *next(iter(mien.stream(astronaut_bgr, artifact=artifact, detector=Mine()))),
    ]
    for face in found:
        assert face.box == Box(170.0, 60.0, 100.0, 100.0)
        assert face.box.area == 10_000
        json.dumps(face.to_dict())
        json_line(row_of(face, smooth_ms=0.0, raw=True))


def test_a_face_of_less_than_a_pixel_is_followed_as_any_other(recognizer):
    class Mine:
        name = "haar"

        def detect(self, _image_bgr):
            return [Face(Box(60, 60, 1e-6, 1e-6), 0.9), Face(Box(20, 20, 40, 40), 0.9)]

    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    frames = [(20 * n, np.roll(noise, n, axis=1)) for n in range(4)]
    results = list(mien.stream(frames, artifact=recognizer.artifact, detector=Mine()))
    assert len(results) == 4


def test_an_unknown_provider_is_named(tmp_path, brightness_network):
    artifact = brightness_network(tmp_path / "emotion.onnx")
    assert mien.Recognizer(artifact, detector="haar", provider="CPUExecutionProvider")
    with pytest.raises(SettingError, match=r"no provider 'tpu': expected .*cpu"):
        mien.Recognizer(artifact, detector="haar", provider="tpu")


@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_a_provider_that_does_not_start_is_not_the_cpu_by_stealth(
    tmp_path, brightness_network, monkeypatch
):
    artifact = brightness_network(tmp_path / "emotion.onnx")
    known = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: known)
    loaded = []
    monkeypatch.setattr("onnxruntime.preload_dlls", lambda: loaded.append("as pip installs them"))
    with pytest.raises(SettingError, match="The provider 'cuda' does not start"):
        mien.Recognizer(artifact, detector="haar", provider="cuda")
    assert loaded


def test_the_reading_is_chosen_by_name(tmp_path, two_headed, two_headed_network, astronaut_bgr):
    artifact = two_headed(tmp_path / "emotion.onnx")
    write_artifact(two_headed_network().SerializeToString(), artifact)
    recognizer = mien.Recognizer(artifact.onnx_path, detector="haar", reading="labels")
    (face,) = recognizer.recognize(astronaut_bgr)
    assert (face.reading, face.labels) == ("labels", EMOTIONS)
    (other,) = recognizer.with_reading(None).recognize(astronaut_bgr)
    assert other.reading == "raters"
    assert not np.allclose(face.probabilities, other.probabilities, atol=1e-3)
    with pytest.raises(SettingError, match="no reading 'mine': expected raters or labels"):
        mien.Recognizer(artifact.onnx_path, detector="haar", reading="mine")


def test_a_network_of_another_input_and_other_labels_is_used_alike(
    tmp_path, foreign_artifact, astronaut_bgr
):
    artifact = foreign_artifact(tmp_path / "foreign.onnx")
    recognizer = mien.Recognizer(artifact.onnx_path, detector="haar", threads=1)
    (face,) = recognizer.recognize(astronaut_bgr)
    assert face.labels == artifact.readings["<i>mine</i>"].labels
    assert face.emotion == face.labels[int(face.probabilities.argmax())]
    assert face.probabilities.shape == (4,)
    crops_u8 = recognizer.crop(astronaut_bgr, recognizer.detector.detect(astronaut_bgr))
    assert crops_u8.shape == (1, 64, 64, 3)
    # RGB: the skin is red.
    assert crops_u8[0, 20:40, 20:40, 0].mean() > crops_u8[0, 20:40, 20:40, 2].mean() + 20


def test_nothing_is_written_to_the_users_home(tmp_path, brightness_network):
    """ONNX Runtime's telemetry would leave a device identifier there."""
    artifact = brightness_network(tmp_path / "emotion.onnx")
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import sys, mien, numpy; mien.Recognizer(sys.argv[1], detector='haar')"
        ".recognize(numpy.zeros((48, 48, 3), 'uint8'))"
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
        "Artifact",
        "Box",
        "Classifier",
        "DataError",
        "Detector",
        "EmotionStream",
        "EngineSettings",
        "Face",
        "FaceEmotion",
        "FrameFaces",
        "MienError",
        "MissedLimit",
        "MissingExtraError",
        "ModelError",
        "OutputError",
        "Outputs",
        "QualityGate",
        "Reading",
        "Recognizer",
        "SettingError",
        "SourceError",
        "__version__",
        "load_artifact",
        "open_frames",
        "stream",
        "to_dataframe",
    ]
    assert all(getattr(mien, name) is not None for name in mien.__all__)
    assert {*mien.__all__} <= {*dir(mien)}
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        _ = mien.Recogniser


def test_importing_mien_loads_neither_opencv_nor_onnx_runtime():
    code = "import mien, sys; print({'cv2', 'onnxruntime', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"threads": 2.5}, r"threads=2\.5; expected a whole number"),
        ({"threads": -1}, "threads=-1; expected a whole number"),
        ({"threads": 0}, "threads=0; expected a whole number from 1"),
        ({"detector": object()}, "expected one of auto, yunet"),
        ({"provider": 3}, "Found the provider 3"),
        ({"detect_size": math.inf}, "The detection size is inf"),
    ],
)
def test_an_option_of_another_type_is_named(options, found):
    with pytest.raises(SettingError, match=found):
        mien.Recognizer(**options)
