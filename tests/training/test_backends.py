"""JAX and PyTorch train what TensorFlow trains, where there is no TensorFlow.

The environment of JAX is made here. PyTorch is too large for that: a Python that has it and
`mien[train-base]` is named in the environment variable MIEN_PYTHON_TORCH (and in
MIEN_PYTHON_JAX one that has JAX, where there is one).
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs mien[train]")

from mien.data.synthetic import synthetic_dataset, write_csv

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MOST_SECONDS = 600
NAME = "toy"
GOES_ON = re.compile("going on after epoch [3-5]")
"""A kill may come after the epoch that follows."""
RECIPE = """
title = "A toy"
rationale = "What a step does besides the network, and two sides."
status = "candidate"

[network]
family = "residual"
stem_filters = 8
filters = [8, 16]
blocks_per_stage = [1, 1]
dropout = 0.1

[augmentation]
rotation_degrees = 5.0
contrast = 0.1
erasing_probability = 0.1

[split]
validation_fraction = 0.25

[training]
epochs = 6
early_epochs = 2
early_side = 32
batch_size = 16
learning_rate = 0.02
schedule = "cosine"
average_decay = 0.9
"""
TRAIN = """
import importlib.util
import sys
from pathlib import Path
from mien.training import fit
from mien.training.job import TrainingJob
from mien.training.recipe import load_recipe
from mien.training.run_folder import RunFolder

assert importlib.util.find_spec("tensorflow") is None
fit.augments_on_device = lambda: True
recipe, faces, run = map(Path, sys.argv[1:])
fit.train(
    TrainingJob(
        recipe=load_recipe(recipe),
        training_data=faces,
        votes_file=Path("not read"),
        run=RunFolder(run),
        log_folder=run.with_name("logs"),
        say=lambda line: print(line, flush=True),
    )
)
"""


@pytest.fixture(scope="module", params=["jax", "torch"])
def backend(request):
    return request.param


@pytest.fixture(scope="module")
def python(backend, tmp_path_factory):
    """A Python that has the backend, and no TensorFlow."""
    variable = f"MIEN_PYTHON_{backend.upper()}"
    if named := os.environ.get(variable):
        return named
    if backend == "torch":
        pytest.skip(f"needs a Python with PyTorch, named in the environment variable {variable}")
    folder = tmp_path_factory.mktemp(backend)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    made = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    installed = subprocess.run(
        [made, "-m", "pip", "install", "--quiet", backend, f"{ROOT}[train-base]"],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode:
        lines = installed.stderr.strip().splitlines()
        pytest.skip(f"{backend} cannot be installed: {lines[-1] if lines else 'pip said nothing'}")
    return made


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    (folder / f"{NAME}.toml").write_text(RECIPE)
    write_csv(synthetic_dataset(300, seed=1), folder / "train.csv")
    return folder


def start(python, backend, toy, run):
    return subprocess.Popen(
        [python, "-c", TRAIN, toy / f"{NAME}.toml", toy / "train.csv", run],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_after_third_epoch(python, backend, toy, run):
    process = start(python, backend, toy, run)
    for line in process.stdout:
        if line.startswith("epoch 3/"):
            process.kill()
            break
    process.communicate(timeout=MOST_SECONDS)


@pytest.fixture(scope="module")
def finished(python, backend, toy):
    """A run that went through, and what it said."""
    run = toy / backend / NAME
    process = start(python, backend, toy, run)
    said, _ = process.communicate(timeout=MOST_SECONDS)
    assert process.returncode == 0, said
    return run, said


def history_of(run):
    history = json.loads((run / "history.json").read_text())
    del history["seconds"]
    return history


def test_what_an_export_needs_is_said_before_the_first_epoch(finished):
    _, said = finished
    assert said.index("mien export") < said.index("epoch 1/")


def test_a_run_is_logged_and_learns(finished, backend):
    run, _ = finished
    losses = history_of(run)["loss"]
    assert losses[-1] < losses[0]
    assert list((run.parent / "logs" / "train").iterdir())
    assert json.loads((run / "environment.json").read_text())["backend"].startswith(backend)


def test_a_killed_run_ends_like_an_uninterrupted_one(finished, python, backend, toy):
    run = toy / f"{backend}_killed" / NAME
    kill_after_third_epoch(python, backend, toy, run)
    assert not (run / "final_emotion_model.keras").exists()

    process = start(python, backend, toy, run)
    said, _ = process.communicate(timeout=MOST_SECONDS)
    assert process.returncode == 0, said
    assert GOES_ON.search(said)
    resumed, whole = history_of(run), history_of(finished[0])
    for name, values in whole.items():
        np.testing.assert_allclose(resumed[name], values, rtol=1e-3, atol=1e-3, err_msg=name)


def test_the_end_says_where_the_artifact_is_made(finished, python, backend, toy):
    run, _ = finished
    again = subprocess.run(
        [
            *(python, "-m", "mien", "train", toy / f"{NAME}.toml"),
            *("--data", toy / "train.csv", "--runs", run.parent, "--results", toy / "results"),
        ],
        env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=True,
    )
    last = again.stdout.strip().splitlines()[-1]
    assert "no artifact" in last
    assert "TensorFlow" in last


def test_its_network_is_exported_where_tensorflow_is(finished, toy):
    run, _ = finished
    without_backend = {name: os.environ[name] for name in os.environ if name != "KERAS_BACKEND"}
    exported = subprocess.run(
        [
            *(sys.executable, "-m", "mien", "export", run / "final_emotion_model.keras"),
            *("--data", toy / "train.csv"),
        ],
        env=without_backend | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )
    assert exported.returncode == 0, exported.stderr
    assert (run / "emotion.onnx").exists()


def test_a_run_goes_on_with_another_backend(python, backend, toy):
    """And where OpenCV augments, as on a processor."""
    from mien.training.fit import train
    from mien.training.job import TrainingJob
    from mien.training.recipe import load_recipe
    from mien.training.run_folder import RunFolder

    run = toy / f"{backend}_begun" / NAME
    kill_after_third_epoch(python, backend, toy, run)
    said = []
    train(
        TrainingJob(
            recipe=load_recipe(toy / f"{NAME}.toml"),
            training_data=toy / "train.csv",
            votes_file=Path("not read"),
            run=RunFolder(run),
            log_folder=run.with_name("logs"),
            say=said.append,
        )
    )
    assert any(GOES_ON.match(line) for line in said)
    assert history_of(run)["epoch"] == [1, 2, 3, 4, 5, 6]
