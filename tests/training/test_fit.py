"""A run that is killed goes on where it was, and chooses the epoch it would have chosen."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from mien.core.errors import DataError, ModelError, OutputError
from mien.data.synthetic import synthetic_dataset, write_csv
from mien.models.keras_file import load_network, save_network
from mien.training.curves import chosen_epoch
from mien.training.fit import train
from mien.training.job import TrainingJob
from mien.training.pause import pause_run, take_up_run
from mien.training.recipe import load_recipe
from mien.training.run_folder import RunFolder
from mien.training.snapshots import newest_snapshot
from mien.training.tensorboard_log import TensorBoardLog

RECIPE = """
title = "A toy"
rationale = "Small enough to train in seconds."
status = "candidate"

[network]
family = "vgg"
filters = [4, 8]
convolutions_per_block = 1
dropout = [0.1, 0.0]
spatial_dropout = [0.0, 0.1]
head = "flatten"
dense_units = [16]
dense_dropout = 0.2

[augmentation]
rotation_degrees = 5.0
shift_fraction = 0.05

[split]
validation_fraction = 0.25

[training]
epochs = 6
batch_size = 32
learning_rate = 0.01
early_stopping_patience = 3
plateau_patience = 1
plateau_cooldown = 1
"""

RESIDUAL_RECIPE = """
title = "A toy that grows its faces and averages its weights"
rationale = "What the compact recipes switch on."
status = "candidate"

[network]
family = "residual"
stem_filters = 4
filters = [4, 8]
blocks_per_stage = [1, 1]
dropout = 0.1

[augmentation]
rotation_degrees = 5.0
erasing_probability = 0.3

[split]
validation_fraction = 0.25

