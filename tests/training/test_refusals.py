"""What would end in a traceback, or in harm, is one clear line before it."""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pydantic", reason="needs mien[train]")
pytest.importorskip("sklearn", reason="needs mien[train]")

from mien.core import lock
from mien.core.errors import DataError, ModelError, SettingError
from mien.data.synthetic import synthetic_dataset, write_csv
from mien.training.config import SplitConfig, load_experiment, parse_experiment
from mien.training.faces import check_enough, load_faces, split_faces
from mien.training.iterations import iteration_history
from mien.training.lock import locked
from mien.training.provenance import FER2013_FINGERPRINT, check_data, describe_data
from mien.training.recipe import (
    find_recipe,
    load_recipe,
    parse_change,
    parse_changes,
    shipped_recipe,
)
from mien.training.recipe_file import new_recipe
from mien.training.run_folder import RunFolder, write_json
from mien.training.snapshots import (
    damaged_snapshots,
    epochs_of,
    new_snapshot,
    newest_of,
    newest_snapshot,
)
from mien.training.variants import changed, several

ROOT = Path(__file__).parents[2]


def write_snapshot(state: Path, epoch: int) -> Path:
    with new_snapshot(state, epoch) as folder:
        (folder / "state.json").write_text("{}")
        (folder / "model.weights.h5").write_bytes(bytes(1000))
    return state / f"epoch_{epoch:04d}"


@pytest.mark.parametrize("harm", ["cut short", "other bytes", "gone", "no list"])
def test_a_damaged_snapshot_is_passed_over(tmp_path, harm):
    for epoch in (1, 2, 3):
        newest = write_snapshot(tmp_path, epoch)
    assert epochs_of(newest_snapshot(tmp_path)) == 3
    file = newest / ("sha256.json" if harm == "no list" else "model.weights.h5")
    content = file.read_bytes()
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:10] if harm != "other bytes" else b"x" + content[1:])
    assert epochs_of(newest_snapshot(tmp_path)) == 2
    assert damaged_snapshots(tmp_path) == [newest]
    # The run writes that epoch once more.
    write_snapshot(tmp_path, 3)
    assert epochs_of(newest_snapshot(tmp_path)) == 3


def test_the_newest_two_snapshots_are_kept_and_if_both_are_damaged_that_is_said(tmp_path):
    for epoch in (1, 2, 3):
        write_snapshot(tmp_path, epoch)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_0002", "epoch_0003"]
    for file in tmp_path.glob("*/model.weights.h5"):
        file.write_bytes(b"")
    with pytest.raises(ModelError, match=r"epoch_0003 is damaged.*--restart"):
        newest_snapshot(tmp_path)


def test_beyond_9999_epochs_the_newest_snapshot_is_still_the_newest(tmp_path):
    for epoch in (9998, 9999, 10_000, 10_001):
        write_snapshot(tmp_path, epoch)
    assert {path.name for path in tmp_path.iterdir()} == {"epoch_10000", "epoch_10001"}
    assert epochs_of(newest_snapshot(tmp_path)) == 10_001


def test_a_snapshot_of_an_earlier_version_has_no_list(tmp_path):
    folder = tmp_path / "epoch_0007"
    folder.mkdir()
    (folder / "state.json").write_text("{}")
    assert newest_snapshot(tmp_path) == folder


