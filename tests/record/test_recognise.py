"""Rows of pictures and videos, without a front door: what a distributed batch maps."""

import csv
from typing import Any

import cv2
import numpy as np
import pytest

from mien.batch.pictures import PictureOutputs, run_pictures
from mien.core.errors import SourceError
from mien.engine.settings import EngineSettings
from mien.faces.gate import QualityGate
from mien.recognizer import Recognizer
from mien.record.recognise import picture_columns, recognise_pictures, recognise_video
from mien.record.table import columns_of


@pytest.fixture
def recognizer(tmp_path, foreign_artifact):
    return Recognizer(foreign_artifact(tmp_path / "foreign.onnx"), detector="haar", threads=1)


@pytest.fixture
def pictures(tmp_path, astronaut_bgr):
    """A face, nothing, and a file that is no picture."""
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    cv2.imwrite(str(paths[0]), astronaut_bgr)
    cv2.imwrite(str(paths[1]), np.zeros((60, 60, 3), np.uint8))
    paths[2].write_text("no picture")
    return paths


def test_pictures_become_rows_and_nothing_is_said_or_written(recognizer, pictures, capsys):
    before = sorted(pictures[0].parent.iterdir())
    rows = list(recognise_pictures(pictures, recognizer))
    assert list(recognise_pictures(map(str, pictures), recognizer)) == rows
    columns = picture_columns(recognizer.classifier.labels)
    assert [tuple(row) for row in rows] == [columns] * 2
    assert [(row["frame"], row["path"]) for row in rows] == [
        (0, str(pictures[0])),
        (2, str(pictures[2])),
    ]
    assert rows[0]["reading"] == "<i>mine</i>"
    assert "c.png" in rows[1]["error"]
    assert capsys.readouterr() == ("", "")
    assert sorted(pictures[0].parent.iterdir()) == before


def test_a_single_path_is_not_taken_letter_by_letter(recognizer, pictures):
    for one in (str(pictures[0]), pictures[0]):
        with pytest.raises(SourceError, match=r"Found a single picture.*\[path\]"):
            list(recognise_pictures(one, recognizer))
    others: list[Any] = [np.zeros((60, 60, 3), np.uint8)]
    with pytest.raises(SourceError, match=r"Found ndarray among the pictures; expected paths"):
        list(recognise_pictures(others, recognizer))


def test_a_command_writes_the_same_rows(recognizer, pictures, tmp_path):
    table = tmp_path / "table.csv"
    with pytest.raises(SourceError, match="1 of 3"):
        run_pictures(
            pictures, recognizer, PictureOutputs(csv=table), QualityGate(), say=print, remark=print
        )
    with table.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    rows = list(recognise_pictures(pictures, recognizer))
    assert len(lines) == 1 + len(rows)
    assert lines[1][lines[0].index("confidence")] == str(rows[0]["confidence"])


def test_a_video_becomes_rows(recognizer, tmp_path, astronaut_bgr, write_video):
    video = write_video(tmp_path / "clip.mp4", [astronaut_bgr] * 5)
    rows = list(recognise_video(video, recognizer, EngineSettings(smooth_ms=50.0)))
    columns = columns_of(recognizer.classifier.labels, raw=False)
    assert [tuple(row) for row in rows] == [columns] * 5
    assert {row["track_id"] for row in rows} == {1}
    assert {row["smooth_ms"] for row in rows} == {50.0}
