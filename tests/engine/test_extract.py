import cv2
import numpy as np
import pytest

from mien.engine.extract import extract_faces
from mien.media.demo import demo_video
from mien.recognizer import Recognizer


@pytest.fixture
def recognizer():
    return Recognizer(detector="haar", threads=1)


def test_the_bundled_video_gives_a_face_a_second(tmp_path, recognizer):
    stale = tmp_path / "image99.png"
    stale.touch()
    said = []
    count = extract_faces(demo_video(), tmp_path, recognizer, said.append)
    # 20 s, of which the person is away for about two.
    assert 17 <= count <= 20
    assert not stale.exists()
    assert (tmp_path / "input_video.mp4").read_bytes() == demo_video().read_bytes()
    pictures = [
        cv2.imread(str(tmp_path / f"image{index}.png"), cv2.IMREAD_UNCHANGED)
        for index in range(count)
    ]
    assert {picture.shape for picture in pictures} == {(48, 48)}
    assert len(list(tmp_path.glob("image*.png"))) == count
    assert said == ["Reading video stream ..."]


def test_its_own_video_can_be_the_source_again(tmp_path, recognizer, astronaut_bgr, write_video):
    video = write_video(tmp_path / "input_video.mp4", [astronaut_bgr] * 12, fps=10)
    content = video.read_bytes()
    assert extract_faces(video, tmp_path, recognizer, lambda _line: None) == 2
    assert video.read_bytes() == content


@pytest.mark.usefixtures("no_camera")
def test_without_a_webcam_the_bundled_video_takes_over(tmp_path, recognizer):
    said = []
    assert extract_faces(None, tmp_path, recognizer, said.append) > 15
    assert said[0].startswith("No webcam can be opened")


def test_a_folder_of_pictures_becomes_a_video(tmp_path, recognizer, astronaut_bgr):
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), astronaut_bgr)
    cv2.imwrite(str(folder / "1.png"), np.zeros_like(astronaut_bgr))
    assert extract_faces(folder, tmp_path / "out", recognizer, lambda _line: None) == 1


def test_a_network_that_reads_colours_is_shown_colours(tmp_path, astronaut_bgr, foreign_artifact):
    artifact = foreign_artifact(tmp_path / "foreign.onnx")
    cv2.imwrite(str(tmp_path / "0.png"), astronaut_bgr)
    foreign = Recognizer(artifact, detector="haar", threads=1)
    assert extract_faces(tmp_path / "0.png", tmp_path / "out", foreign, lambda _line: None) == 1
    crop_bgr = cv2.imread(str(tmp_path / "out" / "image0.png"), cv2.IMREAD_UNCHANGED)
    assert crop_bgr.shape == (64, 64, 3)
    # The skin is red.
    assert crop_bgr[20:40, 20:40, 2].mean() > crop_bgr[20:40, 20:40, 0].mean() + 20
