import shutil
from _thread import interrupt_main

import cv2
import numpy as np
import pytest

from mien.core.errors import OutputError, SourceError
from mien.engine.extract import extract_faces
from mien.engine.own_files import LIST_NAME
from mien.media.demo import demo_video
from mien.media.frames import open_frames
from mien.media.sink import VideoSink
from mien.recognizer import Recognizer


@pytest.fixture
def recognizer():
    return Recognizer(detector="haar", threads=1)


def quiet(_line):
    pass


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_bundled_video_gives_a_face_a_second(tmp_path, recognizer):
    said = []
    count = extract_faces(demo_video(), tmp_path, recognizer, said.append)
    # 20 s, of which the person is away for about two.
    assert 17 <= count <= 20
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
    other = write_video(tmp_path / "other.mp4", [astronaut_bgr] * 30, fps=10)
    content = video.read_bytes()
    for _ in range(2):
        assert extract_faces(video, tmp_path, recognizer, quiet) == 2
    with pytest.raises(OutputError, match=r"input_video\.mp4 would be replaced"):
        extract_faces(other, tmp_path, recognizer, quiet)
    assert video.read_bytes() == content


def test_a_second_run_replaces_what_the_first_one_wrote(
    tmp_path, recognizer, astronaut_bgr, write_video
):
    long = write_video(tmp_path / "long.mp4", [astronaut_bgr] * 30, fps=10)
    short = write_video(tmp_path / "short.mp4", [astronaut_bgr] * 12, fps=10)
    out = tmp_path / "out"
    assert extract_faces(long, out, recognizer, quiet) == 3
    (out / "image.png").write_bytes(b"mine")
    assert extract_faces(short, out, recognizer, quiet) == 2
    names = {"image.png", "image0.png", "image1.png", "input_video.mp4", LIST_NAME}
    assert set(contents(out)) == names
    assert (out / "input_video.mp4").read_bytes() == short.read_bytes()
    assert (out / "image.png").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["input_video.mp4", "image0.png", "image99.png"])
def test_files_that_no_run_wrote_are_left_alone(
    tmp_path, recognizer, astronaut_bgr, write_video, name
):
    clip = write_video(tmp_path / "clip.mp4", [astronaut_bgr] * 12, fps=10)
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_bytes(b"mine")
    with pytest.raises(OutputError, match=f"{name} would be replaced or removed"):
        extract_faces(clip, out, recognizer, quiet)
    assert contents(out) == {name: b"mine"}


def test_a_picture_that_was_put_beside_those_of_a_run_is_left_alone(
    tmp_path, recognizer, astronaut_bgr, write_video
):
    clip = write_video(tmp_path / "clip.mp4", [astronaut_bgr] * 12, fps=10)
    out = tmp_path / "out"
    extract_faces(clip, out, recognizer, quiet)
    (out / "image7.png").write_bytes(b"mine")
    before = contents(out)
    with pytest.raises(OutputError, match=r"image7\.png would be replaced or removed"):
        extract_faces(clip, out, recognizer, quiet)
    assert contents(out) == before


