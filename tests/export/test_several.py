"""Of several runs one that fails is named, and those before it are kept."""

from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs mien[train]")
pytest.importorskip("tf2onnx", reason="needs mien[train]")

from mien.core.errors import ModelError
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
