"""An experiment file says all of a recipe, and a slip in it is named."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("pydantic", reason="needs mien[train]")

from mien.core.errors import ModelError
from mien.training.config import load_experiment, selected_experiment
from mien.training.recipe import load_recipe

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
ASSETS = Path(__file__).parents[2] / "src" / "mien" / "assets"


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_experiment_of_the_repository_is_valid(path: Path) -> None:
    load_experiment(path)


def test_the_networks_that_ship_are_the_selected_ones() -> None:
    shipped = {
        json.loads((ASSETS / name).read_text(encoding="utf-8"))["experiment"]
        for name in ("emotion.json", "temporal.json")
    }
    paths = EXPERIMENTS.glob("*.toml")
    assert {path.stem for path in paths if load_experiment(path).status == "selected"} == shipped
    assert selected_experiment(EXPERIMENTS).stem in shipped


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("title =", "titel =", "titel"),
        ("dense_dropout = 0.5", 'dense_dropout = "half"', "dense_dropout"),
        ("dense_dropout = 0.5", "dense_dropout = 1.5", "dense_dropout"),
        ("filters = [32, 64, 128]", "filters = [32, 64]", "dropout has 3 rates for 2 blocks"),
        ("zoom_fraction", "zoom", "augmentation.zoom"),
        ("[augmentation]", "[training]\nearly_epochs = 5\n\n[augmentation]", 'family = "residual"'),
        ("[augmentation]", "[training]\nseed = -1\n\n[augmentation]", "training.seed"),
        ("[augmentation]", f"[split]\nseed = {2**32}\n\n[augmentation]", "split.seed"),
        ("[network]", "[network", "not a TOML file"),
    ],
    ids=[
        *("unknown key", "wrong type", "out of range", "lengths", "unknown nested key"),
        *("faces too small for the network", "seed", "seed of the split", "syntax"),
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


def test_what_does_not_fit_together_is_said_without_the_whole_table(tmp_path: Path) -> None:
    text = (EXPERIMENTS / "013_warm_restart.toml").read_text(encoding="utf-8")
    path = tmp_path / "slip.toml"
    path.write_text(text.replace('schedule = "cosine"\n', ""), encoding="utf-8")
    with pytest.raises(ModelError) as error:
        load_experiment(path)
    expected = 'training: warmup_epochs needs schedule = "cosine"'
    assert str(error.value) == f"{path} is not a valid experiment. {expected}"


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        (
            "010_residual",
            {"training.early_epochs": 9, "training.early_stopping_patience": 8},
            "may end before it has seen faces of 48 pixels",
        ),
        (
            "009_class_weights",
            {"augmentation.mixup_alpha": 0.2},
            "class_weights goes with neither mixup_alpha nor",
        ),
        ("003_spatial_dropout", {"training.learning_rate": float("inf")}, "training.learning_rate"),
        (
            "032_temporal",
            {"augmentation.rotation_degrees": 5.0, "training.head_epochs": 2},
            r"\[augmentation\], training.head_epochs would change nothing",
        ),
    ],
)
def test_what_would_have_no_effect_or_another_is_refused(
    name: str, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        load_recipe(EXPERIMENTS / f"{name}.toml").variant("other", changes)


@pytest.mark.parametrize(("epochs", "sides", "rising"), [(1, [48], 0), (2, [32, 48], 1)])
def test_every_recipe_may_be_shortened_for_a_trial(
    tmp_path: Path, epochs: int, sides: list[int], rising: int
) -> None:
    text = (EXPERIMENTS / "031_student.toml").read_text(encoding="utf-8")
    path = tmp_path / "short.toml"
    path.write_text(re.sub(r"\nepochs = \d+", f"\nepochs = {epochs}", text), encoding="utf-8")
    training = load_experiment(path).training
    assert training.sides == sides
    assert training.rising_epochs == rising


def test_heads_may_learn_alone_in_all_epochs(tmp_path: Path) -> None:
    text = (EXPERIMENTS / "003_spatial_dropout.toml").read_text(encoding="utf-8")
    path = tmp_path / "heads.toml"
    path.write_text(f"{text}\n[training]\nepochs = 2\nhead_epochs = 5\n", encoding="utf-8")
    assert load_experiment(path).training.head_epochs == 5


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
