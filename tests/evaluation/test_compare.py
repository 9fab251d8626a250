"""Two networks are told apart by the faces that they share."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")
pytest.importorskip("onnx", reason="needs mien[train]")
pytest.importorskip("tf2onnx", reason="needs mien[train]")

from mien.core.errors import DataError, ModelError
from mien.data import test_faces
from mien.data.fer2013 import load_dataset
from mien.data.synthetic import synthetic_dataset, write_csv
from mien.evaluation.compare import compare_means, compare_networks
from mien.evaluation.keras_network import describe
from mien.export.onnx_file import export_network
from mien.models.keras_file import load_network
from mien.training.faces import load_faces
from mien.training.provenance import describe_data
from mien.training.run_folder import RunFolder, write_json


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


def test_a_difference_of_a_few_persons_is_less_clear_than_one_of_as_many_faces() -> None:
    random = np.random.default_rng(0)
    first = random.normal(1.0, 1.0, 300)
    second = first + np.repeat(random.normal(0.05, 0.2, 6), 50)
    persons = np.repeat(np.array(["anna", "ben", "eva", "ida", "tom", "ute"]), 50)
    of_faces, of_persons = compare_means(first, second), compare_means(first, second, persons)
    assert of_persons.high - of_persons.low > 4 * (of_faces.high - of_faces.low)
    assert (of_persons.first, of_persons.second) == (of_faces.first, of_faces.second)
    # Of one person, nothing is known about others.
    assert not compare_means(first, first + 1.0, np.repeat("anna", 300)).is_clear


@pytest.mark.parametrize("groups", [2, 3, 5, 20])
def test_a_difference_that_is_none_is_seldom_clear_though_the_persons_are_few(groups: int) -> None:
    random = np.random.default_rng(0)
    persons = np.repeat(np.array([f"person {number:02}" for number in range(groups)]), 10)
    first = np.zeros(len(persons))
    clear = 0
    for _ in range(300):
        of_person = np.repeat(random.normal(0.0, 1.0, groups), 10)
        clear += compare_means(
            first, of_person + random.normal(size=len(persons)), persons
        ).is_clear
    # 5 % are expected; of five persons, a bootstrap would call some 15 % clear.
    assert clear / 300 < 0.08


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    write_csv(synthetic_dataset(210, seed=0), tmp_path / "train.csv")
    return tmp_path / "train.csv"


RECIPE = """
title = "toy"
rationale = "toy"
status = "candidate"
[network]
family = "vgg"
filters = [2]
convolutions_per_block = 1
dropout = [0.0]
spatial_dropout = [0.0]
head = "global_average"
dense_units = [4]
dense_dropout = 0.0
[augmentation]
"""


@pytest.fixture
def finished_run(tmp_path: Path):
    """Return the function that makes the folder of a finished run, exported and not calibrated."""

    def make(name: str, seed: int = 0, recipe: str = RECIPE, temperature: float = 1.0) -> RunFolder:
        run = RunFolder(tmp_path / name)
        run.path.mkdir()
        run.recipe.write_text(recipe)
        run.write_metrics({"experiment": name})
        keras.utils.set_random_seed(seed)
        network = keras.Sequential(
            [
                keras.Input((48, 48, 1)),
                keras.layers.AveragePooling2D(8),
                keras.layers.Flatten(),
                keras.layers.Dense(7, activation="softmax"),
            ]
        )
        network.save(run.network)
        loaded = load_network(run.network)
        artifact = describe(loaded, run.artifact, name, run.read_metrics())
        readings = {
            each: replace(reading, temperature=temperature)
            for each, reading in artifact.readings.items()
        }
        export_network(loaded, replace(artifact, readings=readings))
        return run

    return make


def test_two_runs_are_compared(finished_run, faces: Path) -> None:
    first, second = finished_run("one"), finished_run("two", seed=1)
    lines = compare_networks(first.artifact, second.artifact, training_data=faces)
    assert lines[0] == "21 validation faces, each network calibrated on them"
    assert [line.split()[1].rstrip(",") for line in lines[1:3]] == ["one", "two"]
    assert lines[3].startswith("calibrated log-loss (lower is better)")
    assert lines[4].startswith("accuracy, % (higher is better)")


def test_a_network_is_its_own_equal_whatever_the_file_and_its_temperature(
    finished_run, faces: Path
) -> None:
    run = finished_run("toy", temperature=0.6)
    lines = compare_networks(run.network, run.artifact, training_data=faces)
    first, second = (float(line.rpartition(" ")[2]) for line in lines[1:3])
    assert first == pytest.approx(second, abs=0.002)
    for line in lines[3:]:
        numbers = re.findall(r"[+-]?\d+\.\d+", line)
        assert numbers[0] == numbers[1]
        assert {float(number) for number in numbers[2:]} == {0.0}
        assert line.endswith(": not clear")


def test_runs_with_other_validation_faces_are_refused(finished_run, faces: Path) -> None:
    first = finished_run("one")
    second = finished_run("two", recipe=RECIPE + "[split]\nseed = 7\n")
    with pytest.raises(ModelError, match="not chosen on the same validation faces"):
        compare_networks(first.artifact, second.artifact, training_data=faces)


def test_runs_that_left_out_other_near_copies_of_a_fold_are_refused(
    finished_run, faces: Path
) -> None:
    split = RECIPE + "[split]\nfolds = 3\nfold = 1\n"
    first = finished_run("one", recipe=split)
    second = finished_run("two", recipe=f"{split}near_copies_apart = true\n")
    with pytest.raises(ModelError, match="not chosen on the same validation faces"):
        compare_networks(first.artifact, second.artifact, training_data=faces)
    apart = finished_run("apart", recipe=RECIPE + "[split]\nnear_copies_apart = true\n")
    together = finished_run("together")
    lines = compare_networks(together.artifact, apart.artifact, training_data=faces)
    assert lines[1].startswith("21 validation faces")


def test_it_is_said_which_network_has_learnt_near_copies_of_the_validation_faces(
    finished_run, faces: Path
) -> None:
    apart = RECIPE + "[split]\nnear_copies_apart = true\n"
    without = finished_run("without", recipe=apart)
    taught = finished_run(
        "taught", recipe=f'{apart}[training]\nstart_from = "first"\n', temperature=0.9
    )
    finished_run("first")
    told = (
        "first learnt near-copies of these faces: the figures of taught are a little too good "
        "beside those of without, which comes from none"
    )
    for pair in ((without, taught), (taught, without)):
        lines = compare_networks(*(run.artifact for run in pair), training_data=faces)
        assert lines[0] == told
    lines = compare_networks(without.artifact, without.network, training_data=faces)
    assert lines[0].startswith("21 validation faces")


def test_test_faces_are_not_compared_on(finished_run, faces: Path, monkeypatch) -> None:
    signs = test_faces._signs(test_faces.fingerprint(load_dataset(faces).faces_u8))
    monkeypatch.setattr(test_faces, "_known_signs", lambda _table: signs)
    run = finished_run("one")
    with pytest.raises(DataError, match="FER2013's test faces"):
        compare_networks(run.artifact, run.artifact, training_data=faces)


def test_the_faces_are_those_that_the_runs_name(finished_run, faces: Path) -> None:
    own = faces.rename(faces.with_name("own.csv"))
    first, second = finished_run("one"), finished_run("two", seed=1)
    known = describe_data(load_faces(own, None))
    for run in (first, second):
        write_json(run.data, known)
    assert compare_networks(first.artifact, second.artifact, training_data=None)[0].startswith(
        "21 "
    )
    write_json(second.data, {"source": "others.csv", "faces": 9, "sha256": "0" * 64})
    with pytest.raises(ModelError, match=r"two holds a run on other data: 9 faces of others\.csv"):
        compare_networks(first.artifact, second.artifact, training_data=None)


def test_the_faces_are_those_of_the_recipe_where_the_run_names_none(
    finished_run, faces: Path
) -> None:
    own = faces.rename(faces.with_name("own.csv"))
    run = finished_run("one", recipe=f"{RECIPE}\n[data]\npath = '{own}'\n")
    assert compare_networks(run.artifact, run.network, training_data=None)[0].startswith("21 ")
