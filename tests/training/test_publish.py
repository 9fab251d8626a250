"""What is shown of the selected run is of one network, and is calibrated."""

import json
from pathlib import Path

import pytest

from mien.core.artifact import Artifact, Reading, write_artifact
from mien.core.errors import ModelError
from mien.core.labels import EMOTIONS
from mien.training.publish import publish_run
from mien.training.run_folder import RunFolder


def finish_run(folder: Path, network: bytes, *, temperature: float = 1.2) -> Artifact:
    """Leave what a finished and exported run leaves; `network` stands for the ONNX file."""
    artifact = Artifact(
        onnx_path=folder / "emotion.onnx",
        experiment="toy",
        heads={"label_probabilities": EMOTIONS},
        readings={"labels": Reading(EMOTIONS, {"label_probabilities": 1.0}, temperature)},
        default_reading="labels",
    )
    artifact = write_artifact(network, artifact)
    for name in (
        "final_emotion_model.keras",
        "final_emotion_model_arch.txt",
        "learning_curves.png",
        "experiment.toml",
        "data.json",
    ):
        (folder / name).write_bytes(name.encode())
    (folder / "metrics.json").write_text('{"experiment": "toy", "epochs": 3}', encoding="utf-8")
    return artifact


def read_metrics(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return content


def test_a_run_is_published_whole(tmp_path: Path) -> None:
    finish_run(tmp_path / "run", b"the network")
    publish_run(RunFolder(tmp_path / "run"), RunFolder(tmp_path / "results"))
    run, results = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("run", "results")
    )
    assert set(results) == set(run)
    del run["metrics.json"]
    assert results.items() >= run.items()
    assert read_metrics(tmp_path / "results") == {"experiment": "toy", "epochs": 3}


def test_the_faces_of_another_network_are_not_told_of_one_that_does_not_tell_its_own(
    tmp_path: Path,
) -> None:
    run, results = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "results")
    finish_run(run.path, b"the network")
    publish_run(run, results)
    run.data.unlink()
    publish_run(run, results)
    assert not results.data.exists()


def test_what_is_known_of_the_test_stays_with_its_network(tmp_path: Path) -> None:
    run, results = tmp_path / "run", tmp_path / "results"
    artifact = finish_run(run, b"the network")
    results.mkdir()
    tested = {"sha256": artifact.sha256, "accuracy": 0.6553}
    (results / "metrics.json").write_text(json.dumps({"test": tested}), encoding="utf-8")
    pictures = [
        results / name for name in ("final_test_confusion_matrix.png", "reliability_diagram.png")
    ]
    for picture in pictures:
        picture.touch()
    publish_run(RunFolder(run), RunFolder(results))
    assert read_metrics(results)["test"] == tested
    assert all(picture.exists() for picture in pictures)
    finish_run(run, b"another network")
    publish_run(RunFolder(run), RunFolder(results))
    assert "test" not in read_metrics(results)
    assert not any(picture.exists() for picture in pictures)


def test_an_uncalibrated_artifact_replaces_none(tmp_path: Path) -> None:
    run, results = tmp_path / "run", tmp_path / "results"
    finish_run(run, b"the network", temperature=1.0)
    publish_run(RunFolder(run), RunFolder(results))
    assert (results / "emotion.onnx").read_bytes() == b"the network"
    finish_run(run, b"another network", temperature=1.0)
    with pytest.raises(ModelError, match=r"is not calibrated .* --data"):
        publish_run(RunFolder(run), RunFolder(results))
    assert (results / "emotion.onnx").read_bytes() == b"the network"
