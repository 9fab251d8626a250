"""Somebody's own faces, under German names, several of a person, through every door."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")
pytest.importorskip("tf2onnx", reason="needs mien[train]")

from mien.classifier.classifier import Classifier
from mien.cli import main
from mien.core.artifact import load_artifact
from mien.core.errors import DataError, ModelError, SettingError
from mien.data.infer_classes import infer_classes
from mien.data.synthetic import synthetic_dataset
from mien.training.config import load_experiment
from mien.training.faces import held_out_faces, load_faces, split_faces
from mien.training.recipe import load_recipe, shipped_recipe
from mien.training.variants import for_own_faces, several

GERMAN = ("Wut", "Ekel", "Furcht", "Freude", "Trauer", "Überraschung", "Ruhe", "Verachtung")
PERSONS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight classes, twelve faces each; of every class two pictures of each of six persons."""
    folder = tmp_path_factory.mktemp("own") / "Gesichter"
    drawn = synthetic_dataset(7 * 24, seed=3)
    for label, name in enumerate(GERMAN):
        # Contempt is drawn as a neutral face that is turned upside down.
        of_class = drawn.faces_u8[drawn.labels == min(label, 6)]
        for number, face in enumerate(of_class[:12] if label < 7 else of_class[12:, ::-1]):
            person = folder / name / f"Person {number % PERSONS}"
            person.mkdir(parents=True, exist_ok=True)
            picture = cv2.resize(cv2.cvtColor(face, cv2.COLOR_GRAY2BGR), (60 + number, 70))
            # OpenCV cannot write to such names on every system.
            (person / f"Bild {number}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    return folder


def run(*words):
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in words])
    return exit_.value.code or 0


def test_the_classes_are_those_of_the_folder(folder):
    assert infer_classes(folder).names == tuple(sorted(GERMAN))


def test_names_of_other_data_sets_become_the_emotions_of_fer2013(tmp_path):
    for name in ("anger", "Happy", "neutral"):
        (tmp_path / name).mkdir()
    classes = infer_classes(tmp_path)
    assert classes.names == ("angry", "happy", "neutral")
    assert [classes.label_of(name) for name in ("anger", "Happy", "neutral")] == [0, 1, 2]