LOCK = """
import sys
from pathlib import Path
from mien.training.lock import locked
from mien.training.run_folder import RunFolder
with locked(RunFolder(Path(sys.argv[1]))):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_a_run_is_trained_by_one_process(tmp_path):
    run = RunFolder(tmp_path / "runs" / "toy")
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, str(run.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(ModelError, match="being trained by another process"), locked(run):
            pass
        other.kill()
    with locked(run):
        pass
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="an open file is not removed there")
def test_a_lock_that_was_removed_meanwhile_is_none(tmp_path, monkeypatch):
    """The one who had it removes it, after this one opened it and before this one locks it."""
    run = RunFolder(tmp_path / "runs" / "toy")
    lock_file = tmp_path / "runs" / ".toy.lock"
    take, taken = lock.lock, []

    def take_late(descriptor):
        if not taken:
            lock_file.unlink()
        taken.append(descriptor)
        take(descriptor)

    monkeypatch.setattr(lock, "lock", take_late)
    with locked(run):
        assert len(taken) == 2
        assert os.path.samestat(lock_file.stat(), os.fstat(taken[1]))
        with pytest.raises(ModelError, match="being trained by another process"), locked(run):
            pass


def test_where_no_lock_can_be_had_a_run_is_trained_all_the_same(tmp_path, monkeypatch):
    def refuse(_descriptor):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "lock", refuse)
    with locked(RunFolder(tmp_path / "runs" / "toy")):
        pass
    assert not list((tmp_path / "runs").iterdir())


def faces_of(path, count):
    write_csv(synthetic_dataset(count, seed=1), path)
    return load_faces(path, None)


def test_too_few_faces_are_refused_and_it_says_what_to_do(tmp_path):
    split = SplitConfig()
    one_of_each = faces_of(tmp_path / "few.csv", 7)
    with pytest.raises(DataError, match=r"7 faces .*none to choose the epoch by.*two pictures of"):
        check_enough(*split_faces(one_of_each, split))
    faces = faces_of(tmp_path / "more.csv", 14)
    check_enough(*split_faces(faces, split))
    with pytest.raises(DataError, match=r"no face of neutral to train on"):
        check_enough(*split_faces(faces.take(faces.labels < 6), split))


def test_faces_that_are_few_for_folds_are_refused(tmp_path):
    faces = faces_of(tmp_path / "few.csv", 14)
    with pytest.raises(DataError, match="No class has more than 2 faces; expected at least 5"):
        split_faces(faces, SplitConfig(folds=5, fold=1))


def test_a_network_that_leaves_nothing_of_the_faces_is_refused():
    recipe = (ROOT / "experiments" / "028_face_features.toml").read_text(encoding="utf-8")
    recipe = recipe.replace("blocks = 13", "blocks = 14").replace("side = 112", "side = 48")
    with pytest.raises(ModelError, match="faces of 48 pixels are gone before block 14"):
        parse_experiment(recipe, "028.toml")


@pytest.fixture
def own_pictures(tmp_path, monkeypatch):
    """Enter a folder with a recipe `faces.toml`, whose data are the folder `faces`."""
    monkeypatch.chdir(tmp_path)
    for name in ("angry", "happy"):
        (tmp_path / "faces" / name).mkdir(parents=True)
        (tmp_path / "faces" / name / "1.png").write_bytes(b"picture")
    changes = {"data.path": "faces", "classes.names": ["angry", "happy"]}
    Path("faces.toml").write_text(
        shipped_recipe("003").variant("faces", changes).text, encoding="utf-8"
    )
    temporal = load_recipe(ROOT / "experiments" / "032_temporal.toml")
    Path("clips.toml").write_text(
        temporal.variant("clips", {"data.path": "faces"}).text, encoding="utf-8"
    )
    return sorted(path for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "faces.toml", "--runs", "."], "is, holds or lies in the training data faces"),
        (["train", "faces.toml", "--runs", "faces"], "is, holds or lies in"),
        (["train", "faces.toml", "--data", "faces/happy", "--runs", "."], "is, holds or lies in"),
        (["train", "clips.toml", "--runs", "faces"], "is, holds or lies in"),
        (["finetune", "faces", "--name", "happy", "--runs", "faces"], "is, holds or lies in"),
        (["finetune", "faces", "--results", "faces"], "is, holds or lies in"),
        (["finetune", "faces", "--name", "letters", "--runs", "."], "holds no run of mien"),
    ],
)
def test_no_training_throws_away_the_pictures_or_other_files(
    own_pictures, tmp_path, capsys, words, message
):
    pytest.importorskip("keras", reason="needs mien[train]")
    from mien.cli import main

    letter = tmp_path / "letters" / "to_anna.txt"
    letter.parent.mkdir()
    letter.write_text("Dear Anna")
    with pytest.raises(SystemExit) as exit_:
        main([*words, "--restart"])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
    left = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert left == sorted([*own_pictures, letter])


@pytest.mark.parametrize("removals", range(8))
def test_of_a_run_whose_removal_is_killed_no_other_recipe_goes_on(tmp_path, monkeypatch, removals):
    pytest.importorskip("keras", reason="needs mien[train]")
    from mien.training.job import TrainingJob, check_folders, check_recipe, prepare_run_folder

    run = RunFolder(tmp_path / "run")
    recipe = shipped_recipe("000")
    for state in (run.state, run.paused):
        write_snapshot(state, 7)
    for path in (run.recipe, run.data, run.network, run.history):
        path.write_text("{}")
    run.recipe.write_text(recipe.text, encoding="utf-8")
    left = [removals]

    def killed_after(remove):
        def stand_in(path, *arguments, **options):
            if Path(path).parent == run.path:
                if left[0] == 0:
                    raise KeyboardInterrupt
                left[0] -= 1
            return remove(path, *arguments, **options)

        return stand_in

    monkeypatch.setattr("shutil.rmtree", killed_after(shutil.rmtree))
    monkeypatch.setattr(Path, "unlink", killed_after(Path.unlink))

    def job(recipe, *, restart):
        return TrainingJob(
            recipe=recipe,
            training_data=tmp_path / "train.csv",
            votes_file=tmp_path / "votes.csv",
            run=run,
            log_folder=tmp_path / "logs",
            say=print,
            restart=restart,
        )

    other = changed(recipe, parse_changes(["training.learning_rate=0.5"]))
    with contextlib.suppress(KeyboardInterrupt):
        prepare_run_folder(job(other, restart=True))
    monkeypatch.undo()
    with contextlib.suppress(ModelError):  # It is still known as another recipe's.
        check_recipe(job(other, restart=False))
        assert not run.is_finished
        assert newest_of(run.state, run.paused) is None
    # It is still known as a run.
    check_folders(job(other, restart=True))
    prepare_run_folder(job(other, restart=True))
    assert [path.name for path in run.path.iterdir()] == ["experiment.toml"]


def test_a_training_without_restart_writes_no_run_among_the_pictures(own_pictures, capsys):
    pytest.importorskip("keras", reason="needs mien[train]")
    from mien.cli import main

    with pytest.raises(SystemExit) as exit_:
        main(["train", "faces.toml", "--runs", "."])
    assert exit_.value.code == 2
    assert "is, holds or lies in the training data faces" in capsys.readouterr().err
    assert sorted(path for path in Path.cwd().rglob("*") if path.is_file()) == own_pictures


def test_a_bad_neighbour_does_not_end_the_table(tmp_path):
    recipe = (ROOT / "experiments" / "000_baseline.toml").read_text(encoding="utf-8")
    experiments, runs = tmp_path / "experiments", tmp_path / "runs"
    experiments.mkdir()
    (experiments / "000.toml").write_text(recipe, encoding="utf-8")
    (experiments / "100.toml").write_text("[network", encoding="utf-8")
    (experiments / "test_scores.jsonl").write_text("\n", encoding="utf-8")
    run = RunFolder(runs / "000")
    run.path.mkdir(parents=True)
    run.write_metrics({"experiment": "000", "test": {}})
    _, run_row, gap, problem = iteration_history(experiments, runs)
    assert run_row.split() == ["000", "not", "run"]
    assert not gap
    assert problem.startswith("100 ")
    assert "cannot be read: " in problem


def test_a_run_remembers_its_faces_whatever_file_they_lie_in(tmp_path):
    run = RunFolder(tmp_path / "run")
    faces = faces_of(tmp_path / "train.csv", 70)
    write_json(run.data, describe_data(faces))
    check_data(faces_of(tmp_path / "renamed.csv", 70), run)
    for others in (faces.take(faces.labels < 6), faces_of(tmp_path / "more.csv", 77)):
        with pytest.raises(
            ModelError, match=r"holds a run on other data: 70 faces of .*train\.csv"
        ):
            check_data(others, run)


def test_runs_on_other_faces_stand_apart(tmp_path):
    recipe = (ROOT / "experiments" / "000_baseline.toml").read_text(encoding="utf-8")
    experiments, runs = tmp_path / "experiments", tmp_path / "runs"
    experiments.mkdir()
    metrics = {"parameters": 1, "epochs": 2, "training_minutes": 3.0, "validation_accuracy": 0.5}
    for name, sha256 in (("ours", FER2013_FINGERPRINT), ("foreign", "0" * 64)):
        (experiments / f"{name}.toml").write_text(recipe, encoding="utf-8")
        run = RunFolder(runs / name)
        run.path.mkdir(parents=True)
        run.recipe.write_text(recipe, encoding="utf-8")
        run.write_metrics({"experiment": name, **metrics})
        write_json(run.data, {"source": "x", "faces": 9, "sha256": sha256})
    history = iteration_history(experiments, runs)
    assert [line.split()[0] for line in history if line] == [
        "experiment",
        "foreign",
        "ours",
        "On",
        "foreign",
    ]
    assert "50.0%" not in history[1]


def test_recipes_ship_and_can_be_copied_changed_and_repeated(tmp_path):
    path = new_recipe("100_own", Path("003"), tmp_path / "experiments")
    own = load_recipe(path)
    assert own.experiment.status == "candidate"
    assert own.experiment.network == shipped_recipe("003").experiment.network
    with pytest.raises(SettingError, match="already"):
        new_recipe("100_own", Path("003"), tmp_path / "experiments")
    with pytest.raises(ModelError, match="mien ships no recipe '777'"):
        find_recipe(Path("777"))
    faster = changed(own, dict([parse_change("training.learning_rate=0.01")]))
    assert faster.name == "100_own,learning_rate=0.01"
    assert faster.experiment.training.learning_rate == 0.01
    assert parse_experiment(faster.text, "text") == faster.experiment
    names = [recipe.name for recipe in several(own, seeds=2, folds=2)]
    assert names == [f"100_own_fold{fold}of2_seed{seed}" for fold in (1, 2) for seed in (0, 1)]
    with pytest.raises(ModelError, match=r"training\.learning_rat"):
        changed(own, dict([parse_change("training.learning_rat=0.01")]))
    with pytest.raises(SettingError, match="expected KEY=VALUE"):
        parse_change("learning_rate")
    with pytest.raises(SettingError, match="expected one KEY=VALUE"):
        parse_change("training.epochs=2\nseed = 3")
    with pytest.raises(SettingError, match=r"training\.seed is given twice, 1 and 2"):
        parse_changes(["training.seed=1", "training.seed=2"])
    with pytest.raises(SettingError, match="bytes, and files of it have room for"):
        changed(own, {"distillation.teachers": ["a" * 300]})


def test_a_recipe_is_copied_however_it_is_written(tmp_path):
    text = find_recipe(Path("003")).text
    assert 'status = "candidate"' in text or 'status = "rejected"' in text
    lines = [line for line in text.split("\n") if not line.startswith(("finding", "status"))]
    origin = tmp_path / "origin.toml"
    head = """status = 'selected'  # It ships.