def test_a_run_that_broke_off_is_done_again(tmp_path, recognizer, astronaut_bgr, write_video):
    clip = write_video(tmp_path / "clip.mp4", [astronaut_bgr] * 30, fps=10)
    crop, calls = recognizer.crop, []

    def interrupt(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return crop(*arguments)

    recognizer.crop = interrupt
    with pytest.raises(KeyboardInterrupt):
        extract_faces(clip, tmp_path / "out", recognizer, quiet)
    assert (tmp_path / "out" / "image0.png").exists()
    assert extract_faces(clip, tmp_path / "out", recognizer, quiet) == 3


def test_a_video_that_breaks_off_leaves_no_faces_of_the_one_before(
    tmp_path, recognizer, astronaut_bgr, write_video
):
    whole = write_video(tmp_path / "whole.mp4", [astronaut_bgr] * 40, fps=10)
    out = tmp_path / "out"
    assert extract_faces(whole, out, recognizer, quiet) == 4
    with open_frames(whole) as frames:
        kept = recognizer.detector.detect(next(iter(frames)).image_bgr)
    detect, calls = recognizer.detector.detect, []

    def break_off(image_bgr):
        calls.append(image_bgr)
        if len(calls) == 3:
            raise SourceError("the video breaks off")
        return kept or detect(image_bgr)

    recognizer.detector.detect = break_off
    with pytest.raises(SourceError, match="breaks off"):
        extract_faces(whole, out, recognizer, quiet)
    assert set(contents(out)) == {"image0.png", "image1.png", "input_video.mp4", LIST_NAME}


def test_ctrl_c_leaves_no_part_of_the_video(
    tmp_path, recognizer, astronaut_bgr, write_video, monkeypatch
):
    clip = write_video(tmp_path / "clip.mp4", [astronaut_bgr] * 12, fps=10)
    copyfile = shutil.copyfile

    def interrupted(source, destination):
        copyfile(source, destination)
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.copyfile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract_faces(clip, tmp_path / "out", recognizer, quiet)
    assert set(contents(tmp_path / "out")) == {LIST_NAME}


@pytest.mark.parametrize("how", [SourceError, KeyboardInterrupt])
def test_a_source_that_breaks_off_while_it_is_kept_leaves_no_faces_of_another(
    tmp_path, recognizer, astronaut_bgr, write_video, monkeypatch, how
):
    whole = write_video(tmp_path / "whole.mp4", [astronaut_bgr] * 40, fps=10)
    assert extract_faces(whole, tmp_path / "out", recognizer, quiet) == 4
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "a.png"), astronaut_bgr)
    (tmp_path / "pictures" / "b.png").write_bytes(b"not a picture")
    if how is KeyboardInterrupt:
        monkeypatch.setattr(VideoSink, "close", lambda _self: interrupt_main())
    with pytest.raises(how):
        extract_faces(tmp_path / "pictures", tmp_path / "out", recognizer, quiet)
    assert [name for name in contents(tmp_path / "out") if name.startswith("image")] == []


@pytest.mark.usefixtures("no_camera")
def test_without_a_webcam_the_bundled_video_takes_over(tmp_path, recognizer):
    said = []
    assert extract_faces(None, tmp_path, recognizer, said.append) > 15
    assert said[0].startswith("No webcam can be opened")


@pytest.mark.usefixtures("no_camera")
def test_a_camera_that_was_named_is_not_taken_for_the_bundled_video(tmp_path, recognizer):
    with pytest.raises(SourceError, match="There is no camera 0"):
        extract_faces(0, tmp_path, recognizer, quiet)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_pictures_becomes_a_video(tmp_path, recognizer, astronaut_bgr):
    folder = tmp_path / "pictures"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), astronaut_bgr)
    cv2.imwrite(str(folder / "1.png"), np.zeros_like(astronaut_bgr))
    assert extract_faces(folder, tmp_path / "out", recognizer, quiet) == 1


def test_a_network_that_reads_colours_is_shown_colours(tmp_path, astronaut_bgr, foreign_artifact):
    artifact = foreign_artifact(tmp_path / "foreign.onnx")
    cv2.imwrite(str(tmp_path / "0.png"), astronaut_bgr)
    foreign = Recognizer(artifact, detector="haar", threads=1)
    assert extract_faces(tmp_path / "0.png", tmp_path / "out", foreign, quiet) == 1
    crop_bgr = cv2.imread(str(tmp_path / "out" / "image0.png"), cv2.IMREAD_UNCHANGED)
    assert crop_bgr.shape == (64, 64, 3)
    # The skin is red.
    assert crop_bgr[20:40, 20:40, 2].mean() > crop_bgr[20:40, 20:40, 0].mean() + 20
