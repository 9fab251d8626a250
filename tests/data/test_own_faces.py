"""Faces as people bring them: their own names, separators, folders and pictures."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.core.errors import DataError
from mien.data.check import check_faces
from mien.data.classes import ClassTable
from mien.data.fer2013 import load_dataset
from mien.data.infer_classes import infer_classes
from mien.data.picture_folder import read_face
from mien.data.synthetic import synthetic_dataset

FACES = synthetic_dataset(24, seed=7).faces_u8
GERMAN = ClassTable(
    ("wütend", "fröhlich", "verächtlich"),
    {"wut": "wütend", "7": "verächtlich"},
    left_out=("unklar",),
)


def write(path: Path, picture: np.ndarray) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())
    return path.name


def test_other_names_digits_and_names_that_are_left_out(tmp_path):
    # The second ü is written as u and a separate diaeresis, as macOS does.
    for number, name in enumerate(["WUT", "fro\u0308hlich", "7", "1", "unklar"]):
        write(tmp_path / name / "x.png", FACES[number])
    (tmp_path / "1" / "notes.txt").write_text("no picture")
    faces = load_dataset(tmp_path, GERMAN)
    by_folder = {
        Path(file).parts[0]: label for file, label in zip(faces.files, faces.labels, strict=True)
    }
    assert by_folder == {"WUT": 0, "fro\u0308hlich": 1, "7": 2, "1": 1}
    assert {(name.replace("\\", "/"), reason) for name, reason in faces.skipped} == {
        ("1/notes.txt", "not a picture that can be read"),
        ("unklar/x.png", "left out by the recipe"),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators only")
def test_neither_links_upwards_nor_what_systems_leave_behind_are_faces(tmp_path):
    write(tmp_path / "happy/1.png", FACES[0])
    write(tmp_path / "sad/1.png", FACES[1])
    (tmp_path / "happy/back").symlink_to("..")
    for name in ("Thumbs.db", "desktop.ini", "._1.png"):
        (tmp_path / "happy" / name).write_bytes(b"no picture")
    faces = load_dataset(tmp_path)
    assert faces.labels.tolist() == [3, 4]
    assert not faces.skipped


def test_folders_for_each_use_and_a_folder_for_each_person(tmp_path):
    write(tmp_path / "train/happy/anna/1.png", FACES[0])
    write(tmp_path / "train/happy/anna/2.png", FACES[1])
    write(tmp_path / "Val/sad/ben/1.png", FACES[2])
    write(tmp_path / "test/sad/alone.png", FACES[3])
    faces = load_dataset(tmp_path)
    rows = {
        Path(file).name if "anna" in file else Path(file).parts[0]: (use, group)
        for file, use, group in zip(faces.files, faces.usage, faces.groups, strict=True)
    }
    assert rows["1.png"] == rows["2.png"] == ("Training", "anna")
    assert rows["Val"] == ("Validation", "ben")
    assert rows["test"][0] == "Test"
    assert rows["test"][1] not in ("anna", "ben", "")


def test_a_person_for_training_and_for_a_test_is_told(tmp_path):
    write(tmp_path / "train/happy/anna/1.png", FACES[0])
    write(tmp_path / "test/happy/ben/1.png", FACES[1])
    write(tmp_path / "test/happy/alone.png", FACES[2])
    assert load_dataset(tmp_path).told_of_shared_groups() is None
    write(tmp_path / "test/sad/anna/1.png", FACES[3])
    told = "1 of the 3 groups for a test are for training or validation too, such as 'anna'"
    assert load_dataset(tmp_path).told_of_shared_groups().startswith(told)


def test_a_person_in_the_name_of_a_file(tmp_path):
    for name in ("anna_1", "anna_2", "ben_1"):
        write(tmp_path / "happy" / f"{name}.png", FACES[0])
    assert load_dataset(tmp_path, groups="^([a-z]+)_").groups.tolist() == ["anna", "anna", "ben"]
    with pytest.raises(DataError, match="finds no group"):
        load_dataset(tmp_path, groups="x_(.*)")
    with pytest.raises(DataError, match="regular expression"):
        load_dataset(tmp_path, groups="(")
    with pytest.raises(DataError, match="'anna' is the same in every path"):
        load_dataset(tmp_path, groups="anna")


def test_a_picture_of_nobody_known_has_a_name_that_holds_wherever_the_folder_lies(
    tmp_path, monkeypatch
):
    write(tmp_path / "faces/happy/anna/1.png", FACES[0])
    write(tmp_path / "faces/happy/alone.png", FACES[1])
    there = load_dataset(tmp_path / "faces").groups.tolist()
    monkeypatch.chdir(tmp_path)
    assert load_dataset(Path("faces")).groups.tolist() == there == ["happy/alone.png", "anna"]


def test_rows_and_paths_as_spreadsheets_and_windows_write_them(tmp_path):
    write(tmp_path / "faces/Freude/a.png", FACES[0])
    table = tmp_path / "faces.csv"
    table.write_text(
        "path,label\nfaces\\Freude\\a.png,happy,,\nx\0.png,sad\n" + "y" * 300 + ",sad\n"
    )
    faces = load_dataset(table)
    assert faces.labels.tolist() == [3]
    assert [reason for _, reason in faces.skipped] == ["no such file"] * 2


def test_a_header_with_quotes_and_spaces_is_read_as_its_rows_are(tmp_path):
    write(tmp_path / "a.png", FACES[0])
    table = tmp_path / "faces.csv"
    table.write_text('"label", "image"\n"happy", "a.png"\n')
    assert load_dataset(table).labels.tolist() == [3]


def test_a_column_of_labels_that_is_called_otherwise_is_told_with_the_names_that_are_known(
    tmp_path,
):
    table = tmp_path / "faces.csv"
    table.write_text("image,labels\na.png,joy\n")
    told = r"found the columns 'image', 'labels'; expected .* one of emotion, label, class, express"
    with pytest.raises(DataError, match=told):
        infer_classes(table)


def test_a_table_with_semicolons_names_paths_and_other_columns(tmp_path):
    write(tmp_path / "pictures/a.png", cv2.resize(FACES[0], (120, 90)))
    write(tmp_path / "pictures/b.jpg", cv2.cvtColor(FACES[1], cv2.COLOR_GRAY2BGR))
    (tmp_path / "pictures/c.png").write_bytes(b"rubbish")
    table = tmp_path / "faces.csv"
    table.write_text(
        "\ufeffPath;Age;Label;Person;Split\n"
        "pictures/a.png;31;Wut;p1;train\n"
        "pictures/b.jpg;44;fröhlich;p2;test\n\n"
        "pictures/c.png;44;fröhlich;p2;val\n"
        "pictures/a.png;44;unklar;p2;val\n",
        encoding="utf-8",
    )
    faces = load_dataset(table, GERMAN, groups="person")
    assert faces.labels.tolist() == [0, 1]
    assert faces.usage.tolist() == ["Training", "Test"]
    assert faces.groups.tolist() == ["p1", "p2"]
    assert faces.files == ("pictures/a.png", "pictures/b.jpg")
    assert [skipped.name for skipped in faces.skipped] == ["row 4, pictures/c.png", "row 5"]
    assert abs(faces.faces_u8[1].astype(int) - FACES[1]).mean() < 6


def test_pixels_of_any_square_in_grey_or_colour(tmp_path):
    grey = " ".join(["7"] * 100)
    colour = " ".join(["255 0 0"] * 64**2)
    table = tmp_path / "faces.csv"
    table.write_text(f"id\tpixels\temotion\n1\t{grey}\thappy\n2\t{colour}\t4\n")
    faces = load_dataset(table)
    assert faces.labels.tolist() == [3, 4]
    assert np.unique(faces.faces_u8[0]).tolist() == [7]
    assert np.unique(faces.faces_u8[1]).tolist() == [76]  # the luminance of pure red


def test_fer2013s_form_with_names_in_the_place_of_digits(tmp_path):
    table = tmp_path / "faces.csv"
    pixels = " ".join(map(str, FACES[0].ravel()))
    table.write_text(f"emotion,pixels,Usage\nHappy,{pixels},train\nanger,{pixels},Test\n")
    faces = load_dataset(table)
    assert faces.labels.tolist() == [3, 0]
    assert faces.usage.tolist() == ["Training", "Test"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("path;emotion\nx.png\n", "row 1: found 1 columns; expected 2"),
        ("path;emotion\nx.png;bored\n", "has faces of 'bored'"),
        ("path;emotion\nx.png;happy\n", "no face that can be read, in 1 rows"),
        ("id;pixels\n1;1 2\n", "row 1, column pixels: found 2 values"),
        ("id;pixels\n1;1 2 3 x\n", "row 1, column pixels: expected whole numbers"),
        ("id;pixels\n1;1 2 3 256\n", "row 1, column pixels: expected whole numbers"),
        ("id;pixels;set\n1;1 2 3 4;exam\n", "row 1: found the use 'exam'"),
        ("id;pixels\n1;1 2 3 4\n\n;\n4;1 2\n", "row 4, column pixels: found 2 values"),
        ("id;name\n1;2\n", "expected 'pixels'"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, content, part):
    table = tmp_path / "faces.csv"
    table.write_text(content)
    with pytest.raises(DataError) as raised:
        load_dataset(table)
    assert part in str(raised.value)
    assert str(table) in str(raised.value)


def test_a_missing_group_column_is_named(tmp_path):
    table = tmp_path / "faces.csv"
    table.write_text("path;emotion\nx.png;happy\n")
    with pytest.raises(DataError, match="'person'"):
        load_dataset(table, groups="person")


@pytest.mark.parametrize(
    ("names", "others", "part"),
    [
        (("one",), {}, "1 classes"),
        (tuple(map(str, range(17))), {}, "17 classes"),
        (("happy", " HAPPY"), {}, "differ"),
        (("happy", ""), {}, "not empty"),
        (("happy", "sad"), {"froh": "glad"}, "'glad'"),
        (("happy", "s" * 101), {}, "expected 1 to 100 characters"),
        (("happy", "sad\n"), {}, "line break"),
    ],
)
def test_a_table_of_classes_that_cannot_be_is_refused(names, others, part):
    with pytest.raises(DataError, match=part):
        ClassTable(names, others)


def test_classes_that_are_called_by_numbers_are_found_by_their_names_alone():
    classes = ClassTable(("1", "2", "3"))
    assert [classes.label_of(name) for name in ("1", "2", "3")] == [0, 1, 2]
    assert classes.label_of("0") is None
    assert ClassTable(("-1", "+2")).label_of("1") is None
    assert ClassTable(("1.0", "2.0")).label_of("1") is None


def test_the_check_says_what_there_is_and_what_to_mind(tmp_path):
    for number in range(22):
        write(tmp_path / f"train/wut/anna/{number}.png", FACES[number])
    write(tmp_path / "train/fröhlich/ben/1.png", FACES[22])
    write(tmp_path / "val/fröhlich/ben/2.png", FACES[0])
    (tmp_path / "val/fröhlich/ben/3.jpg").write_bytes(b"")
    lines = "\n".join(check_faces(tmp_path, GERMAN))
    assert "24 faces" in lines
    assert "22  wütend\n" in lines
    assert "2  fröhlich   few" in lines
    assert "0  verächtlich   none" in lines
    assert "23 Training, 1 Validation" in lines
    assert "none is for the test" in lines
    assert "2 groups of 2 to 22 faces, such as 'anna', each on one side" in lines
    assert "1 groups have faces for more than one use: ben" in lines
    assert "1 skipped, not a picture that can be read: " in lines
    assert "1 are exact copies of others\n" in lines
    assert "1 pictures lie in more than one use: no copy of a validation face trains" in lines
    assert "1 pictures have copies with different labels" in lines
    assert "FER2013's test faces" not in lines


def test_grey_of_12_bits_is_as_bright_as_of_8(tmp_path):
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    cv2.imwrite(str(tmp_path / "8.png"), face)
    cv2.imwrite(str(tmp_path / "12.png"), face.astype(np.uint16) << 4)
    np.testing.assert_array_equal(read_face(tmp_path / "12.png"), read_face(tmp_path / "8.png"))


def test_folders_of_uses_beside_others_are_refused(tmp_path):
    for folder in ("Training/happy", "Training/sad", "Testing/happy", "Testing/sad"):
        write(tmp_path / folder / "1.png", FACES[0])
    assert infer_classes(tmp_path).names == ("happy", "sad")
    assert sorted(load_dataset(tmp_path).usage) == ["Test"] * 2 + ["Training"] * 2
    write(tmp_path / "models" / "1.png", FACES[0])
    with pytest.raises(
        DataError, match=r"after a use \(Testing, Training\) beside others \(models\)"
    ):
        infer_classes(tmp_path)


@pytest.mark.parametrize(
    ("names", "found"),
    [(["1.png", "2.png"], "no folder of a class"), (["happy/1.png"], "one class, 'happy'")],
)
def test_pictures_that_lie_in_no_folders_of_classes_are_said_to(tmp_path, names, found):
    for name in names:
        write(tmp_path / name, FACES[0])
    with pytest.raises(DataError, match=rf"holds {found}: expected a folder of pictures for each"):
        infer_classes(tmp_path)


@pytest.mark.parametrize("use", ["", "train"])
def test_a_folder_above_that_of_the_classes_is_told_which_one_to_name(tmp_path, use):
    images = tmp_path / "kaggle" / "images"
    for name in ("angry", "happy"):
        write(images / use / name / "1.png", FACES[0])
    with pytest.raises(DataError, match=r"images holds such folders \(angry, happy\): name that"):
        list(check_faces(tmp_path / "kaggle"))
    assert next(check_faces(images)).endswith("images: 2 faces")


def test_folders_of_persons_in_a_single_class_are_not_taken_for_classes(tmp_path):
    for person in ("anna", "bob"):
        write(tmp_path / "happy" / person / "1.png", FACES[0])
    with pytest.raises(DataError, match=r"one class, 'happy'.*1\.jpg\.$"):
        list(check_faces(tmp_path))


def test_pictures_of_a_folder_without_folders_have_no_labels(tmp_path):
    for name in ("2.png", "10.png"):
        write(tmp_path / name, FACES[int(name[0])])
    (tmp_path / "notes.txt").write_text("not a picture")
    faces = load_dataset(tmp_path)
    assert faces.labels is None
    assert faces.files == ("10.png", "2.png")
    np.testing.assert_array_equal(faces.faces_u8, FACES[[1, 2]])
    assert [skipped.name for skipped in faces.skipped] == ["notes.txt"]


def test_a_class_that_is_written_in_two_ways_is_one(tmp_path):
    for folder in ("train/Freude", "val/freude", "train/\u00c4rger", "val/A\u0308rger"):
        write(tmp_path / folder / "1.png", FACES[0])
    assert len(infer_classes(tmp_path).names) == 2
    assert next(check_faces(tmp_path)).endswith("4 faces")


def test_the_check_takes_eight_classes_in_fer2013s_columns(tmp_path):
    pixels = " ".join(map(str, FACES[0].ravel()))
    table = tmp_path / "eight.csv"
    table.write_text("emotion,pixels\n" + "".join(f"{label},{pixels}\n" for label in range(8)))
    assert infer_classes(table).names == tuple("01234567")
    assert [line.split()[:2] for line in check_faces(table)][1:9] == [
        ["1", str(label)] for label in range(8)
    ]


def test_a_row_without_a_group_stands_alone(tmp_path):
    for name in "abcd":
        write(tmp_path / f"{name}.png", FACES[0])
    table = tmp_path / "own.csv"
    table.write_text("path,emotion,who\na.png,0,anna\nb.png,1,anna\nc.png,0,\nd.png,1,\n")
    groups = load_dataset(table, groups="who").groups.tolist()
    assert groups[:2] == ["anna", "anna"]
    assert len(set(groups)) == 3


def test_what_could_not_be_read_is_told_in_a_line_with_what_helps(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # As without the extra.
    write(tmp_path / "happy/1.png", FACES[0])
    write(tmp_path / "sad/1.png", FACES[1])
    assert load_dataset(tmp_path).told_of_skipped() is None
    (tmp_path / "happy/phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(12))
    for number in range(4):
        (tmp_path / f"sad/empty{number}.png").write_bytes(b"")
    heic = "HEIC, which  pip install 'mien[heic]'  lets mien read"
    assert load_dataset(tmp_path).told_of_skipped().replace("\\", "/") == (
        f"5 of 7 pictures were skipped: {heic} (happy/phone.heic); not a picture that can be read "
        "(sad/empty0.png, sad/empty1.png, sad/empty2.png, …)"
    )
    assert f"1 skipped, {heic}: " in "\n".join(check_faces(tmp_path))
    table = tmp_path / "own.csv"
    table.write_text("image,label\nhappy/1.png,happy\nhappy/2.png,happy\nsad/phone.png,unklar\n")
    own = ClassTable(("happy", "sad"), {}, ("unklar",))
    assert load_dataset(table, own).told_of_skipped() == (
        "1 of 2 pictures were skipped: no such file (row 2, happy/2.png)"
    )
    table.write_text("image,label\nhappy/phone.heic,happy\n")
    with pytest.raises(DataError, match=r"in 1 rows \(1 were skipped: HEIC, which"):
        load_dataset(table, own)


def test_a_person_that_is_written_in_two_ways_is_one(tmp_path):
    spellings = ("J\u00fcrgen", "Ju\u0308rgen")
    for emotion, person, face in zip(("happy", "sad"), spellings, FACES, strict=False):
        write(tmp_path / "folders" / emotion / person / "1.png", face)
        write(tmp_path / "names" / emotion / f"{person}_1.png", face)
    assert set(load_dataset(tmp_path / "folders").groups.tolist()) == {"J\u00fcrgen"}
    for expression in ("^[^_]+", "^Ju\u0308rgen", "^J.rgen"):
        groups = load_dataset(tmp_path / "names", groups=expression).groups
        assert set(groups.tolist()) == {"J\u00fcrgen"}
    table = tmp_path / "own.csv"
    rows = [f"names/happy/{spellings[0]}_1.png,happy,{each}" for each in spellings]
    table.write_text("\n".join(["image,label,person", *rows]) + "\n", encoding="utf-8")
    assert load_dataset(table, groups="person").groups.tolist() == ["J\u00fcrgen"] * 2