finding = \'\'\'
On several lines,
[training] = "with what looks like TOML"
\'\'\'
"""
    origin.write_text(head + "\n".join(lines), encoding="utf-8")
    assert load_recipe(origin).experiment.status == "selected"
    path = new_recipe("100_own", origin, tmp_path)
    own, expected = load_recipe(path).experiment, load_recipe(origin).experiment
    assert own == expected.model_copy(update={"status": "candidate", "finding": ""})
    assert path.read_text(encoding="utf-8").endswith("\n".join(lines))


def test_a_recipe_is_copied_without_what_training_needs(tmp_path):
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['tomli_w', 'keras', 'scipy', 'sklearn'])); "
        "from mien.cli import main; main(['experiments', 'new', '100_own'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "mien train experiments/100_own.toml" in done.stdout.replace(os.sep, "/")
    assert load_recipe(tmp_path / "experiments" / "100_own.toml").name == "100_own"


def test_fine_tuning_starts_from_a_network_of_the_same_shape():
    """The recipe repeats [network] of the experiment that the shipped network comes from."""
    sidecar = json.loads((ROOT / "src/mien/assets/emotion.json").read_text(encoding="utf-8"))
    shipped = load_experiment(ROOT / "experiments" / f"{sidecar['experiment']}.toml")
    assert shipped_recipe("finetune").experiment.network == shipped.network


@pytest.mark.parametrize(
    ("words", "environment", "message"),
    [
        (["train"], {}, "There is no folder experiments here"),
        (["experiments"], {}, "There is no folder experiments here"),
        (["train", "003"], {}, "data/train.csv"),
        (["train", "003"], {"KERAS_BACKEND": "nothing"}, "set KERAS_BACKEND to tensorflow"),
        (["finetune", "nowhere"], {}, "There is no nowhere"),
    ],
    ids=["another folder", "no recipes", "no faces", "no backend", "no folder"],
)
def test_what_is_missing_is_one_line(tmp_path, words, environment, message):
    done = subprocess.run(
        [sys.executable, "-m", "mien", *words],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
