"""A training leaves an artifact in its run, and a published one if it has learnt anything."""

from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs mien[train]")
pytest.importorskip("tf2onnx", reason="needs mien[train]")

from mien.core.errors import ModelError
from mien.data.synthetic import synthetic_dataset, write_csv
from mien.export.publish import _name_of_logs, train_and_publish
from mien.training.recipe import load_recipe, shipped_recipe

RECIPE = """
title = "A trial"
rationale = "Two steps, at a rate at which nothing is learnt."
status = "selected"

[network]
family = "residual"
stem_filters = 4
filters = [4, 8]
blocks_per_stage = [1, 1]
dropout = 0.1

[split]
validation_fraction = 0.25

[training]
epochs = 1
learning_rate = 1e-9
"""


def test_a_network_no_better_than_chance_is_exported_and_takes_no_other_ones_place(tmp_path: Path):
    recipe, faces = tmp_path / "trial.toml", tmp_path / "train.csv"
    recipe.write_text(RECIPE, encoding="utf-8")
    write_csv(synthetic_dataset(140, seed=1), faces)
    for _ in range(2):  # The second time it has finished, and is only looked at.
        said: list[str] = []
        train_and_publish(
            load_recipe(recipe),
            training_data=faces,
            votes_file=tmp_path / "none",
            runs=tmp_path / "runs",
            results=tmp_path / "results",
            say=said.append,
        )
        assert (tmp_path / "runs" / "trial" / "emotion.onnx").is_file()
        assert not (tmp_path / "results" / "emotion.onnx").exists()
        assert said[-1].endswith("is left as it was: this network is no better than chance")


def test_folders_of_runs_that_are_called_alike_have_logs_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _name_of_logs(Path("results/runs")) == _name_of_logs(tmp_path / "results/runs") == ""
    assert _name_of_logs(Path("results/my_runs")) == "my_runs"
    others = {_name_of_logs(tmp_path / folder / "runs") for folder in ("", "a", "b")}
    assert len(others) == 3
    assert all(name.startswith("runs_") for name in others)


def test_missing_weights_of_a_later_run_are_said_before_the_first(tmp_path: Path):
    (tmp_path / "early.toml").write_text(RECIPE.replace("selected", "candidate"), encoding="utf-8")
    changes = {"network.weights": "nowhere.h5", "split.validation_fraction": 0.25}
    late = shipped_recipe("030").variant("late", changes)
    (tmp_path / "late.toml").write_text(late.text, encoding="utf-8")
    teachers = '[distillation]\nteachers = ["early", "late"]\nweight = 0.5\n'
    (tmp_path / "trial.toml").write_text(f"{RECIPE}\n{teachers}", encoding="utf-8")
    write_csv(synthetic_dataset(140, seed=1), tmp_path / "train.csv")
    said: list[str] = []
    with pytest.raises(ModelError, match=r"There is no file nowhere\.h5"):
        train_and_publish(
            load_recipe(tmp_path / "trial.toml"),
            training_data=tmp_path / "train.csv",
            votes_file=tmp_path / "none",
            runs=tmp_path / "runs",
            results=tmp_path / "results",
            say=said.append,
        )
    assert said == []
    assert not (tmp_path / "runs").exists()
