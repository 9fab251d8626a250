"""What a run learns from is trained before it, and nothing that has finished once more."""

from pathlib import Path

import pytest

pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.errors import ModelError
from mien.training.order import recipes_in_order
from mien.training.recipe import Recipe, load_recipe
from mien.training.run_folder import RunFolder

RECIPE = (Path(__file__).parents[2] / "experiments" / "010_residual.toml").read_text(
    encoding="utf-8"
)


def write_recipe(folder: Path, name: str, *, teachers: list[str], split: str = "") -> Recipe:
    path = folder / f"{name}.toml"
    lessons = f"\n[distillation]\nteachers = {teachers}\nweight = 0.5\n" if teachers else ""
    path.write_text(f"{RECIPE}\n[split]\n{split}\n{lessons}", encoding="utf-8")
    return load_recipe(path)


def names(recipes: list[Recipe]) -> list[str]:
    return [recipe.name for recipe in recipes]


def test_teachers_come_first_and_each_once(tmp_path: Path) -> None:
    write_recipe(tmp_path, "old", teachers=[])
    write_recipe(tmp_path, "one", teachers=["old"])
    write_recipe(tmp_path, "two", teachers=["old"])
    student = write_recipe(tmp_path, "student", teachers=["one", "two"])
    assert names(recipes_in_order(student, tmp_path)) == ["old", "one", "two", "student"]


def test_finished_runs_are_not_trained_again(tmp_path: Path) -> None:
    write_recipe(tmp_path, "one", teachers=["gone"])
    student = write_recipe(tmp_path, "student", teachers=["one"])
    finished = RunFolder(tmp_path / "runs" / "one")
    finished.path.mkdir(parents=True)
    finished.network.touch()
    assert names(recipes_in_order(student, tmp_path / "runs")) == ["student"]


def test_a_finished_run_needs_nobody(tmp_path: Path) -> None:
    write_recipe(tmp_path, "one", teachers=[])
    student = write_recipe(tmp_path, "student", teachers=["one"])
    finished = RunFolder(tmp_path / "runs" / "student")
    finished.path.mkdir(parents=True)
    finished.network.touch()
    assert names(recipes_in_order(student, tmp_path / "runs")) == ["student"]
    anew = recipes_in_order(student, tmp_path / "runs", restart=True)
    assert names(anew) == ["one", "student"]


def test_a_teacher_without_a_recipe_is_named(tmp_path: Path) -> None:
    student = write_recipe(tmp_path, "student", teachers=["gone"])
    with pytest.raises(ModelError, match=r"no experiment file .*gone\.toml"):
        recipes_in_order(student, tmp_path)


def test_runs_that_need_each_other_are_named(tmp_path: Path) -> None:
    write_recipe(tmp_path, "one", teachers=["two"])
    path = write_recipe(tmp_path, "two", teachers=["one"])
    with pytest.raises(ModelError, match="two needs one needs two: no run can be the first"):
        recipes_in_order(path, tmp_path)


def test_a_teacher_of_another_split_is_refused_before_it_trains(tmp_path: Path) -> None:
    write_recipe(tmp_path, "one", teachers=[], split="seed = 1")
    student = write_recipe(tmp_path, "student", teachers=["one"])
    with pytest.raises(ModelError, match="one trains on faces that would choose"):
        recipes_in_order(student, tmp_path)


@pytest.mark.parametrize("folder", ["state", "paused"])
def test_a_run_that_knows_what_its_teachers_answered_needs_them_no_more(
    tmp_path: Path, folder: str
) -> None:
    write_recipe(tmp_path, "one", teachers=[])
    student = write_recipe(tmp_path, "student", teachers=["one"])
    answers = tmp_path / "runs" / "student" / folder / "taught.npy"
    answers.parent.mkdir(parents=True)
    answers.touch()
    assert names(recipes_in_order(student, tmp_path / "runs")) == ["student"]
    anew = recipes_in_order(student, tmp_path / "runs", restart=True)
    assert names(anew) == ["one", "student"]
