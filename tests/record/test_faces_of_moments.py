"""The faces that a report shows are those of the moments, by time."""

import base64
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.core.errors import DataError
from mien.core.labels import EMOTIONS
from mien.record.write import RecordOutputs, RecordWriter
from mien.video.sound import SoundVideoSink


def greys_of(page):
    """How bright each of the faces on a page is, in their order there."""
    pictures = [base64.b64decode(code) for code in re.findall(r"jpeg;base64,([^\"]+)", page)]
    return [
        float(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).mean())
        for picture in pictures
    ]


@pytest.fixture
def write_record(tmp_path, result):
    """Return the function that writes a record: one moment, at a frame and a time."""

    def write(frame, timestamp_ms):
        path = tmp_path / "r.csv"
        with RecordWriter(EMOTIONS, RecordOutputs(csv=path), smooth_ms=0) as writer:
            writer.write([replace(result(frame), timestamp_ms=timestamp_ms)])
        return path

    return write


@pytest.mark.parametrize("late_ms", [0.0, 15.0, -15.0], ids=["exact", "later", "sooner"])
def test_the_faces_of_a_camera_that_dropped_frames_are_those_of_their_times(
    tmp_path, write_record, page_of, late_ms
):
    pytest.importorskip("av", reason="needs mien[video]")
    # Every third frame was looked at, and those alone were written.
    with SoundVideoSink(tmp_path / "seen.mp4", None, 25, remark=print) as video:
        for number in range(20):
            video.write_at(np.full((100, 100, 3), 10 * number, np.uint8), 120.0 * number)
    for number in (1, 7, 19):
        record = write_record(3 * number, 120.0 * number + late_ms)
        _, page, _ = page_of(record, tmp_path, faces_from=tmp_path / "seen.mp4")
        assert greys_of(page) == pytest.approx([10 * number], abs=4)


def test_a_moment_before_or_behind_all_frames_of_a_video_is_refused(
    tmp_path, write_record, write_video, page_of
):
    video = write_video(tmp_path / "clip.mp4", [np.full((100, 100, 3), 90, np.uint8)] * 5)
    for timestamp_ms in (-39.0, 0.0, 160.0, 199.0):
        _, page, _ = page_of(write_record(3, timestamp_ms), tmp_path, faces_from=video)
        assert len(greys_of(page)) == 1
    for timestamp_ms in (-100.0, 260.0):
        with pytest.raises(DataError, match=r"clip\.mp4 has no frame at -?00:00:00\.\d"):
            page_of(write_record(3, timestamp_ms), tmp_path, faces_from=video)
