"""FER2013 arrives whole, checked and in its own folder, or a line says what is wrong."""

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.core.errors import DataError
from mien.data.dataset import Dataset
from mien.data.download import download, download_fer2013
from mien.data.fer2013 import load_dataset
from mien.data.ferplus import load_votes
from mien.data.synthetic import synthetic_dataset, write_csv

NAMES = ["train.csv", "test.csv", "test_with_emotions.csv"]
# As FER2013, with two and three faces of each emotion: 14 to train on, 14 and 21 to test.
CONTENTS = {
    "train.csv": {"Training": (2,) * 7},
    "test_with_emotions.csv": {"PublicTest": (2,) * 7, "PrivateTest": (3,) * 7},
}
VOTES_HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


def faces(count: int, seed: int) -> Dataset:
    drawn = synthetic_dataset(count, seed)
    drawn.faces_u8[0, 0, :2] = 0, 255
    return drawn


def joined(first: Dataset, second: Dataset) -> Dataset:
    assert first.labels is not None
    assert second.labels is not None
    return replace(
        first,
        faces_u8=np.concatenate([first.faces_u8, second.faces_u8]),
        labels=np.concatenate([first.labels, second.labels]),
    )


@pytest.fixture
def fer2013(tmp_path: Path) -> Path:
    """Give a folder with small files of FER2013's form."""
    folder = tmp_path / "files"
    test = joined(faces(14, seed=2), faces(21, seed=3))
    write_csv(faces(14, seed=1), folder / "train.csv")
    write_csv(test, folder / "test_with_emotions.csv")
    write_csv(replace(test, labels=None), folder / "test.csv")
    votes = [VOTES_HEADER, *["Training,fer.png,10,0,0,0,0,0,0,0,0,0"] * 49]
    (folder / "fer2013new.csv").write_text("\n".join(votes) + "\n", encoding="utf-8")
    return folder


def pack(folder: Path, *, prefix: str = "", names: list[str] = NAMES) -> Path:
    archive = folder.parent / "emotions-detector.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in names:
            opened.write(folder / name, prefix + name)
    return archive


def test_everything_lands_in_its_folder_and_is_told(fer2013: Path, tmp_path: Path) -> None:
    said: list[str] = []
    data = tmp_path / "data"
    archive, votes = str(pack(fer2013)), str(fer2013 / "fer2013new.csv")
    download(data, said.append, source=archive, votes_source=votes, contents=CONTENTS)

    visible = {path.name for path in data.iterdir() if path.name != ".mien_cache"}
    assert visible == {*NAMES, "fer2013new.csv"}
    expected = load_dataset(fer2013 / "train.csv")
    np.testing.assert_array_equal(load_dataset(data / "train.csv").faces_u8, expected.faces_u8)
    assert len(load_votes(data / "fer2013new.csv")) == 49
    assert said[0].startswith(f"{data / 'train.csv'}: 14 faces: 2 angry, 2 disgust")

    shutil.rmtree(fer2013)
    said.clear()
    download(data, said.append, contents=CONTENTS)
    assert said[0] == f"FER2013 is in {data} already."


def test_fer2013_is_whole_without_the_votes(fer2013: Path, tmp_path: Path) -> None:
    said: list[str] = []
    data, nowhere = tmp_path / "data", str(tmp_path / "nowhere.csv")
    download(data, said.append, source=str(pack(fer2013)), votes_source=nowhere, contents=CONTENTS)
    assert set(NAMES) <= {path.name for path in data.iterdir()}
    assert f"fer2013new.csv is missing: {nowhere} cannot be read" in said[-1]
    assert "only recipes that learn from FER+'s votes need this file" in said[-1]


def test_damaged_files_are_downloaded_anew(
    fer2013: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    data, votes = tmp_path / "data", str(fer2013 / "fer2013new.csv")
    monkeypatch.setattr("mien.data.download.FER2013_URL", str(pack(fer2013)))
    download(data, said.append, votes_source=votes, contents=CONTENTS)
    (data / "train.csv").write_bytes((data / "train.csv").read_bytes()[:-500])
    said.clear()
    download(data, said.append, contents=CONTENTS)
    assert said[0].endswith("Downloading it again.")
    assert (data / "train.csv").read_bytes() == (fer2013 / "train.csv").read_bytes()


@pytest.mark.parametrize("prefix", ["emotions-detector/", "../../", "/", "C:\\Windows/"])
def test_members_land_in_the_folder_whatever_path_they_claim(
    fer2013: Path, tmp_path: Path, prefix: str
) -> None:
    data = tmp_path / "a" / "b" / "data"
    before = set(tmp_path.rglob("*"))
    download_fer2013(data, str(pack(fer2013, prefix=prefix)), contents=CONTENTS)
    new = {path for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    assert {path.name for path in new if path.parent == data} == set(NAMES)
    assert {path for path in new if not path.is_relative_to(data)} == {
        tmp_path / "emotions-detector.zip"
    }


def cut(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-100])


def flip_bytes(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[5_000:5_010] = b"\xff" * 10
    archive.write_bytes(content)


def write_html(archive: Path) -> None:
    archive.write_text("<html>Please log in to this network</html>")


@pytest.mark.parametrize("damage", [cut, flip_bytes, write_html])
def test_a_damaged_archive_leaves_the_old_files(
    fer2013: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    data = tmp_path / "data"
    archive = pack(fer2013)
    download_fer2013(data, str(archive), contents=CONTENTS)
    damage(archive)
    with pytest.raises(DataError, match="not a whole zip archive"):
        download_fer2013(data, str(archive), contents=CONTENTS)
    for name in NAMES:
        assert (data / name).read_bytes() == (fer2013 / name).read_bytes()


def test_an_archive_of_something_else_is_refused(fer2013: Path, tmp_path: Path) -> None:
    archive = pack(fer2013, names=["train.csv", "test.csv"])
    with pytest.raises(DataError, match=r"lacks test_with_emotions\.csv; it holds test\.csv, tra"):
        download_fer2013(tmp_path / "data", str(archive), contents=CONTENTS)


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("train.csv", faces(13, seed=1), "holds 13 labelled faces; FER2013's has 14"),
        ("train.csv", replace(faces(14, seed=1), labels=None), "holds 14 unlabelled faces"),
        (
            "train.csv",
            replace(faces(14, seed=1), labels=np.zeros(14, dtype=np.int64)),
            "the rows of Training hold 14 angry, 0 disgust",
        ),
        (
            "test_with_emotions.csv",
            joined(faces(21, seed=3), faces(14, seed=2)),
            "the rows of PublicTest hold",
        ),
        (
            "train.csv",
            replace(faces(14, seed=1), faces_u8=faces(14, seed=1).faces_u8 // 255),
            "pixels go from 0 to 1; expected 0 to 255",
        ),
        ("test.csv", replace(faces(35, seed=4), labels=None), "do not hold the same faces"),
    ],
)
def test_what_is_not_fer2013_is_refused(
    fer2013: Path, tmp_path: Path, name: str, wrong: Dataset, message: str
) -> None:
    write_csv(wrong, fer2013 / name)
    with pytest.raises(DataError, match=message):
        download_fer2013(tmp_path / "data", str(pack(fer2013)), contents=CONTENTS)
    assert not (tmp_path / "data" / name).exists()
