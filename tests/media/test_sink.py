import os
import signal

import cv2
import numpy as np
import pytest

from mien.core.errors import OutputError, SourceError
from mien.media.frames import open_frames
from mien.media.sink import LONGEST_FILL_MS, VideoSink


def picture(height=48, width=64, grey=128):
    return np.full((height, width, 3), grey, np.uint8)


def interrupted(pictures):
    yield from pictures
    raise SourceError("camera 0 stopped giving frames")


def write_all(path, pictures):
    with VideoSink(path, 10) as video:
        for image_bgr in pictures:
            video.write(image_bgr)


def test_the_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "out.mp4"
    with VideoSink(path, 10) as video:
        video.write(picture())
        assert not path.exists()
        video.write(picture())
    with open_frames(path) as frames:
        assert (frames.fps, len(list(frames))) == (10, 2)
    assert list(path.parent.iterdir()) == [path]


def test_frames_until_an_error_are_kept(tmp_path):
    path = tmp_path / "out.mp4"
    with pytest.raises(SourceError):
        write_all(path, interrupted([picture()]))
    with open_frames(path) as frames:
        assert len(list(frames)) == 1


def test_ctrl_c_while_the_file_is_finished_waits_for_it(tmp_path, monkeypatch):
    path, check = tmp_path / "out.mp4", VideoSink._check_whole

    def interrupted_check(video):
        signal.raise_signal(signal.SIGINT)
        check(video)

    monkeypatch.setattr(VideoSink, "_check_whole", interrupted_check)
    with pytest.raises(KeyboardInterrupt):
        write_all(path, [picture(), picture()])
    with open_frames(path) as frames:
        assert len(list(frames)) == 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fps", [119.8928, 200 / 3, 30_000 / 1001])
def test_a_rate_that_an_encoder_cannot_count_by_is_rounded(tmp_path, fps):
    path = tmp_path / "phone.mp4"
    with VideoSink(path, fps) as video:
        for number in range(10):
            video.write_at(picture(), number * 1000 / fps)
    with open_frames(path) as frames:
        assert len(list(frames)) == 10
        assert frames.fps == pytest.approx(fps, abs=0.01)


def test_without_frames_an_old_file_stays(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_text("old")
    VideoSink(path, 10).close()
    assert path.read_text() == "old"


def test_a_frame_of_another_shape_is_fitted_between_bars(tmp_path):
    path = tmp_path / "out.mp4"
    with VideoSink(path, 10) as video:
        video.write(picture(48, 96))
        video.write(picture(100, 100, grey=255))
    with open_frames(path) as frames:
        second = list(frames)[1].image_bgr
    assert second.shape == (48, 96, 3)
    assert second[:, :16].max() < 40
    assert second[8:40, 32:64].min() > 215


def test_uneven_frames_keep_their_time(tmp_path):
    path = tmp_path / "out.mp4"
    with VideoSink(path, 10) as video:
        for timestamp_ms, grey in ((0, 0), (30, 60), (500, 120), (510, 180), (1000, 240)):
            video.write_at(picture(grey=grey), timestamp_ms)
    with open_frames(path) as frames:
        greys = [round(float(frame.image_bgr.mean()) / 60) for frame in frames]
    assert greys == [0, 1, 1, 1, 1, 2, 3, 3, 3, 3, 4]


def test_a_frame_does_not_last_for_hours(tmp_path):
    path = tmp_path / "out.mp4"
    times_ms = (0, 500, 3_600_000, 3_600_500)
    with VideoSink(path, 2) as video:
        for grey, timestamp_ms in zip((0, 60, 120, 180), times_ms, strict=True):
            video.write_at(picture(grey=grey), timestamp_ms)
    with open_frames(path) as frames:
        greys = [round(float(frame.image_bgr.mean()) / 60) for frame in frames]
    assert len(greys) == 2 + LONGEST_FILL_MS / 1000 * 2 + 2
    assert greys[:3] == [0, 1, 1]
    assert greys[-3:] == [1, 2, 3]


@pytest.mark.parametrize("size", [(1, 1), (241, 321), (2160, 3840)])
def test_any_size_can_be_written(tmp_path, size):
    path = tmp_path / "out.mp4"
    with VideoSink(path, 5) as video:
        video.write(picture(*size))
    capture = cv2.VideoCapture(str(path))
    assert capture.read()[1].shape[:2] == tuple(side + side % 2 for side in size)


def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path, full_disk):
    path = tmp_path / "out.mp4"
    path.write_text("old")
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(40)]
    with pytest.raises(OutputError, match=r"of 40 frames reached the disk"), full_disk(20_000):
        write_all(path, noise)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="rights of files are those of POSIX")
def test_the_file_has_the_rights_that_the_user_gives_to_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        write_all(tmp_path / "out.mp4", [picture()])
    finally:
        os.umask(before)
    assert (tmp_path / "out.mp4").stat().st_mode & 0o777 == 0o640


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"out\.mp4 cannot be written"),
        VideoSink(tmp_path / "file" / "out.mp4", 10) as video,
    ):
        video.write(picture())
