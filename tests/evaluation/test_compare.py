"""Two networks are told apart by the faces that they share."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")
pytest.importorskip("onnx", reason="needs mien[train]")
pytest.importorskip("tf2onnx", reason="needs mien[train]")

from mien.core.errors import ModelError
from mien.data.synthetic import synthetic_dataset, write_csv
from mien.evaluation.compare import compare_means, compare_networks
from mien.export import export_model

RUNS = Path(__file__).parents[2] / "results" / "runs"


def test_a_small_difference_of_the_same_faces_is_clear() -> None:
    random = np.random.default_rng(0)
    first = random.normal(1.0, 1.0, 3000)
    second = first - 0.01 + random.normal(0.0, 0.05, 3000)
    assert compare_means(first, second).is_clear
    # Unpaired, it would drown in the spread between faces.
    assert not compare_means(first, random.permutation(second)).is_clear


def test_a_network_does_not_differ_from_itself() -> None:
    losses = np.random.default_rng(0).normal(1.0, 1.0, 100)
    difference = compare_means(losses, losses)
    assert (difference.low, difference.high) == (0.0, 0.0)
    assert not difference.is_clear


def test_what_two_runtimes_round_is_not_clear() -> None:
    losses = np.random.default_rng(0).normal(1.0, 1.0, 100)
    assert not compare_means(losses, losses + 1e-6).is_clear


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    write_csv(synthetic_dataset(210, seed=0), tmp_path / "train.csv")
    return tmp_path / "train.csv"


def test_two_runs_of_the_repository_are_compared(faces: Path) -> None:
    first, second = (
        RUNS / name / "emotion.onnx" for name in ("003_spatial_dropout", "010_residual")
    )
    lines = compare_networks(first, second, training_data=faces)
    assert lines[0] == "21 validation faces, each network calibrated on them"
    assert [line.split()[1].rstrip(",") for line in lines[1:3]] == [
        "003_spatial_dropout",
        "010_residual",
    ]
    assert lines[3].startswith("calibrated log-loss (lower is better)")
    assert lines[4].startswith("accuracy, % (higher is better)")


def test_a_network_is_its_own_equal_whatever_the_file_and_its_temperature(
    tmp_path: Path, faces: Path
) -> None:
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            keras.layers.AveragePooling2D(8),
            keras.layers.Flatten(),
            keras.layers.Dense(7, activation="softmax"),
        ]
    )
    network.save(tmp_path / "network.keras")
    (tmp_path / "metrics.json").write_text('{"experiment": "toy"}', encoding="utf-8")
    shutil.copy(RUNS / "010_residual" / "experiment.toml", tmp_path)
    export_model(network, tmp_path, experiment="toy", temperature=0.6)
    lines = compare_networks(
        tmp_path / "network.keras", tmp_path / "emotion.onnx", training_data=faces
    )
    assert lines[1].rpartition(",")[2] == lines[2].rpartition(",")[2]
    for line in lines[3:]:
        numbers = re.findall(r"[+-]?\d+\.\d+", line)
        assert numbers[0] == numbers[1]
        assert {float(number) for number in numbers[2:]} == {0.0}
        assert line.endswith(": not clear")


def test_runs_with_other_validation_faces_are_refused(tmp_path: Path, faces: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(RUNS / "010_residual", other)
    recipe = other / "experiment.toml"
    recipe.write_text(recipe.read_text() + "\n[split]\nseed = 7\n", encoding="utf-8")
    with pytest.raises(ModelError, match="not chosen on the same validation faces"):
        compare_networks(
            RUNS / "010_residual" / "emotion.onnx", other / "emotion.onnx", training_data=faces
        )
