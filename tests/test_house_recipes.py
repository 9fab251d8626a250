"""Recipes, runs and ONNX files are read, compared and quantised without a training framework."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pydantic", reason="needs mien[train]")
pytest.importorskip("sklearn", reason="needs mien[train]")

from mien.core.artifact import load_artifact, write_artifact
from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.data.synthetic import synthetic_dataset, write_csv

REPOSITORY = Path(__file__).parents[1]
RUN = """
import runpy, sys
sys.argv = ["mien", *sys.argv[1:]]
try:
    runpy.run_module("mien", run_name="__main__")
except SystemExit as exit_:
    assert not exit_.code, exit_.code
loaded = {"keras", "tensorflow", "torch", "jax"} & {*sys.modules}
assert not loaded, f"loaded {loaded}"
"""


def run_in_fresh_interpreter(folder: Path, *words: object) -> str:
    """Run a command of mien in another interpreter; fail if it loaded a training framework."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, two_headed, two_headed_network):
    """A folder with faces, votes and a finished run whose network is known as ONNX only."""
    folder = tmp_path_factory.mktemp("workplace")
    faces = synthetic_dataset(140, seed=1)
    (folder / "data").mkdir()
    write_csv(faces, folder / "data" / "train.csv")
    votes = np.zeros((140, 10), int)
    votes[np.arange(140), [VOTE_CLASSES.index(EMOTIONS[label]) for label in faces.labels]] = 9
    votes[:, VOTE_CLASSES.index("unknown")] = 1
    header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt"
    rows = [f"Training,,{','.join(map(str, row))}" for row in votes.tolist()]
    content = "\n".join([f"{header},unknown,NF", *rows]) + "\n"
    (folder / "data" / "fer2013new.csv").write_text(content)
    run = folder / "results" / "runs" / "010_residual"
    run.mkdir(parents=True)
    recipe = (REPOSITORY / "experiments" / "010_residual.toml").read_text(encoding="utf-8")
    (run / "experiment.toml").write_text(recipe, encoding="utf-8")
    history = {"epoch": [1, 2], "accuracy": [0.2, 0.3], "val_accuracy": [0.2, 0.3]}
    history |= {"loss": [2.0, 1.9], "val_loss": [2.0, 1.9], "learning_rate": [0.1, 0.1]}
    (run / "history.json").write_text(json.dumps(history))
    network = two_headed_network().SerializeToString()
    write_artifact(network, two_headed(run / "emotion.onnx"))
    return folder


RUN_FOLDER = Path("results/runs/010_residual")


def test_the_table_of_experiments() -> None:
    assert "021_taught_again" in run_in_fresh_interpreter(REPOSITORY, "experiments")


def test_the_curves_of_a_run(workplace: Path) -> None:
    run_in_fresh_interpreter(workplace, "curves", RUN_FOLDER)
    assert (workplace / RUN_FOLDER / "learning_curves.png").stat().st_size > 10_000


def test_two_onnx_files_are_compared(workplace: Path) -> None:
    network = RUN_FOLDER / "emotion.onnx"
    assert "validation faces" in run_in_fresh_interpreter(workplace, "compare", network, network)


def test_an_onnx_file_is_quantised(workplace: Path) -> None:
    pytest.importorskip("onnx", reason="needs mien[train]")
    network = RUN_FOLDER / "emotion.onnx"
    assert "in INT8" in run_in_fresh_interpreter(workplace, "quantise", network)
    sidecar = json.loads((workplace / "results" / "int8" / "emotion.json").read_text())
    assert list(sidecar["readings"]) == ["raters", "labels"]
    assert sidecar["readings"]["raters"]["temperature"] != 1


def test_a_network_from_elsewhere_is_quantised_with_any_faces(
    tmp_path: Path, foreign_artifact, faces_of
) -> None:
    pytest.importorskip("onnx", reason="needs mien[train]")
    source = foreign_artifact(tmp_path / "foreign.onnx")
    write_csv(synthetic_dataset(70, seed=1), tmp_path / "faces.csv")
    said = run_in_fresh_interpreter(
        tmp_path, "quantise", "foreign.onnx", "--data", "faces.csv", "--out", "int8.onnx"
    )
    assert "the ranges come from the 70 faces of faces.csv" in said
    assert "of 70 faces" in said
    quantised = load_artifact(tmp_path / "int8.onnx")
    assert quantised.readings.keys() == source.readings.keys()
    assert quantised.onnx_path.stat().st_size < source.onnx_path.stat().st_size
