"""Of several runs one that fails is named; those before it are kept, and chance ends nothing."""

import json
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs mien[train]")
pytest.importorskip("tf2onnx", reason="needs mien[train]")

from mien.core.errors import ChanceError, ModelError
from mien.export import several as several_runs
from mien.export.several import train_several
from mien.training.recipe import shipped_recipe
from mien.training.variants import several


def test_the_fold_that_failed_is_named(monkeypatch, tmp_path: Path) -> None:
    trained: list[str] = []

    def train(recipe, **_: object) -> None:
        if recipe.name.endswith("fold2of3"):
            raise ModelError("Its run is on other faces.")
        trained.append(recipe.name)

    monkeypatch.setattr(several_runs, "train_and_publish", train)
    with pytest.raises(ModelError) as error:
        train_several(
            several(shipped_recipe("003"), seeds=1, folds=3),
            training_data=None,
            votes_file=tmp_path / "none",
            runs=tmp_path,
            results=tmp_path,
            say=trained.append,
        )
    assert trained == ["003_spatial_dropout_fold1of3"]
    assert str(error.value) == (
        "003_spatial_dropout_fold2of3, run 2 of 3, failed: Its run is on other faces. "
        "Finished before it, and kept: 1. The same command goes on."
    )


@pytest.mark.parametrize("failing", [1, 3])
def test_folds_that_are_no_better_than_chance_are_named_and_counted(
    failing: int, monkeypatch, tmp_path: Path
) -> None:
    folds = several(shipped_recipe("003"), seeds=1, folds=3)

    def train(recipe, **_: object) -> None:
        (tmp_path / recipe.name).mkdir()
        figures = {"experiment": recipe.name, "held_out_accuracy": 0.5}
        (tmp_path / recipe.name / "metrics.json").write_text(json.dumps(figures))
        if recipe in folds[:failing]:
            raise ChanceError("It is no better than chance.")

    def train_all() -> None:
        train_several(
            folds,
            training_data=None,
            votes_file=tmp_path / "none",
            runs=tmp_path,
            results=tmp_path,
            say=said.append,
        )

    said: list[str] = []
    monkeypatch.setattr(several_runs, "train_and_publish", train)
    if failing == len(folds):
        with pytest.raises(ChanceError, match="None of the 3 runs is better than chance"):
            train_all()
    else:
        train_all()
        assert said[-1] == ("Not exported, as no better than chance: 003_spatial_dropout_fold1of3")
    assert said[0] == "003_spatial_dropout_fold1of3, run 1 of 3: It is no better than chance."
    assert "mean and standard deviation of 3 runs" in said[failing]
