import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mien.cli import main
from mien.core.errors import DataError, SettingError, SourceError
from mien.core.labels import EMOTIONS
from mien.core.types import Box, MissedLimit
from mien.record.picture_report import MOST_PICTURES
from mien.record.recognise import RecognisedPicture, picture_columns
from mien.record.write import TableWriter

COLUMNS = picture_columns(EMOTIONS)
GREY = np.zeros((1, 1, 3), np.uint8)


@pytest.fixture
def write_table(tmp_path):
    """Return the function that writes what was recognised in pictures."""

    def write(pictures, suffix="csv"):
        path = tmp_path / f"album <1>.{suffix}"
        with TableWriter(COLUMNS, **{suffix: path}) as table:
            for number, (name, found) in enumerate(pictures.items()):
                if isinstance(found, SourceError):
                    picture = RecognisedPicture(number, name, None, error=found)
                else:
                    faces = tuple(replace(face, frame=number, timestamp_ms=0.0) for face in found)
                    picture = RecognisedPicture(number, name, GREY, faces)
                table.append(picture.rows(COLUMNS))
        return path

    return write


@pytest.fixture
def album(result):
    """Three faces in two pictures, a picture without one, and a bad file."""
    small = (MissedLimit("min_side_px", 17.2, 20.0),)
    unsure = replace(result(0, 0, "sad", 0.4), uncertain=True, missed_limits=small)
    return {
        "a & b.jpg": [result(0, 0, "happy", 0.9), unsure],
        "nobody.jpg": [],
        "c.jpg": [result(0, 0, "happy", 0.6)],
        "d.jpg": SourceError("d.jpg is <empty> (0 bytes)."),
    }


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table_of_pictures_becomes_a_page(write_table, album, tmp_path, suffix, page_of):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    table = write_table(album, suffix)
    summary, page, checker = page_of(table, tmp_path)
    assert (summary.pictures_with_faces, summary.faces, summary.uncertain) == (2, 3, 1)
    assert summary.unreadable == 1
    assert 'title="happy 66.7%"' in page
    assert 'title="uncertain 33.3%"' in page
    text = " ".join(checker.texts)
    for expected in (f"mien: album <1>.{suffix}", "a & b.jpg", "sad? 40%", "happy 90% a & b.jpg"):
        assert expected in text
    assert 'title="min_side_px 17.2 &lt; 20"' in page
    assert "d.jpg is <empty> (0 bytes)." in text
    assert "nobody.jpg" not in text
    assert checker.addresses == []


def test_faces_of_pictures_are_shown_only_if_asked_for(
    write_table, result, tmp_path, astronaut_bgr, page_of
):
    box = Box(177.0, 66.0, 94.0, 94.0)
    table = write_table({"photos/a.png": [replace(result(0, 0, "happy", 0.9), box=box)]})
    assert "<img" not in page_of(table, tmp_path)[1]
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), astronaut_bgr)
    _, page, checker = page_of(table, tmp_path, faces_from=tmp_path)
    assert page.count("<img") == 1
    assert all(address.startswith("data:image/jpeg;base64,") for address in checker.addresses)
    (tmp_path / "photos" / "a.png").unlink()
    with pytest.raises(SourceError, match=r"a\.png cannot be read"):
        page_of(table, tmp_path, faces_from=tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="other systems allow no such name")
def test_a_face_of_an_odd_name_is_found_again(
    write_table, result, tmp_path, astronaut_bgr, page_of
):
    (tmp_path / "a\nb.png").write_bytes(cv2.imencode(".png", astronaut_bgr)[1].tobytes())
    box = Box(177.0, 66.0, 94.0, 94.0)
    table = write_table({"a%0Ab.png": [replace(result(0, 0, "happy", 0.9), box=box)]})
    assert page_of(table, tmp_path, faces_from=tmp_path)[1].count("<img") == 1


def test_an_angle_that_cannot_be_is_refused(write_table, album, tmp_path, page_of):
    with pytest.raises(SettingError, match="Found 45 degrees"):
        page_of(write_table(album), tmp_path, faces_from=tmp_path, rotate_degrees=45)


def test_a_face_outside_of_its_picture_is_refused(
    write_table, result, tmp_path, astronaut_bgr, page_of
):
    table = write_table({"a.png": [replace(result(0, 0), box=Box(600.0, 66.0, 94.0, 94.0))]})
    cv2.imwrite(str(tmp_path / "a.png"), astronaut_bgr)
    with pytest.raises(DataError, match=r"at x 600, y 66, outside of a\.png, which is 512 x 512"):
        page_of(table, tmp_path, faces_from=tmp_path)


def test_the_order_of_the_rows_does_not_matter(write_table, album, tmp_path, page_of):
    table = write_table(album)
    header, first, second, third, bad = table.read_text().splitlines()
    table.write_text("\n".join([header, first, third, bad, second, ""]))
    summary, _, _ = page_of(table, tmp_path)
    assert (summary.pictures_with_faces, summary.faces) == (2, 3)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_line_break_in_a_name_does_not_make_two_pictures_one(
    write_table, result, tmp_path, page_of, suffix
):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    table = write_table({name: [result(0, 0)] for name in ("a b.png", "a\nb.png")}, suffix)
    summary, _, _ = page_of(table, tmp_path)
    assert list(summary.pictures) == ["a b.png", "a%0Ab.png"]


def test_bad_files_alone_are_a_page_too(write_table, tmp_path, page_of):
    summary, _, checker = page_of(write_table({"d.jpg": SourceError("is empty.")}), tmp_path)
    assert (summary.faces, summary.unreadable) == (0, 1)
    assert "is empty." in " ".join(checker.texts)


def test_the_page_of_very_many_pictures_stays_small(write_table, result, tmp_path, page_of):
    album = {f"{number}.jpg": [result(0, 0)] for number in range(MOST_PICTURES + 30)}
    summary, page, checker = page_of(write_table(album), tmp_path)
    assert summary.faces == MOST_PICTURES + 30
    assert page.count("<tr>") == MOST_PICTURES
    assert "… and 30 more in the table." in checker.texts


def test_pictures_of_two_networks_are_refused(write_table, result, tmp_path, page_of):
    table = write_table({"a.jpg": [result(0, 0)]}, "jsonl")
    row = table.read_text()
    table.write_text(row + row.replace('"neutral":', '"calm":'))
    with pytest.raises(DataError, match=r"neutral and rows with .*calm; expected those of one"):
        page_of(table, tmp_path)


def test_the_command_makes_a_page_of_pictures(write_table, album, capsys, read_page):
    table = write_table(album)
    with pytest.raises(SystemExit) as ended:
        main(["report", str(table)])
    assert not ended.value.code
    page = table.with_suffix(".html")
    assert capsys.readouterr().out == f"Wrote {page}\n"
    assert "Pictures with a face" in read_page(page)[1].texts
