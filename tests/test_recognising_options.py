"""What `mien live`, `video` and `image` are asked for is what their rows show."""

import csv

import cv2
import numpy as np
import pytest

from mien.cli import main
from mien.core.labels import EMOTIONS
from mien.engine.settings import EngineSettings
from mien.media.frames import open_frames
from mien.recognizer import Recognizer

GATE = "min_side_px=1000"
"""No face is as large as this."""


@pytest.fixture(scope="module")
def upside_down(tmp_path_factory, astronaut_bgr):
    """A photo and a clip of six frames, both taken with the camera on its head."""
    folder = tmp_path_factory.mktemp("upside_down")
    pictures = [np.roll(astronaut_bgr[:300, 60:400], 3 * i, axis=1)[::-1, ::-1] for i in range(6)]
    cv2.imwrite(str(folder / "photo.png"), pictures[0])
    shape = pictures[0].shape[1::-1]
    clip = cv2.VideoWriter(str(folder / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, shape)
    for picture in pictures:
        clip.write(picture)
    clip.release()
    return folder


def rows_of(command, source, record, *options):
    words = [command, str(source), "--csv", str(record), "--detector", "haar"]
    words += ["--no-window"] if command == "live" else []
    with pytest.raises(SystemExit) as ended:
        main([*words, "--rotate", "180", *options])
    assert not ended.value.code
    with record.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def turned_bgr(upside_down):
    """The first picture, upright, as the file's decoder gives it."""

    def read(name):
        with open_frames(upside_down / name, rotate_degrees=180) as frames:
            return next(iter(frames)).image_bgr

    return read


@pytest.mark.usefixtures("without_yunet")
@pytest.mark.parametrize(
    ("command", "name"), [("live", "clip.avi"), ("video", "clip.avi"), ("image", "photo.png")]
)
def test_a_commands_options_are_those_of_the_engine(
    upside_down, turned_bgr, tmp_path, monkeypatch, command, name
):
    monkeypatch.chdir(tmp_path)
    smoothing = () if command == "image" else ("--smooth", "0")
    options = ("--reading", "labels", "--gate", GATE, "--detect-size", "200", *smoothing)
    rows = rows_of(command, upside_down / name, tmp_path / "r.csv", *options)
    recognizer = Recognizer(detector="haar", reading="labels", threads=1, detect_size=200)
    (expected,) = recognizer.recognize(turned_bgr(name))
    for side in ("x", "y", "width", "height"):
        assert float(rows[0][side]) == pytest.approx(getattr(expected.box, side), abs=0.01)
    shares = [float(rows[0][emotion]) for emotion in EMOTIONS]
    np.testing.assert_allclose(shares, expected.probabilities, atol=1e-3)
    assert {row["reading"] for row in rows} == {"labels"}
    assert all("min_side_px" in row["missed_limits"] for row in rows)

    by_default = rows_of(command, upside_down / name, tmp_path / "default.csv")
    assert {row["reading"] for row in by_default} == {"raters"}
    assert not any("min_side_px" in row["missed_limits"] for row in by_default)
    if command != "image":
        assert {float(row["smooth_ms"]) for row in rows} == {0}
        assert {float(row["smooth_ms"]) for row in by_default} == {EngineSettings().smooth_ms}