[training]
epochs = 6
early_epochs = 3
early_side = 16
batch_size = 32
optimizer = "sgd"
learning_rate = 0.05
schedule = "cosine"
warmup_epochs = 1
average_decay = 0.9
"""

TRAIN = """
import sys
from pathlib import Path
from mien.training.fit import train
from mien.training.job import TrainingJob
from mien.training.recipe import load_recipe
from mien.training.run_folder import RunFolder
recipe, faces, run, logs = map(Path, sys.argv[1:])
train(
    TrainingJob(
        recipe=load_recipe(recipe),
        training_data=faces,
        votes_file=Path("not read"),
        run=RunFolder(run),
        log_folder=logs,
        say=lambda line: print(line, flush=True),
    )
)
"""


@pytest.fixture(scope="module", params=[RECIPE, RESIDUAL_RECIPE], ids=["vgg", "residual"])
def toy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("toy")
    recipe = folder / "toy.toml"
    recipe.write_text(request.param, encoding="utf-8")
    faces = folder / "train.csv"
    write_csv(synthetic_dataset(420, seed=1), faces)
    return recipe, faces


@pytest.fixture(scope="module")
def uninterrupted(toy: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe, faces = toy
    folder = tmp_path_factory.mktemp("uninterrupted{}")  # Keras fills braces in file names.
    train_toy(recipe, faces, folder / "run", folder / "logs")
    return folder


only_vgg = pytest.mark.parametrize("toy", [RECIPE], ids=["vgg"], indirect=True)
only_residual = pytest.mark.parametrize("toy", [RESIDUAL_RECIPE], ids=["residual"], indirect=True)


class StoppedError(Exception):
    """As a kill after an epoch."""


def stop_after_the_first_epoch(line: str) -> None:
    if line.startswith("epoch 1/"):
        raise StoppedError


def train_toy(
    recipe: Path,
    faces: Path,
    run: Path,
    logs: Path,
    say: Callable[[str], None] = lambda _line: None,
) -> None:
    train(
        TrainingJob(
            recipe=load_recipe(recipe),
            training_data=faces,
            votes_file=Path("not read"),  # The toy's recipe learns labels only.
            run=RunFolder(run),
            log_folder=logs,
            say=say,
        )
    )


def read_history(run: Path) -> dict[str, list[float]]:
    history = json.loads((run / "history.json").read_text(encoding="utf-8"))
    del history["seconds"]
    return history


def test_a_finished_run_leaves_a_whole_set_of_artifacts(uninterrupted: Path) -> None:
    written = {path.name: path for path in (uninterrupted / "run").iterdir()}
    # What has its network counts as finished: whoever is killed before has nothing to miss.
    assert max(path.stat().st_mtime_ns for path in written.values()) == (
        written["final_emotion_model.keras"].stat().st_mtime_ns
    )
    assert set(written) == {
        "experiment.toml",
        "data.json",
        "epochs.csv",
        "environment.json",
        "history.json",
        "metrics.json",
        "final_emotion_model.keras",
        "final_emotion_model_arch.txt",
        "learning_curves.png",
    }


def test_tensorboard_shows_every_epoch_and_the_weights(uninterrupted: Path) -> None:
    epochs = read_history(uninterrupted / "run")["epoch"]
    for part in ("train", "validation"):
        log = EventAccumulator(str(uninterrupted / "logs" / part)).Reload()
        assert len(log.Tensors("epoch_loss")) == len(epochs)
        assert len(log.Tensors("epoch_accuracy")) == len(epochs)
    log_of_training = EventAccumulator(str(uninterrupted / "logs" / "train")).Reload()
    tags = log_of_training.Tags()["tensors"]
    rates = [
        float(make_ndarray(event.tensor_proto))
        for event in log_of_training.Tensors("epoch_learning_rate")
    ]
    assert rates == pytest.approx(read_history(uninterrupted / "run")["learning_rate"])
    assert "label_probabilities/kernel/histogram" in tags


def test_a_finished_run_tells_of_experiments_since(
    toy: tuple[Path, Path], uninterrupted: Path, tmp_path: Path
) -> None:
    recipe, faces = toy
    for name in (recipe.name, "since.toml"):
        shutil.copy(recipe, tmp_path / name)
    run = shutil.copytree(uninterrupted / "run", tmp_path / "run")
    train_toy(tmp_path / recipe.name, faces, run, tmp_path / "logs")
    report = (run / "final_emotion_model_arch.txt").read_text(encoding="utf-8")
    assert "\nsince " in report


@only_residual  # Both have the one layer that is not Keras' own.
def test_the_saved_network_needs_nothing_but_keras(uninterrupted: Path) -> None:
    code = (
        "import sys, keras\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "assert not [name for name in sys.modules if name.startswith('mien')]\n"
        "assert {layer.dtype_policy.name for layer in model.layers} == {'float32'}\n"
        "print({name: output.shape for name, output in model.output.items()})"
    )
    model = uninterrupted / "run" / "final_emotion_model.keras"
    shape = subprocess.run(
        [sys.executable, "-c", code, str(model)], capture_output=True, text=True, check=True
    )
    assert "'label_probabilities': (None, 7)" in shape.stdout


def test_the_figures_are_those_of_the_chosen_epoch(uninterrupted: Path) -> None:
    run = uninterrupted / "run"
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    losses = read_history(run)["val_loss"]
    # Trained in bfloat16 where the processor can, measured in float32.
    assert metrics["validation_loss"] == pytest.approx(
        losses[metrics["chosen_epoch"] - 1], rel=0.02
    )
    assert metrics["validation_loss"] == pytest.approx(min(losses), rel=0.02)


def test_an_epoch_that_lowers_the_loss_by_less_than_counts_is_not_the_chosen_one() -> None:
    assert chosen_epoch({"val_loss": [1.0, 0.9, 0.8995, 0.95, 0.899, 0.8985]}, 0.001) == 6
    assert chosen_epoch({"val_loss": [1.0, 0.9, 0.8995, 0.8994]}, 0.001) == 2
    losses = [1.0, 0.9, 0.8995, 0.8992, 0.8985, 0.8979]
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", min_delta=0.001, restore_best_weights=True
    )
    stopping.set_model(keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)]))
    stopping.on_train_begin()
    for epoch, loss in enumerate(losses):
        stopping.on_epoch_end(epoch, {"val_loss": loss})
    assert chosen_epoch({"val_loss": losses}, 0.001) == stopping.best_epoch + 1


def train_and_kill(recipe: Path, faces: Path, run: Path, logs: Path) -> None:
    """Train in another process, and kill it in its fourth epoch."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(recipe), str(faces), str(run), str(logs)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 3/"):
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    assert not (run / "final_emotion_model.keras").exists()


