"""An experiment file says all of a recipe, and a slip in it is named."""

from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.errors import ModelError
from mien.training.config import load_experiment, selected_experiment

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_experiment_of_the_repository_is_valid(path: Path) -> None:
    load_experiment(path)


def test_one_experiment_is_selected() -> None:
    assert selected_experiment(EXPERIMENTS).exists()


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("title =", "titel =", "titel"),
        ("dense_dropout = 0.5", 'dense_dropout = "half"', "dense_dropout"),
        ("dense_dropout = 0.5", "dense_dropout = 1.5", "dense_dropout"),
        ("filters = [32, 64, 128]", "filters = [32, 64]", "dropout has 3 rates for 2 blocks"),
        ("zoom_fraction", "zoom", "augmentation.zoom"),
        ("[augmentation]", "[training]\nearly_epochs = 9\n\n[augmentation]", 'family = "residual"'),
        ("[augmentation]", "[training]\nseed = -1\n\n[augmentation]", "training.seed"),
        ("[network]", "[network", "not a TOML file"),
    ],
    ids=[
        *("unknown key", "wrong type", "out of range", "lengths", "unknown nested key"),
        *("faces too small for the network", "seed", "syntax"),
    ],
)
def test_a_slip_is_named(tmp_path: Path, before: str, after: str, named: str) -> None:
    text = (EXPERIMENTS / "003_spatial_dropout.toml").read_text(encoding="utf-8")
    assert before in text
    path = tmp_path / "slip.toml"
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(ModelError, match=r"slip\.toml") as error:
        load_experiment(path)
    assert named in str(error.value)


def test_stages_without_blocks_are_named(tmp_path: Path) -> None:
    text = (EXPERIMENTS / "010_residual.toml").read_text(encoding="utf-8")
    path = tmp_path / "slip.toml"
    assert "\nblocks_per_stage = [1, 1, 1, 1]\n" in text
    path.write_text(text.replace("[1, 1, 1, 1]", "[1, 1, 1]"), encoding="utf-8")
    with pytest.raises(ModelError, match="filters has 4 stages, blocks_per_stage 3"):
        load_experiment(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no experiment file .*nothing\.toml"):
        load_experiment(tmp_path / "nothing.toml")
