"""Every form of FER2013 is read as it is, and what is wrong with a file is named."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.core.errors import DataError
from mien.data.dataset import Dataset
from mien.data.fer2013 import load_dataset
from mien.data.synthetic import synthetic_dataset, write_csv

USAGES = ("Training", "PublicTest", "PrivateTest")
BLACK = " ".join(["0"] * 2304)


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    count = draw(st.integers(1, 70))
    # Few values, so that numbers of one, two and three digits follow one another in all ways.
    palette = draw(st.lists(st.integers(0, 255), min_size=1, max_size=6))
    seed = draw(st.integers(0, 2**32 - 1))
    faces = np.random.default_rng(seed).choice(np.array(palette, np.uint8), (count, 48, 48))
    labels = draw(st.none() | arrays(np.int64, count, elements=st.integers(0, 6)))
    usage = draw(st.none() | st.lists(st.sampled_from(USAGES), min_size=count, max_size=count))
    return Dataset(faces, labels, None if usage is None else np.array(usage), Path("drawn"))


def assert_same(found: Dataset, expected: Dataset) -> None:
    for name in ("faces_u8", "labels", "usage"):
        left, right = getattr(found, name), getattr(expected, name)
        assert (left is None) == (right is None)
        if left is not None:
            assert left.dtype.kind == right.dtype.kind
            np.testing.assert_array_equal(left, right)


def message(path: Path) -> str:
    with pytest.raises(DataError) as raised:
        load_dataset(path)
    assert str(path) in str(raised.value)
    return str(raised.value)


@given(datasets())
def test_what_is_written_is_read_and_read_again_from_the_cache(
    tmp_path_factory: pytest.TempPathFactory, dataset: Dataset
) -> None:
    path = tmp_path_factory.mktemp("round") / "faces.csv"
    write_csv(dataset, path)
    assert_same(load_dataset(path), dataset)
    assert list((path.parent / ".mien_cache").iterdir())
    assert_same(load_dataset(path), dataset)


@given(
    row=st.integers(1, 70),
    position=st.integers(1, 2304),
    value=st.integers(256, 99999).map(str)
    | st.sampled_from(["9" * 5000, "-1", "1.5", "1e2", "x", "é", "+7", "²", "2;3", "0x7"]),
)
def test_any_damaged_pixel_is_named_with_row_and_column(
    tmp_path_factory: pytest.TempPathFactory, row: int, position: int, value: str
) -> None:
    rows = [f"{number % 7},{BLACK}" for number in range(70)]
    pixels = BLACK.split()
    pixels[position - 1] = value
    rows[row - 1] = "3," + " ".join(pixels)
    path = tmp_path_factory.mktemp("damaged") / "train.csv"
    path.write_text("\n".join(["emotion,pixels", *rows]), encoding="utf-8")
    text = message(path)
    assert f"row {row} (line {row + 1}), column pixels" in text
    assert f"value {position:,}" in text
    assert value[:20] in text


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("", ["empty"]),
        ("\n", ["empty"]),
        ("emotion,pixels\n", ["no face"]),
        ("emotion,pixels\r\n\r\n", ["no face"]),
        ("emotion,Usage\n0,Training\n", ["line 1", "'pixels'"]),
        (f"0,{BLACK}\n", ["line 1", "'pixels'"]),
        (f"emotion;name\n0;{BLACK}\n", ["line 1", "'emotion', 'name'", "'pixels'"]),
        (f"pixels,pixels\n{BLACK},{BLACK}\n", ["line 1", "each once"]),
        (f"emotion,pixels\n0,{BLACK}\n0,{BLACK[2:]}\n", ["row 2", "column pixels", "2,303"]),
        (f"emotion,pixels\n0,{BLACK}\n0,{BLACK} 7\n", ["row 2", "column pixels", "2,305"]),
        # As many numbers as two faces have, but not two faces.
        (f"pixels\n{BLACK} 7\n{BLACK[2:]}\n", ["row 1", "column pixels", "2,305"]),
        (f"emotion,pixels\n9,{BLACK}\n", ["row 1", "column emotion", "'9'"]),
        (f"emotion,pixels\n,{BLACK}\n", ["row 1", "column emotion", "''"]),
        (f"emotion,pixels\nbored,{BLACK}\n", ["row 1", "column emotion", "'bored'"]),
        (f"emotion,pixels\n0,{BLACK}\n\n8,{BLACK}\n", ["row 3 (line 4)", "column emotion"]),
        (f"emotion,pixels,Usage\n0,{BLACK},Exam\n", ["row 1", "column Usage", "'Exam'"]),
        (f"emotion,pixels,Usage\n0,{BLACK}\n", ["row 1", "2 columns", "3"]),
        (f"emotion,pixels\n0,{BLACK},Training\n", ["row 1", "3 columns", "2"]),
        (f"emotion,pixels\n{BLACK}\n", ["row 1", "1 columns", "2"]),
        ("emotion,pixels\n0,\n", ["row 1", "column pixels", "0 values"]),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: str, parts: list[str]) -> None:
    path = tmp_path / "train.csv"
    path.write_text(content, encoding="utf-8", newline="")
    text = message(path)
    assert [part for part in parts if part not in text] == []


def test_a_file_that_is_no_text_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(b"PK\x03\x04\x00\xff\xfe" * 1000)
    assert "is not in UTF-8" in message(path)


def test_a_missing_file_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    assert "mien data download" in message(tmp_path / "train.csv")
    assert "mien data download" not in message(tmp_path / "my_faces.csv")


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="Windows' line ends"),
        pytest.param(lambda text: text.rstrip("\n"), id="no newline at the end"),
        pytest.param(lambda text: text + "\n\n", id="blank lines at the end"),
        pytest.param(lambda text: "\ufeff" + text, id="a byte order mark"),
        pytest.param(lambda text: text.replace(" ", "  ", 50), id="two spaces"),
        pytest.param(lambda text: text.replace(" ", "\t", 50), id="tabs"),
        pytest.param(lambda text: text.replace(" ", " 000", 50), id="zeros ahead"),
        pytest.param(
            lambda text: text.replace("emotion,pixels,Usage", " Emotion, PIXELS , usage"),
            id="another header",
        ),
        pytest.param(
            lambda text: "\n".join(
                '"' + line.replace(",", '","') + '"' for line in text.splitlines()
            ),
            id="quotes",
        ),
    ],
)
def test_files_as_other_programs_write_them(tmp_path: Path, rewrite) -> None:
    drawn = synthetic_dataset(40, seed=3)
    expected = Dataset(
        drawn.faces_u8, drawn.labels, np.array(USAGES)[np.arange(40) % 3], Path("drawn")
    )
    path = tmp_path / "fer2013.csv"
    write_csv(expected, path)
    path.write_bytes(rewrite(path.read_text(encoding="utf-8")).encode("utf-8"))
    assert_same(load_dataset(path), expected)


def test_kaggles_file_with_spaces_in_its_header(tmp_path: Path) -> None:
    path = tmp_path / "icml_face_data.csv"
    path.write_text(f"emotion, Usage, pixels\n4,PublicTest,{BLACK}\n0,Training,{BLACK}\n")
    dataset = load_dataset(path)
    assert dataset.labels.tolist() == [4, 0]
    assert dataset.usage.tolist() == ["PublicTest", "Training"]
    assert dataset.faces_u8.shape == (2, 48, 48)


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    drawn = synthetic_dataset(20, seed=1)
    path = tmp_path / "train.csv"
    write_csv(drawn, path)
    load_dataset(path)
    (cache,) = (tmp_path / ".mien_cache").iterdir()
    whole = cache.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for damaged in (b"", whole[:1000], whole[:-1], bytes(flipped), b"rubbish" * 9999):
        cache.write_bytes(damaged)
        assert_same(load_dataset(path), drawn)
        assert cache.read_bytes() == whole


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no time of the last change")
def test_another_file_of_the_same_size_and_time_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(f"emotion,pixels\n1,{BLACK}\n")
    assert load_dataset(path).labels.tolist() == [1]
    status = path.stat()
    path.write_text(f"emotion,pixels\n2,{BLACK}\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert load_dataset(path).labels.tolist() == [2]


def test_without_a_place_for_the_cache_the_file_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    (tmp_path / ".mien_cache").write_text("a file where the folder would be")
    write_csv(synthetic_dataset(5, seed=1), path)
    assert len(load_dataset(path).faces_u8) == 5


def write_picture(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())


def test_a_folder_per_emotion(tmp_path: Path) -> None:
    grey = synthetic_dataset(2, seed=0).faces_u8
    write_picture(tmp_path / "happy" / "b.png", grey[0])
    write_picture(tmp_path / "Anger" / "a.png", grey[1])
    # Its middle is white, and all that the square in the middle holds.
    wide = np.zeros((60, 100, 3), np.uint8)
    wide[:, 20:80] = 255
    write_picture(tmp_path / "happy" / "a.jpg", wide)
    (tmp_path / "happy" / ".hidden.png").write_bytes(b"no picture")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "notes.txt").write_text("not a folder")

    dataset = load_dataset(tmp_path)

    assert dataset.labels.tolist() == [0, 3, 3]
    assert dataset.usage is None
    np.testing.assert_array_equal(dataset.faces_u8[[0, 2]], grey[[1, 0]])
    assert dataset.faces_u8[1].min() > 250


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("happy/x.png", b"", "1 files were skipped: not a picture"),
        ("happy/x.jpg", b"no picture", "1 files were skipped: not a picture"),
        ("happy/x.bmp", b"P5 60000 60000 255\n", "1 files were skipped: not a picture"),
        ("bored/x.png", b"", "has faces of 'bored'; the classes are angry, disgust"),
        ("x.png", b"", "holds no picture"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(
    tmp_path: Path, name: str, content: bytes, part: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    assert part in message(tmp_path).replace(os.sep, "/")
