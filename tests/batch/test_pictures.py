import csv
import json
import os
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.batch import pictures
from mien.batch.pictures import PictureOutputs
from mien.batch.sources import find_sources
from mien.cli import main
from mien.core.errors import OutputError, SourceError
from mien.core.labels import EMOTIONS
from mien.faces.gate import QualityGate
from mien.recognizer import Recognizer
from mien.record.parquet import parquet_rows
from mien.record.recognise import picture_columns


def remark(line):
    print(line, file=sys.stderr)


run_pictures = partial(pictures.run_pictures, say=print, remark=remark)


@pytest.fixture
def recognizer(brightness_network, without_yunet, tmp_path):
    del without_yunet
    return Recognizer(brightness_network(tmp_path / "emotion.onnx"), detector="haar", threads=1)


@pytest.fixture
def folder(tmp_path, astronaut_bgr):
    """Pictures of several kinds and depths, one in a folder of its own, and two that are none."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    face = np.ascontiguousarray(astronaut_bgr[:300, 60:400])
    cv2.imwrite(str(folder / "a, colour.png"), face)
    cv2.imwrite(str(folder / "b.tif"), face.astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "c.webp"), cv2.cvtColor(face, cv2.COLOR_BGR2BGRA))
    (folder / "d.jpg").write_bytes(b"not a picture")
    (folder / "e.png").write_bytes(b"")
    cv2.imwrite(str(folder / "f.bmp"), face[:1, :1])
    cv2.imwrite(str(folder / "more" / "a, colour.png"), cv2.cvtColor(face, cv2.COLOR_BGR2GRAY))
    (folder / "notes.txt").write_text("not looked at")
    return folder


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_one_unreadable_file_is_one_error_row_and_the_rest_goes_on(
    recognizer, folder, tmp_path, capsys
):
    outputs = PictureOutputs(folder=tmp_path / "out", csv=tmp_path / "table.csv")
    with pytest.raises(SourceError, match="2 of 7 pictures could not be read"):
        run_pictures([folder], recognizer, outputs, QualityGate())
    rows = rows_of(tmp_path / "table.csv")
    assert tuple(rows[0]) == picture_columns(EMOTIONS)
    names = [row["path"].removeprefix(f"{folder}/") for row in rows if not row["error"]]
    assert {"a, colour.png", "b.tif", "c.webp", "more/a, colour.png"} <= set(names)
    assert "f.bmp" not in names
    failed = [row for row in rows if row["error"]]
    assert [row["path"].removeprefix(f"{folder}/") for row in failed] == ["d.jpg", "e.png"]
    assert all(row["emotion"] == "" for row in failed)
    assert copies_in(outputs.folder) == [
        *("a, colour.png.png", "b.tif.png", "c.webp.png", "f.bmp.png"),
        "more/a, colour.png.png",
    ]
    printed, noted = capsys.readouterr()
    assert "f.bmp: no face" in printed
    assert "d.jpg" in printed
    assert noted == "Passed over 1 file without a picture's name: notes.txt.\n"


def test_a_picture_that_is_named_twice_is_recognised_once(recognizer, folder, tmp_path):
    table = tmp_path / "table.csv"
    twice = [folder / "b.tif", folder / "more", folder / "more" / ".." / "b.tif", folder / "more"]
    run_pictures(twice, recognizer, PictureOutputs(csv=table), QualityGate())
    assert [Path(row["path"]).name for row in rows_of(table)] == ["b.tif", "a, colour.png"]


def test_numbered_pictures_are_rows_in_the_order_of_their_numbers(recognizer, folder, tmp_path):
    face = cv2.imread(str(folder / "b.tif"))
    numbered = tmp_path / "numbered"
    for name in ("1.png", "2.png", "10.png", "day2/1.png", "day10/1.png"):
        (numbered / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(numbered / name), face)
    outputs = PictureOutputs(csv=tmp_path / "table.csv")
    run_pictures([numbered], recognizer, outputs, QualityGate())
    names = [Path(row["path"]).relative_to(numbered).as_posix() for row in rows_of(outputs.csv)]
    assert names == ["1.png", "2.png", "10.png", "day2/1.png", "day10/1.png"]


def test_pictures_are_turned_as_asked(recognizer, folder, tmp_path):
    path = tmp_path / "lying.png"
    cv2.imwrite(str(path), cv2.rotate(cv2.imread(str(folder / "b.tif")), cv2.ROTATE_180))
    outputs = PictureOutputs(folder=tmp_path / "out", csv=tmp_path / "table.csv")
    run_pictures([path], recognizer, outputs, QualityGate(), rotate_degrees=180)
    assert [row["path"] for row in rows_of(outputs.csv)] == [str(path)]
    assert cv2.imread(str(tmp_path / "out" / "lying.png.png"))[:20].mean() == pytest.approx(
        cv2.imread(str(folder / "b.tif"))[:20].mean(), abs=1
    )


def test_patterns_that_no_shell_expanded_are_expanded(recognizer, folder, tmp_path, capsys):
    outputs = PictureOutputs(csv=tmp_path / "table.csv")
    run_pictures([folder / "[abc]*", folder / "m?re"], recognizer, outputs, QualityGate())
    found = [Path(row["path"]).relative_to(folder) for row in rows_of(outputs.csv)]
    assert list(map(str, found)) == ["a, colour.png", "b.tif", "c.webp", "more/a, colour.png"]
    # What nothing matches is a name like any other, and does not end the run.
    with pytest.raises(SourceError, match="1 of 2 pictures"):
        run_pictures([folder / "x*.png", folder / "b.tif"], recognizer, outputs, QualityGate())
    assert len(rows_of(outputs.csv)) == 2
    # Nor do other files that a pattern takes in.
    run_pictures([folder / "[bn]*"], recognizer, outputs, QualityGate())
    assert "Passed over 1 file without a picture's name: notes.txt" in capsys.readouterr().err


def test_copies_that_cannot_be_written_leave_the_old_table(recognizer, folder, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("what an earlier run wrote")
    (tmp_path / "file").touch()
    outputs = PictureOutputs(csv=table, folder=tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written"):
        run_pictures([folder / "b.tif"], recognizer, outputs, QualityGate())
    assert table.read_text() == "what an earlier run wrote"


def test_blurred_copies_do_not_show_the_face(recognizer, folder, tmp_path):
    path = folder / "a, colour.png"
    for name, blur in (("plain", False), ("blurred", True)):
        outputs = PictureOutputs(folder=tmp_path / name, blur=blur)
        run_pictures([path], recognizer, outputs, QualityGate())
    plain, blurred = (
        cv2.imread(str(tmp_path / name / "a, colour.png.png")) for name in ("plain", "blurred")
    )
    assert recognizer.detector.detect(cv2.imread(str(path)))
    centre = np.s_[90:150, 140:190]
    assert cv2.Laplacian(blurred[centre], cv2.CV_64F).var() < 20
    assert cv2.Laplacian(plain[centre], cv2.CV_64F).var() > 100


@pytest.mark.parametrize("blur", [False, True])
def test_a_heic_picture_is_annotated_and_those_behind_it_too(recognizer, folder, tmp_path, blur):
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs mien[heic]")
    rgb = cv2.cvtColor(cv2.imread(str(folder / "b.tif")), cv2.COLOR_BGR2RGB)
    phone = pillow_heif.from_bytes("RGB", rgb.shape[1::-1], rgb.tobytes())
    phone.save(tmp_path / "a.heic", quality=95)
    paths = [tmp_path / "a.heic", folder / "b.tif"]
    outputs = PictureOutputs(folder=tmp_path / "out", csv=tmp_path / "table.csv", blur=blur)
    run_pictures(paths, recognizer, outputs, QualityGate())
    assert {row["path"] for row in rows_of(outputs.csv)} == set(map(str, paths))
    assert copies_in(outputs.folder) == ["a.heic.png", "pictures/b.tif.png"]


def copies_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


@pytest.fixture
def albums(tmp_path):
    """Two folders with a picture of one name and nobody in it, one dark and one bright."""
    for name, grey in (("a", 40), ("b", 200)):
        (tmp_path / "albums" / name).mkdir(parents=True)
        picture = np.full((60, 60, 3), grey, np.uint8)
        cv2.imwrite(str(tmp_path / "albums" / name / "p.bmp"), picture)
    return tmp_path / "albums"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such name")
def test_a_name_that_is_not_utf_8_does_not_end_the_run(folder, tmp_path, recognizer, capsys):
    odd = folder / os.fsdecode(b"caf\xe9.png")
    (folder / "a, colour.png").rename(odd)
    tables = {name: tmp_path / f"table.{name}" for name in ("csv", "jsonl", "parquet")}
    if find_spec("pyarrow") is None:
        del tables["parquet"]
    options = [word for name, path in tables.items() for word in (f"--{name}", str(path))]
    model = ["--model", str(recognizer.artifact.onnx_path), "--detector", "haar"]
    with pytest.raises(SystemExit) as left:
        main(["image", str(odd), "--out", str(tmp_path / "out"), *options, *model])
    assert not left.value.code
    assert "caf\\udce9.png: " in capsys.readouterr().out
    assert len(copies_in(tmp_path / "out")) == 1
    (row, *_) = rows_of(tables["csv"])
    assert row["path"].endswith("caf%E9.png")
    first = json.loads(tables["jsonl"].read_text(encoding="utf-8").splitlines()[0])
    assert first["path"] == row["path"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such name")
def test_the_error_of_a_name_that_is_not_utf_8_can_be_read_elsewhere(tmp_path, recognizer):
    odd, table = tmp_path / os.fsdecode(b"caf\xe9.png"), tmp_path / "table.jsonl"
    odd.write_bytes(b"not a picture")
    with pytest.raises(SourceError, match="1 of 1"):
        run_pictures([odd], recognizer, PictureOutputs(jsonl=table), QualityGate())
    row = json.loads(table.read_text(encoding="utf-8"))
    assert "caf%E9.png" in row["path"]
    assert "caf%E9.png" in row["error"]


def test_a_name_as_long_as_a_name_can_be_has_its_copy(recognizer, folder, tmp_path):
    folder = tmp_path / "long"
    folder.mkdir()
    grey = np.full((60, 60, 3), 90, np.uint8)
    for last in "12":
        cv2.imwrite(str(folder / f"{'a' * 250}{last}.png"), grey)
    cv2.imwrite(str(folder / f"{'ä' * 125}.png"), grey)
    out = tmp_path / "out"
    run_pictures([folder], recognizer, PictureOutputs(folder=out), QualityGate())
    names = sorted(path.name for path in out.iterdir())
    assert len(names) == 3
    assert max(len(os.fsencode(name)) for name in names) <= 255


@pytest.mark.parametrize("name", ["null", "NULL", "NA", "N", "nan", "-nan", "#NA", "None"])
def test_a_name_that_means_nothing_elsewhere_stands_in_parquet(
    recognizer, tmp_path, monkeypatch, name
):
    pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(b"not a picture")
    table = tmp_path / "table.parquet"
    with pytest.raises(SourceError, match="1 of 1"):
        run_pictures([Path(name)], recognizer, PictureOutputs(parquet=table), QualityGate())
    (row,) = parquet_rows(table)
    assert row["path"] == name
    assert row["emotion"] is None
    assert row["confidence"] is None


@pytest.mark.parametrize("named", [["a", "b"], ["a/p.bmp", "b/p.bmp"], ["a", "b/../a", "b"], ["."]])
def test_pictures_of_one_name_keep_a_copy_each(recognizer, albums, tmp_path, named):
    out = tmp_path / "out"
    paths = [albums / name for name in named]
    run_pictures(paths, recognizer, PictureOutputs(folder=out), QualityGate())
    assert copies_in(out) == ["a/p.bmp.png", "b/p.bmp.png"]
    greys = [cv2.imread(str(out / name / "p.bmp.png")).mean() for name in ("a", "b")]
    assert greys == [40, 200]


def test_a_second_run_does_not_read_the_copies_of_the_first(recognizer, albums):
    outputs = PictureOutputs(folder=albums / "out", csv=albums / "table.csv")
    for _ in range(2):
        run_pictures([albums], recognizer, outputs, QualityGate())
    assert copies_in(outputs.folder) == ["a/p.bmp.png", "b/p.bmp.png"]


@pytest.mark.parametrize("inside", [".", "a"])
def test_a_folder_in_that_of_the_copies_is_refused(recognizer, albums, inside):
    outputs = PictureOutputs(folder=albums)
    with pytest.raises(SourceError, match="name another folder for the copies"):
        run_pictures([albums / inside], recognizer, outputs, QualityGate())
    assert copies_in(albums) == []


def test_a_copy_may_lie_beside_its_picture_but_not_replace_another(recognizer, albums):
    picture = albums / "a" / "p.bmp"
    outputs = PictureOutputs(folder=picture.parent)
    run_pictures([picture], recognizer, outputs, QualityGate())
    copy = picture.with_name("p.bmp.png")
    before = copy.read_bytes()
    with pytest.raises(OutputError, match=r"p\.bmp\.png is an input"):
        run_pictures([picture, copy], recognizer, outputs, QualityGate())
    assert copy.read_bytes() == before


def test_a_copy_called_as_the_folder_of_another_is_refused_at_once(recognizer, albums):
    (albums / "a").rename(albums / "p.bmp.png")
    (albums / "b" / "p.bmp").rename(albums / "p.bmp")
    out = albums.parent / "out"
    with pytest.raises(OutputError, match=r"p\.bmp would be called .*p\.bmp\.png, as the folder"):
        run_pictures([albums], recognizer, PictureOutputs(folder=out), QualityGate())
    assert not out.exists()


def test_the_table_does_not_take_the_place_of_a_picture(recognizer, albums):
    picture = albums / "a" / "p.bmp"
    before = picture.read_bytes()
    with pytest.raises(OutputError, match="is an input and would be overwritten"):
        run_pictures([albums], recognizer, PictureOutputs(csv=picture), QualityGate())
    assert picture.read_bytes() == before


def test_a_path_that_cannot_be_read_is_an_error_row(recognizer, albums, tmp_path):
    paths = [tmp_path / f"{'x' * 300}.png", albums]
    outputs = PictureOutputs(folder=tmp_path / "out", csv=tmp_path / "table.csv")
    with pytest.raises(SourceError, match="1 of 3 pictures could not be read"):
        run_pictures(paths, recognizer, outputs, QualityGate())
    (row,) = rows_of(outputs.csv)
    assert "cannot be read" in row["error"]
    assert len(copies_in(outputs.folder)) == 2


def test_a_folder_without_pictures_is_said(recognizer, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="no picture in"):
        run_pictures([tmp_path / "empty"], recognizer, PictureOutputs(), QualityGate())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_not_waited_for(recognizer, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(SourceError, match=r"^1 of 1 pictures could not be read\.$"):
        run_pictures([tmp_path / "pipe.png"], recognizer, PictureOutputs(), QualityGate())
    assert "pipe.png is not a file" in capsys.readouterr().out


def test_a_folder_that_cannot_be_listed_is_an_error_row(
    recognizer, albums, tmp_path, locked, capsys
):
    locked(albums / "b")
    outputs = PictureOutputs(folder=tmp_path / "out", csv=tmp_path / "table.csv")
    with pytest.raises(SourceError, match=r"^1 folder could not be listed; the rows say why\. The"):
        run_pictures([albums], recognizer, outputs, QualityGate())
    (row,) = rows_of(outputs.csv)
    assert (row["frame"], row["path"]) == ("1", str(albums / "b"))
    assert row["error"] == f"The folder {albums / 'b'} cannot be listed: Permission denied."
    assert row["error"] in capsys.readouterr().out
    assert copies_in(outputs.folder) == ["a/p.bmp.png"]


def test_folders_and_pictures_that_cannot_be_read_are_counted_apart(recognizer, albums, locked):
    locked(albums / "a")
    locked(albums / "c")
    (albums / "c").mkdir()
    (albums / "empty.png").touch()
    told = "1 of 2 pictures could not be read, and 2 folders could not be listed"
    with pytest.raises(SourceError, match=told):
        run_pictures([albums], recognizer, PictureOutputs(), QualityGate())


def test_a_folder_that_cannot_be_listed_is_not_called_one_without_pictures(
    recognizer, albums, locked
):
    locked(albums)
    with pytest.raises(SourceError, match="1 folder could not be listed"):
        run_pictures([albums], recognizer, PictureOutputs(), QualityGate())


def test_hidden_folders_are_left_out_as_by_mien_batch(recognizer, albums, tmp_path, capsys):
    for name in (".Trash", ".thumbnails/large"):
        (albums / name).mkdir(parents=True)
        (albums / name / "p.bmp").write_bytes((albums / "a" / "p.bmp").read_bytes())
    (albums / "a" / "._p.bmp").write_bytes(b"")
    run_pictures([albums], recognizer, PictureOutputs(folder=tmp_path / "out"), QualityGate())
    assert copies_in(tmp_path / "out") == ["a/p.bmp.png", "b/p.bmp.png"]
    assert "Passed over" not in capsys.readouterr().err
    batch = [each.location for each in find_sources([str(albums)]).sources]
    assert batch == [str(albums / "a" / "p.bmp"), str(albums / "b" / "p.bmp")]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other links")
def test_links_that_lead_nowhere_are_error_rows(recognizer, albums, tmp_path):
    (albums / "broken.png").symlink_to("gone.png")
    (albums / "loop.png").symlink_to("loop.png")
    outputs = PictureOutputs(folder=tmp_path / "out", csv=tmp_path / "table.csv")
    with pytest.raises(SourceError, match="2 of 4 pictures could not be read"):
        run_pictures([albums], recognizer, outputs, QualityGate())
    errors = {Path(row["path"]).name: row["error"] for row in rows_of(outputs.csv)}
    assert "No such file" in errors["broken.png"]
    assert "Too many levels of symbolic links" in errors["loop.png"]
    assert copies_in(outputs.folder) == ["a/p.bmp.png", "b/p.bmp.png"]
