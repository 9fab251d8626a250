"""The table of experiments is filled from runs that were really done, and from nothing else."""

import json
import shutil
from pathlib import Path

import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from mien.core.errors import DataError, OutputError
from mien.training.architecture import write_architecture_report
from mien.training.config import load_experiment
from mien.training.curves import redraw_learning_curves
from mien.training.iterations import iteration_history
from mien.training.run_folder import RunFolder

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    folder = tmp_path / "experiments"
    folder.mkdir()
    for name in ("000_baseline", "003_spatial_dropout"):
        shutil.copy(EXPERIMENTS / f"{name}.toml", folder)
    return folder


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A folder such as a finished run of 003 leaves."""
    folder = tmp_path / "runs" / "003_spatial_dropout"
    folder.mkdir(parents=True)
    metrics = {
        "experiment": "003_spatial_dropout",
        "parameters": 1470247,
        "epochs": 51,
        "training_minutes": 65.0,
        "validation_accuracy": 0.655,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    return folder


def test_an_experiment_without_a_run_says_so(experiments: Path, run_folder: Path) -> None:
    _, baseline, selected = iteration_history(experiments, run_folder.parent)
    assert baseline.split() == ["000_baseline", "not", "run"]
    assert selected.split()[1:7] == ["1,470,247", "51", "65.0", "65.5%", "-", "-"]


def test_test_figures_come_from_the_ledger(experiments: Path, run_folder: Path) -> None:
    entry = {"experiment": "003_spatial_dropout", "accuracy": 0.6553, "macro_f1": 0.598}
    (experiments / "test_scores.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    _, _, selected = iteration_history(experiments, run_folder.parent)
    assert selected.split()[5:7] == ["65.5%", "0.598"]


def test_a_run_that_was_trained_anew_is_not_shown_with_its_former_test_figures(
    experiments: Path, run_folder: Path
) -> None:
    entry = {"experiment": "003_spatial_dropout", "accuracy": 0.6553, "macro_f1": 0.598}
    former, newest = ({**entry, "sha256": sha256} for sha256 in ("former", "newest"))
    newest["accuracy"] = 0.6612
    sidecar = RunFolder(run_folder).sidecar
    sidecar.write_text(json.dumps({"sha256": "newest"}), encoding="utf-8")

    def test_column(*looks: dict[str, object]) -> str:
        lines = "".join(json.dumps(look) + "\n" for look in looks)
        (experiments / "test_scores.jsonl").write_text(lines, encoding="utf-8")
        return iteration_history(experiments, run_folder.parent)[2].split()[5]

    assert test_column(former) == "-"
    assert test_column(newest, former) == "66.1%"


def test_temporal_networks_stand_apart(tmp_path: Path) -> None:
    experiments, runs = tmp_path / "experiments", tmp_path / "runs"
    experiments.mkdir()
    shipped = Path(__file__).parents[2] / "experiments"
    for name in ("000_baseline", "032_temporal"):
        recipe = (shipped / f"{name}.toml").read_text(encoding="utf-8")
        (experiments / f"{name}.toml").write_text(recipe, encoding="utf-8")
    metrics = {
        "experiment": "032_temporal",
        "parameters": 19376,
        "epochs": 12,
        "training_minutes": 1.6,
        "validation_accuracy": 0.84675,
        "validation_clip_accuracy": 0.83,
    }
    (runs / "032_temporal").mkdir(parents=True)
    (runs / "032_temporal" / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    entry = {"experiment": "032_temporal", "accuracy": 0.822, "macro_f1": 0.656}
    entry |= {"clip_accuracy": 0.788, "clip_macro_f1": 0.628}
    (experiments / "test_scores.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf-8")
    lines = iteration_history(experiments, runs)
    gap = lines.index("")
    assert [line.split()[0] for line in lines[:gap]] == ["experiment", "000_baseline"]
    assert lines[gap + 1].startswith("Temporal networks: the shares of time steps")
    (row,) = (line for line in lines[gap:] if line.startswith("032_temporal"))
    assert row.split()[1:8] == ["19,376", "12", "1.6", "84.7%", "83.0%", "82.2%", "78.8%"]
    # So they do among the runs on other data.
    run = RunFolder(runs / "032_temporal")
    shutil.copyfile(experiments / "032_temporal.toml", run.recipe)
    run.data.write_text('{"source": "own", "sha256": "0", "faces": 3}', encoding="utf-8")
    lines = iteration_history(experiments, runs)
    headings = [at for at, line in enumerate(lines) if line.startswith("Temporal networks")]
    assert [lines[at - 1] for at in headings] == ["", ""]


def test_what_is_learnt_of_another_networks_weights_is_said_as_the_recipe_has_it(
    tmp_path: Path,
) -> None:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    figures = ("validation_accuracy", "validation_loss", "training_minutes")
    counts = ("parameters", "multiply_adds", "chosen_epoch", "epochs")
    metrics = {"experiment": "x", **dict.fromkeys(figures, 0.5), **dict.fromkeys(counts, 1)}

    def report(recipe: Path, **changed: float) -> str:
        experiment = load_experiment(recipe)
        training = experiment.training.model_copy(update=changed)
        experiment = experiment.model_copy(update={"training": training})
        run = RunFolder(tmp_path)
        write_architecture_report(model, experiment, metrics, run, experiments=tmp_path)
        return run.architecture.read_text(encoding="utf-8")

    finetune = EXPERIMENTS.parent / "src" / "mien" / "assets" / "recipes" / "finetune.toml"
    taught = report(finetune)
    assert "- Its first weights are those of the network that ships, a warm restart." in taught
    published = EXPERIMENTS / "029_efficientnet_lite0.toml"
    for recipe in (finetune, published):
        said = report(recipe)
        assert "the heads learn alone" in said
        assert "rates fall towards the input" in said
        said = report(recipe, head_epochs=0, input_rate_factor=1.0)
        assert "the heads learn alone" not in said
        assert "rates fall towards the input" not in said
    assert "- It starts from published weights" in report(published)


def test_curves_of_a_run_that_has_not_finished_are_refused(run_folder: Path) -> None:
    with pytest.raises(DataError, match=r"There is no .*history\.json"):
        redraw_learning_curves(RunFolder(run_folder))


@pytest.mark.parametrize("content", ['{"epoch": [1, 2], "accu', "[]", '{"epoch": [1, 2]}'])
def test_curves_of_a_damaged_history_are_refused(run_folder: Path, content: str) -> None:
    run = RunFolder(run_folder)
    run.history.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"history\.json is damaged: expected .*val_accuracy"):
        redraw_learning_curves(run)


def test_curves_do_not_take_the_place_of_what_they_are_drawn_from(run_folder: Path) -> None:
    run = RunFolder(run_folder)
    run.history.write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match=r"history\.json is an input and would be overwritten"):
        redraw_learning_curves(run, run.history)
    assert run.history.read_text(encoding="utf-8") == "{}"


def test_a_variant_of_a_recipe_has_a_row_though_it_has_no_file(
    experiments: Path, run_folder: Path
) -> None:
    variant = run_folder.parent / "000_baseline,learning_rate=0.01"
    shutil.copytree(run_folder, variant)
    shutil.copyfile(experiments / "000_baseline.toml", variant / "experiment.toml")
    lines = iteration_history(experiments, run_folder.parent)
    (row,) = (line for line in lines if line.startswith(variant.name))
    assert "not run" not in row
    # Outside the repository there are runs alone.
    assert any(
        line.startswith(variant.name)
        for line in iteration_history(run_folder / "none", run_folder.parent)
    )


@pytest.mark.parametrize("name", ["experiment.toml", "data.json", "metrics.json", "emotion.json"])
def test_a_damaged_run_of_somebody_else_is_told_and_ends_nothing(
    experiments: Path, run_folder: Path, name: str
) -> None:
    other = run_folder.parent / "other"
    other.mkdir()
    recipe = (experiments / "000_baseline.toml").read_text(encoding="utf-8")
    (other / "experiment.toml").write_text(recipe, encoding="utf-8")
    (other / "data.json").write_text('{"source": "own", "sha256": "0", "faces": 3}')
    (other / name).write_text("key_of_tomorrow = 1 {")
    ledger = experiments / "test_scores.jsonl"
    conflict = "<<<<<<< ours\n" + ledger.read_text(encoding="utf-8") if ledger.exists() else "<<<\n"
    ledger.write_text(conflict, encoding="utf-8")
    lines = iteration_history(experiments, run_folder.parent)
    assert any(line.startswith("other ") and "cannot be read" in line for line in lines)
    assert any("test_scores.jsonl, line 1, is no evaluation" in line for line in lines)
    assert any(line.startswith("000_baseline") for line in lines)