def test_digits_are_those_of_fer2013(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("label;image\n3;a.png\n6;b.png\n3;c.png\n")
    classes = infer_classes(path)
    assert classes.names == ("happy", "neutral")
    assert (classes.label_of("3"), classes.label_of("6")) == (0, 1)


def recipe_for(folder, **options):
    options = {"groups": "", "name": None, "changes": {}} | options
    return for_own_faces(shipped_recipe("finetune"), folder, **options)


def test_a_recipe_with_a_vote_head_is_for_own_faces_without_it(folder):
    votes = shipped_recipe("003").variant("votes", {"training.vote_weight": 1.0})
    with pytest.raises(ModelError, match="vote_weight"):
        for_own_faces(votes, folder, groups="", name="own", changes={})
    without = {"training.vote_weight": 0.0, "training.epochs": 2}
    own = for_own_faces(votes, folder, groups="", name="own", changes=without)
    assert own.name == "own,vote_weight=0.0,epochs=2"
    assert own.experiment.class_table.names == tuple(sorted(GERMAN))


def test_a_person_is_on_one_side_of_every_split(folder):
    recipe = recipe_for(folder)
    for one in [recipe, *several(recipe, seeds=1, folds=3)]:
        experiment = one.experiment
        faces = load_faces(folder, None, experiment.class_table)
        parts = [*split_faces(faces, experiment.split), held_out_faces(faces, experiment.split)]
        persons = [set(part.groups.tolist()) for part in parts if part is not None]
        assert sum(map(len, persons)) == len(set.union(*persons)) == PERSONS
        assert sum(len(part.labels) for part in parts if part is not None) <= len(faces.labels)


def test_every_face_is_held_out_once(folder):
    held = [
        held_out_faces(load_faces(folder, None, one.experiment.class_table), one.experiment.split)
        for one in several(recipe_for(folder), seeds=1, folds=3)
    ]
    assert sum(len(part.labels) for part in held) == 8 * 12


def test_more_folds_than_persons_are_refused(folder):
    recipe = several(recipe_for(folder), seeds=1, folds=7)[0]
    faces = load_faces(folder, None, recipe.experiment.class_table)
    with pytest.raises(DataError, match="Found 6 groups; expected at least 7"):
        split_faces(faces, recipe.experiment.split)


def test_fine_tuning_ends_in_an_artifact_with_her_labels(
    folder, tmp_path, monkeypatch, capsys, faces_of
):
    monkeypatch.chdir(tmp_path)
    folder = shutil.copytree(folder, tmp_path / "Gesichter")  # one picture of it goes away below
    words = ["--set", "training.epochs=3", "--set", "training.head_epochs=2"]
    (folder / "Freude" / "notes.txt").write_text("no picture")
    assert run("finetune", folder, "--name", "mine", *words) == 0
    out = capsys.readouterr().out
    skipped = "1 of 97 pictures were skipped: not a picture that can be read ("
    assert skipped in out
    assert "mien live --model" in out
    (run_folder,) = (tmp_path / "results" / "runs").glob("mine*")
    artifact = load_artifact(run_folder / "emotion.onnx")
    assert artifact.reading().labels == tuple(sorted(GERMAN))
    recipe = load_experiment(run_folder / "experiment.toml")
    assert (recipe.data.path, recipe.training.epochs) == (str(folder), 3)
    faces = load_faces(folder, None, recipe.class_table)
    answers = Classifier(artifact).classify(faces.faces_u8).probabilities
    assert np.mean(answers.argmax(axis=1) == faces.labels) > 0.3

    # The doors.
    picture = next(folder.glob("Freude/*/*.png"))
    table = tmp_path / "table.csv"
    model = ["--model", artifact.onnx_path, "--detector", "haar"]
    assert run("image", picture, "--csv", table, *model) == 0
    assert "Überraschung" in table.read_text(encoding="utf-8").splitlines()[0]
    assert run("evaluate", "--model", artifact.onnx_path, "--data", folder) == 0
    assert "Verachtung" in capsys.readouterr().out
    assert run("quantise", artifact.onnx_path) == 0
    out = capsys.readouterr().out
    assert "validation faces" in out
    assert skipped in out
    # The quantised one knows as well what it has learnt.
    for quantised in (artifact.onnx_path, "results/int8/emotion.onnx"):
        assert run("evaluate", "--model", quantised, "--data", folder) == 0
        assert "these are no figures of a test" in capsys.readouterr().err
        assert run("evaluate", "--model", quantised) == 2
        assert "not from FER2013" in capsys.readouterr().err
    assert run("compare", artifact.onnx_path, artifact.onnx_path) == 0
    assert skipped in capsys.readouterr().out
    # What is finished is said, and not trained again; other faces are refused.
    assert run("finetune", folder, "--name", "mine", *words) == 0
    assert "finished" in capsys.readouterr().out
    next(folder.glob("Freude/*/*.png")).rename(tmp_path / "away.png")
    assert run("finetune", folder, "--name", "mine", *words) == 2
    assert "holds a run on other data: 96 faces of" in capsys.readouterr().err


def test_folds_are_trained_and_their_spread_is_said(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = load_recipe(Path(__file__).parents[2] / "experiments" / "000_baseline.toml")
    changes = {
        "classes.names": sorted(GERMAN),
        "data.path": str(folder),
        "network.filters": [8, 16],
        "network.dense_units": [32],
        "network.dense_dropout": 0.0,
        "split.validation_fraction": 0.3,
        "training.epochs": 12,
        "training.early_stopping_patience": 12,
        "training.batch_size": 16,
        "training.learning_rate": 0.01,
    }
    (tmp_path / "small.toml").write_text(small.variant("small", changes).text, encoding="utf-8")
    assert run("train", "small.toml", "--folds", 2) == 0
    assert "accuracy on what is held out: " in capsys.readouterr().out
    metrics = json.loads((tmp_path / "results/runs/small_fold1of2/metrics.json").read_text())
    assert metrics["held_out_faces"] == 48


def test_folders_whose_names_have_dots_have_runs_of_their_own(folder, tmp_path):
    names = set()
    for name in ("faces.v1", "faces.v2"):
        shutil.copytree(folder, tmp_path / name)
        names.add(recipe_for(tmp_path / name).name)
    assert names == {"own_faces.v1", "own_faces.v2"}


def test_changes_of_two_keys_of_one_name_have_names_of_their_own(folder):
    names = {recipe_for(folder, changes={key: 2}).name for key in ("training.seed", "split.seed")}
    assert len(names) == 2
    with pytest.raises(SettingError, match="no name of a run"):
        recipe_for(folder, name="..")