@pytest.fixture(scope="module")
def killed(toy: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe, faces = toy
    folder = tmp_path_factory.mktemp("killed")
    train_and_kill(recipe, faces, folder / "run", folder / "logs")
    return folder


def test_a_run_killed_in_mid_epoch_ends_like_an_uninterrupted_one(
    toy: tuple[Path, Path], uninterrupted: Path, killed: Path, tmp_path: Path
) -> None:
    recipe, faces = toy
    run, logs = tmp_path / "run", tmp_path / "logs"
    for folder in (run, logs):
        shutil.copytree(killed / folder.name, folder)
    said: list[str] = []
    train_toy(recipe, faces, run, logs, said.append)
    assert any(line.startswith("going on after epoch ") for line in said)

    resumed, whole = read_history(run), read_history(uninterrupted / "run")
    assert resumed["epoch"] == whole["epoch"]
    for name, values in whole.items():
        np.testing.assert_allclose(resumed[name], values, rtol=1e-3, atol=1e-3, err_msg=name)
    # Nor does the table repeat or lack an epoch, and the weights are the same.
    with (run / "epochs.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    everything = json.loads((run / "history.json").read_text(encoding="utf-8"))
    assert {name: [float(row[name]) for row in table] for name in table[0]} == everything
    ended, expected = (
        load_network(folder / "final_emotion_model.keras").get_weights()
        for folder in (run, uninterrupted / "run")
    )
    for found, wanted in zip(ended, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-2, atol=1e-3)


@only_vgg
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(
    toy: tuple[Path, Path], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, faces = toy
    run, logs = tmp_path / "run", tmp_path / "logs"
    room = shutil.disk_usage(tmp_path)
    for what, last_file in (
        ("The best weights", run / "experiment.toml"),
        ("The snapshot", run / "state" / "best_validation_accuracy.weights.h5"),
    ):
        assert not last_file.exists()
        monkeypatch.setattr(
            shutil,
            "disk_usage",
            lambda _path, last=last_file: room._replace(free=1000 if last.exists() else 10**9),
        )
        told = (
            rf"{what} of epoch 1 cannot be written to .* 0 MB were free\). Make room and give the"
        )
        with pytest.raises(OutputError, match=told):
            train_toy(recipe, faces, run, logs)
    monkeypatch.undo()
    train_toy(recipe, faces, run, logs)
    losses, wanted = (read_history(each)["val_loss"] for each in (run, uninterrupted / "run"))
    np.testing.assert_allclose(losses, wanted, rtol=1e-3)


def test_a_full_disk_of_the_log_or_of_the_network_is_told(tmp_path: Path, full_disk) -> None:
    model = keras.Sequential([keras.layers.Input((50,)), keras.layers.Dense(50)])
    model.compile("adam", loss="mse")
    log = TensorBoardLog(tmp_path / "logs")
    log.set_model(model)
    log.on_train_begin()
    with pytest.raises(OutputError, match="The TensorBoard log of epoch 1 "), full_disk(100):
        log.on_epoch_end(0, {"loss": 1.0})
    path = tmp_path / "final_emotion_model.keras"
    with pytest.raises(OutputError, match=rf"{path.name} cannot be written: "), full_disk(100):
        save_network(model, path)
    assert not list(tmp_path.glob("*.keras"))


@only_residual
def test_a_paused_run_goes_on_elsewhere(
    toy: tuple[Path, Path], uninterrupted: Path, killed: Path, tmp_path: Path
) -> None:
    recipe, faces = toy
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    shutil.copytree(killed / "run", here)
    pause_run(RunFolder(here))
    shutil.copytree(here / "paused", elsewhere / "paused")

    train_toy(recipe, faces, elsewhere, tmp_path / "logs")

    resumed, whole = read_history(elsewhere), read_history(uninterrupted / "run")
    assert resumed["epoch"] == whole["epoch"]
    # Its weights were rounded to float16 on the way.
    np.testing.assert_allclose(resumed["val_loss"], whole["val_loss"], rtol=0.1)
    assert not (elsewhere / "paused").exists()


def test_a_run_that_writes_its_next_snapshot_can_be_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (tmp_path / "state" / name for name in ("epoch_0001", "epoch_0002"))
    old.mkdir(parents=True)
    (old / "state.json").write_text("{}")
    copy = shutil.copytree

    def replace_while_copying(source: Path, target: Path) -> Path:
        if source == old:
            old.rename(new)
        return copy(source, target)

    monkeypatch.setattr(shutil, "copytree", replace_while_copying)
    assert pause_run(RunFolder(tmp_path)) == tmp_path / "paused" / "epoch_0002"
    assert (tmp_path / "paused" / "epoch_0002" / "state.json").read_text() == "{}"


def test_a_paused_run_keeps_all_of_the_optimizer_and_what_teachers_answered(
    tmp_path: Path,
) -> None:
    snapshot = tmp_path / "state" / "epoch_0001"
    snapshot.mkdir(parents=True)
    (snapshot / "state.json").write_text("{}")
    (tmp_path / "state" / "taught.npy").write_bytes(b"answers")
    model = keras.Sequential([keras.layers.Input((120,)), keras.layers.Dense(100)])
    model.compile("adam", loss="mse")
    # Gradients so small that their squares are 0 in float16.
    model.fit(np.full((8, 120), 1e-5), np.zeros((8, 100)), verbose=0)
    model.save_weights(snapshot / "model.weights.h5")
    before = [variable.numpy() for variable in model.optimizer.variables]

    paused = pause_run(RunFolder(tmp_path))
    model.load_weights(paused / "model.weights.h5")

    for found, expected in zip(model.optimizer.variables, before, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "paused", elsewhere / "paused")
    take_up_run(RunFolder(elsewhere))
    assert (elsewhere / "state" / "taught.npy").read_bytes() == b"answers"
    assert (elsewhere / "state" / "epoch_0001" / "model.weights.h5").exists()


def test_a_run_without_a_snapshot_cannot_be_paused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no snapshot"):
        pause_run(RunFolder(tmp_path))


def test_a_run_folder_of_another_recipe_is_refused(
    toy: tuple[Path, Path], uninterrupted: Path, tmp_path: Path
) -> None:
    recipe, faces = toy
    other = tmp_path / "toy.toml"
    other.write_text(recipe.read_text().replace("[4, 8]", "[4, 6]"), encoding="utf-8")
    run = tmp_path / "run"
    shutil.copytree(uninterrupted / "run", run)
    with pytest.raises(ModelError, match="another recipe"):
        train_toy(other, faces, run, tmp_path / "logs")


def test_a_run_is_not_thrown_away_for_one_that_cannot_start(
    toy: tuple[Path, Path], uninterrupted: Path, tmp_path: Path
) -> None:
    recipe, _ = toy
    run = shutil.copytree(uninterrupted / "run", tmp_path / "run")
    with pytest.raises(DataError, match="There is no"):
        train(
            TrainingJob(
                recipe=load_recipe(recipe),
                training_data=tmp_path / "absent.csv",
                votes_file=Path("not read"),
                run=RunFolder(run),
                log_folder=tmp_path / "logs",
                say=lambda _line: None,
                restart=True,
            )
        )
    assert (run / "final_emotion_model.keras").exists()


PRETRAINED = """
[network]
family = "mobilenet_v2"
pretrained = true
side = 48
dropout = 0.0
alpha = 0.35
weights = "nowhere.h5"
"""


@pytest.mark.parametrize("missing", ["weights", "shapes"])
def test_a_run_is_not_thrown_away_for_a_network_that_cannot_be_built(
    toy: tuple[Path, Path], uninterrupted: Path, tmp_path: Path, missing: str
) -> None:
    recipe, faces = toy
    text = recipe.read_text(encoding="utf-8")
    if missing == "weights":
        table = text[text.index("[network]") : text.index("[augmentation]")]
        text = re.sub("early_(epochs|side) = .*", "", text.replace(table, PRETRAINED))
    else:
        text = text.replace("[training]", '[training]\nstart_from = "shipped"')
    other = tmp_path / "toy.toml"
    other.write_text(text, encoding="utf-8")
    run = shutil.copytree(uninterrupted / "run", tmp_path / "run")
    with pytest.raises(ModelError, match=r"nowhere\.h5" if missing == "weights" else "shapes"):
        train(
            TrainingJob(
                recipe=load_recipe(other),
                training_data=faces,
                votes_file=Path("not read"),
                run=RunFolder(run),
                log_folder=tmp_path / "logs",
                say=lambda _line: None,
                restart=True,
            )
        )
    assert (run / "final_emotion_model.keras").exists()


def test_the_report_tells_what_every_layer_is_connected_to(uninterrupted: Path) -> None:
    report = (uninterrupted / "run" / "final_emotion_model_arch.txt").read_text(encoding="utf-8")
    head = next(line for line in report.splitlines() if "Layer (type)" in line)
    rows = [line for line in report.splitlines() if line.startswith("│")]
    assert head.endswith("┃")
    assert rows
    assert all(line.endswith("│") for line in rows)


def test_the_report_gives_reasons_and_figures(uninterrupted: Path) -> None:
    report = (uninterrupted / "run" / "final_emotion_model_arch.txt").read_text(encoding="utf-8")
    metrics = json.loads((uninterrupted / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert "Key decisions" in report
    assert f"validation accuracy {metrics['validation_accuracy']:.2%}" in report


def test_with_no_more_epochs_than_head_epochs_only_the_heads_learn(tmp_path: Path) -> None:
    recipe = tmp_path / "heads.toml"
    recipe.write_text(RECIPE.replace("epochs = 6", "epochs = 1\nhead_epochs = 5"))
    faces = tmp_path / "train.csv"
    write_csv(synthetic_dataset(140, seed=1), faces)
    lines: list[str] = []
    network = train(
        TrainingJob(
            recipe=load_recipe(recipe),
            training_data=faces,
            votes_file=Path("not read"),
            run=RunFolder(tmp_path / "run"),
            log_folder=tmp_path / "logs",
            say=lines.append,
        )
    )
    assert "only the heads learn: head_epochs = 5, epochs = 1" in lines
    # What is added starts at 0, and stays there where nothing is learnt.
    weights = {weight.path: weight.numpy() for weight in load_network(network).weights}
    added = {path: added for path, added in weights.items() if path.endswith(("/bias", "/beta"))}
    assert len(added) > 1
    assert [path for path, values in added.items() if values.any()] == ["label_probabilities/bias"]


def test_a_run_goes_on_from_whichever_snapshot_has_more_epochs(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for folder, epoch in ((run.state, 5), (run.paused, 20)):
        snapshot = folder / f"epoch_{epoch:04d}"
        snapshot.mkdir(parents=True)
        (snapshot / "state.json").write_text("{}")
    take_up_run(run)
    newest = newest_snapshot(run.state)
    assert newest is not None
    assert newest.name == "epoch_0020"
    (run.state / "epoch_0021").mkdir()
    (run.state / "epoch_0021" / "state.json").write_text("{}")
    take_up_run(run)
    newest = newest_snapshot(run.state)
    assert newest is not None
    assert newest.name == "epoch_0021"


@pytest.mark.parametrize("own_epochs", [[6, 7], [7]])
def test_a_paused_copy_takes_the_place_of_a_damaged_snapshot(
    tmp_path: Path, own_epochs: list[int]
) -> None:
    run = RunFolder(tmp_path)
    for folder, epochs in ((run.state, own_epochs), (run.paused, [7])):
        for epoch in epochs:
            snapshot = folder / f"epoch_{epoch:04d}"
            snapshot.mkdir(parents=True)
            (snapshot / "state.json").write_text(folder.name)
    # A list of checksums that does not fit: the files are not those that were written.
    (run.state / "epoch_0007" / "sha256.json").write_text('{"state.json": "0"}')
    take_up_run(run)
    newest = newest_snapshot(run.state)
    assert newest is not None
    assert (newest.name, (newest / "state.json").read_text()) == ("epoch_0007", run.paused.name)


def test_a_killed_run_goes_on_with_less_room_than_one_needs_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, faces, run = tmp_path / "toy.toml", tmp_path / "train.csv", tmp_path / "run"
    wide = RECIPE.replace("dense_units = [16]", "dense_units = [1024]")
    recipe.write_text(wide.replace("epochs = 6", "epochs = 2"), encoding="utf-8")
    write_csv(synthetic_dataset(70, seed=1), faces)
    room = shutil.disk_usage(tmp_path)

    def leave(free: int, *, total: int = room.total) -> None:
        left = room._replace(free=free, total=total)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: left)

    # For one snapshot, not for all that a run writes.
    leave(40_000_000)
    with pytest.raises(OutputError, match="40 MB of room; a run of this network needs 57 MB"):
        train_toy(recipe, faces, run, tmp_path / "logs")
    # Some file systems tell no figures at all.
    leave(0, total=0)
    with pytest.raises(StoppedError):
        train_toy(recipe, faces, run, tmp_path / "logs", stop_after_the_first_epoch)
    leave(40_000_000)
    train_toy(recipe, faces, run, tmp_path / "logs")
    assert read_history(run)["epoch"] == [1, 2]
