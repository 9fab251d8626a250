import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs mien[train]")
pytest.importorskip("seaborn", reason="needs mien[train]")

from mien.cli import main
from mien.core.errors import DataError
from mien.data.dataset import Dataset
from mien.data.explore import explore
from mien.data.synthetic import synthetic_dataset, write_csv


def write_split(path: Path, faces: np.ndarray, labels: list[int]) -> None:
    write_csv(Dataset(faces, np.array(labels), None, path), path)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two splits of ten different pictures, of which two are in both."""
    pictures = synthetic_dataset(10, seed=0).faces_u8
    pictures[9] = 100
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    #  Picture 0 three times, once with another label; picture 1 twice.
    write_split(train, pictures[[0, 0, 0, 1, 1, 2, 3, 4]], [0, 0, 4, 3, 3, 2, 1, 6])
    # Picture 4 is labelled differently in train.csv; picture 5 twice.
    write_split(test, pictures[[4, 1, 5, 5, 9]], [4, 3, 1, 1, 5])
    return [train, test]


def test_copies_and_label_conflicts_are_counted(files: list[Path], tmp_path: Path) -> None:
    explore(files, tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["copies"] == {
        "train": {
            "pictures": 2,
            "faces": 5,
            "conflicting_pictures": 1,
            "conflicting_faces": 3,
        },
        "test": {"pictures": 1, "faces": 2, "conflicting_pictures": 0, "conflicting_faces": 0},
    }
    assert report["shared"] == [
        {
            "splits": ["train", "test"],
            "pictures": 2,
            "faces": {"train": 3, "test": 2},
            "conflicting_pictures": 1,
        }
    ]
    assert report["conflicts"] == [
        {"rows": {"train": [1, 2, 3]}, "labels": {"angry": 2, "sad": 1}},
        {"rows": {"train": [8], "test": [1]}, "labels": {"neutral": 1, "sad": 1}},
    ]
    assert report["splits"]["train"]["classes"]["happy"] == 2
    assert report["splits"]["train"]["largest_to_smallest"] == 2
    assert report["splits"]["test"]["without_contrast"] == 1
    assert report["splits"]["test"]["brightness_of_class"]["surprise"] == 100


def test_the_command_writes_figures_that_can_be_read(files, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stopped:
        main(["data", "explore", *map(str, files), "--out", str(out)])
    assert not stopped.value.code
    assert "train and test share 2 pictures" in capsys.readouterr().out
    figures = {path.name: cv2.imread(str(path)) for path in out.glob("*.png")}
    assert set(figures) == {
        "samples_train.png",
        "samples_test.png",
        "class_balance.png",
        "mean_faces.png",
        "brightness.png",
        "label_conflicts.png",
    }
    assert all(figure.std() > 1 for figure in figures.values())


def test_a_file_with_usage_holds_several_splits(tmp_path: Path) -> None:
    drawn = synthetic_dataset(14, seed=1)
    usage = np.array(["Training"] * 7 + ["PrivateTest"] * 7)
    write_csv(Dataset(drawn.faces_u8, drawn.labels, usage, Path("drawn")), tmp_path / "fer2013.csv")
    exploration = explore([tmp_path / "fer2013.csv"], tmp_path / "out")
    assert {name: split.faces for name, split in exploration.splits.items()} == {
        "Training": 7,
        "PrivateTest": 7,
    }


def test_faces_without_labels_are_explored_as_well(tmp_path: Path) -> None:
    drawn = synthetic_dataset(3, seed=1)
    write_csv(Dataset(drawn.faces_u8, None, None, Path("drawn")), tmp_path / "test.csv")
    exploration = explore([tmp_path / "test.csv"], tmp_path / "out")
    assert exploration.splits["test"].classes is None
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "samples_test.png",
        "brightness.png",
        "report.json",
    }


def test_own_classes_are_explored_and_pictures_that_cannot_be_read_are_told(tmp_path, capsys):
    pictures = synthetic_dataset(8, seed=1).faces_u8
    for number, name in enumerate(["joy", "grief", "calm", "awe"] * 2):
        path = tmp_path / "own" / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # One picture is of two classes.
        cv2.imwrite(str(path), pictures[0 if number == 1 else number])
    (tmp_path / "own" / "joy" / "bad.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stopped:
        main(["data", "explore", str(tmp_path / "own"), "--out", str(out)])
    assert not stopped.value.code
    printed = capsys.readouterr().out
    assert "awe 2 (25.0%), calm 2 (25.0%), grief 2 (25.0%), joy 2 (25.0%)" in printed
    assert "1 pictures were skipped: not a picture that can be read (joy" in printed
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["conflicts"][0]["labels"] == {"grief": 1, "joy": 1}
    assert list(report["skipped"][str(tmp_path / "own")]) == ["not a picture that can be read"]
    assert (out / "label_conflicts.png").is_file()
    write_csv(synthetic_dataset(7, seed=0), tmp_path / "train.csv")
    with pytest.raises(DataError, match="explore them one by one"):
        explore([tmp_path / "own", tmp_path / "train.csv"], out)


def test_a_folder_and_classes_of_any_name_are_drawn(tmp_path: Path) -> None:
    pictures = synthetic_dataset(6, seed=1).faces_u8
    for number, name in enumerate(["a$^$b", "c 顔", "d$"] * 2):
        folder = tmp_path / "own$_$" / name
        folder.mkdir(parents=True, exist_ok=True)
        # One picture is of two classes. OpenCV opens no such names on every system.
        drawn = tmp_path / "drawn.png"
        cv2.imwrite(str(drawn), pictures[0 if number == 1 else number])
        drawn.rename(folder / f"{number}.png")
    explore([tmp_path / "own$_$"], tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert {"class_balance.png", "mean_faces.png", "brightness.png", "label_conflicts.png"} < names


def test_two_splits_of_one_name_are_refused(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two splits named 'train'"):
        explore([files[0], files[0]], tmp_path / "out")
