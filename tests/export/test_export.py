"""From a Keras file to an artifact that the recogniser runs, and to INT8."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs mien[train]")
onnx = pytest.importorskip("onnx", reason="needs mien[train]")
pytest.importorskip("tf2onnx", reason="needs mien[train]")

from mien.classifier.classifier import Classifier
from mien.classifier.reading import apply_temperature
from mien.cli import main
from mien.core.artifact import load_artifact
from mien.core.errors import ModelError
from mien.core.preprocess import to_network_input
from mien.data.non_faces import make_non_faces
from mien.data.synthetic import synthetic_dataset, write_csv
from mien.evaluation.keras_network import describe
from mien.evaluation.network import open_network
from mien.export import onnx_file
from mien.export.int8 import quantise
from mien.export.onnx_file import export_file, export_network, has_calibrated_export
from mien.export.temporal import export_temporal
from mien.models.build import build_network, join_heads, to_plain_float32
from mien.models.config import VGGConfig
from mien.models.heads import FACE_LIKENESS, FEATURES, LABEL_HEAD
from mien.models.keras_file import load_network, save_network
from mien.training.fit import shipped_network
from mien.training.run_folder import RunFolder

RECIPE = """
title = "A toy"
rationale = "Small."
status = "candidate"
[network]
family = "vgg"
filters = [8, 16]
convolutions_per_block = 1
dropout = [0.0, 0.0]
spatial_dropout = [0.0, 0.0]
head = "flatten"
dense_units = [32]
dense_dropout = 0.0
[augmentation]
[split]
validation_fraction = 0.25
"""


@pytest.fixture(scope="module")
def faces():
    return synthetic_dataset(420, seed=5)


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    """A run's folder with a small network that has learnt something."""
    keras.utils.set_random_seed(2)
    config = VGGConfig(
        family="vgg",
        filters=[8, 16],
        convolutions_per_block=1,
        dropout=[0.0, 0.0],
        spatial_dropout=[0.0, 0.0],
        head="flatten",
        dense_units=[32],
        dense_dropout=0.0,
    )
    network = build_network(config)
    model = join_heads(network)
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(to_network_input(faces.faces_u8), faces.labels, epochs=4, batch_size=16, verbose=0)
    folder = tmp_path_factory.mktemp("run")
    save_network(to_plain_float32(network), folder / "final_emotion_model.keras")
    (folder / "experiment.toml").write_text(RECIPE)
    (folder / "metrics.json").write_text(json.dumps({"experiment": "toy", "epochs": 4, "test": {}}))
    return folder


def exported(keras_path, folder, **options):
    """Export a file as it is, uncalibrated."""
    network = load_network(keras_path)
    artifact = describe(network, folder / "emotion.onnx", "toy", {})
    return export_network(network, artifact, **options)


def answers(artifact, faces_u8):
    return Classifier(artifact, threads=1).classify(faces_u8).probabilities


def keras_answers(folder, faces_u8):
    network = load_network(folder / "final_emotion_model.keras")
    return network.predict(to_network_input(faces_u8), verbose=0)[LABEL_HEAD]


def run(*words):
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in words])
    return exit_.value.code or 0


def test_the_exported_artifact_answers_as_keras_does(trained, faces, tmp_path):
    path = trained / "final_emotion_model.keras"
    artifact = exported(path, tmp_path, real_faces_u8=faces.faces_u8)
    assert load_artifact(tmp_path / "emotion.onnx") == artifact
    expected = keras_answers(trained, faces.faces_u8)
    for count in (1, 7, 100):
        found = answers(artifact, faces.faces_u8[:count])
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)


def test_the_network_has_the_documented_interface_and_folded_normalization(trained, tmp_path):
    artifact = exported(trained / "final_emotion_model.keras", tmp_path)
    graph = onnx.load(artifact.onnx_path).graph
    assert [value.name for value in graph.input] == ["faces"]
    assert {value.name for value in graph.output} == {FEATURES, LABEL_HEAD}
    assert (list(artifact.heads), artifact.features) == ([LABEL_HEAD], FEATURES)
    convolutions = [i for i, node in enumerate(graph.node) if node.op_type == "Conv"]
    assert [graph.node[i + 1].op_type for i in convolutions] == ["LeakyRelu"] * 2


def test_the_network_ships_in_trainable_form_too():
    shipped = load_artifact()
    keras_path = shipped.onnx_path.with_suffix(".keras")
    assert has_calibrated_export(keras_path, shipped.onnx_path)
    opened = open_network(keras_path).artifact
    assert opened.experiment == shipped.experiment
    for name, reading in shipped.readings.items():
        assert opened.readings[name].shares == pytest.approx(reading.shares)


def test_the_same_weights_give_the_same_bytes(trained, tmp_path):
    path = trained / "final_emotion_model.keras"
    assert exported(path, tmp_path / "a").sha256 == exported(path, tmp_path / "b").sha256


def test_the_shipped_network_gives_the_same_bytes_in_every_process(tmp_path):
    shutil.copyfile(load_artifact().onnx_path.with_suffix(".keras"), tmp_path / "network.keras")
    for seed in ("1", "3"):
        command = [sys.executable, "-m", "mien", "export", "network.keras", "--out", seed]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    first, second = (onnx.load(tmp_path / seed / "emotion.onnx") for seed in ("1", "3"))
    assert first.SerializeToString() == second.SerializeToString()
    # One takes the picture's channel last, none does nothing.
    assert sum(node.op_type == "Reshape" for node in first.graph.node) == 1


def test_a_network_that_answers_otherwise_is_not_written(trained, tmp_path, monkeypatch):
    to_onnx = onnx_file._to_onnx

    def to_damaged_onnx(model):
        network = onnx.load_from_string(to_onnx(model))
        weights = next(w for w in network.graph.initializer if w.dims[-1:] == [7])
        damaged = onnx.numpy_helper.to_array(weights) * np.float32(1.05)
        weights.CopyFrom(onnx.numpy_helper.from_array(damaged, weights.name))
        return network.SerializeToString()

    monkeypatch.setattr(onnx_file, "_to_onnx", to_damaged_onnx)
    with pytest.raises(ModelError, match=r"differ by .* in label_probabilities .*random face"):
        exported(trained / "final_emotion_model.keras", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_calibrates_on_validation_faces(trained, faces, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_csv(faces, Path("data/train.csv"))
    assert run("export", trained / "final_emotion_model.keras", "--out", "out") == 0
    assert "expected calibration error" in capsys.readouterr().out
    artifact = load_artifact(Path("out/emotion.onnx"))
    outputs = onnx.load(artifact.onnx_path).graph.output
    assert {value.name for value in outputs} == {FEATURES, LABEL_HEAD, FACE_LIKENESS}
    assert artifact.experiment == "toy"
    assert artifact.reading().temperature != 1
    assert artifact.metrics["epochs"] == 4
    assert set(artifact.crop) == {"haar", "yunet", "mediapipe", "mtcnn"}
    own = keras_answers(trained, faces.faces_u8)
    np.testing.assert_allclose(
        answers(artifact, faces.faces_u8),
        apply_temperature(own, artifact.reading().temperature),
        atol=1e-4,
    )


def test_the_exported_artifact_tells_faces_from_other_things(trained, faces, tmp_path):
    write_csv(faces, tmp_path / "train.csv")
    path = trained / "final_emotion_model.keras"
    artifact = export_file(
        path,
        tmp_path / "out",
        training_data=tmp_path / "train.csv",
        votes_file=tmp_path / "not read",
        say=lambda _line: None,
    )
    classifier = Classifier(artifact, threads=1)
    unseen = synthetic_dataset(200, seed=6).faces_u8
    of_faces = classifier.classify(unseen).likeness
    assert 0.8 < (of_faces > 0).mean() < 0.99
    others = make_non_faces(unseen, 200, np.random.default_rng(7))
    of_others = classifier.classify(others).likeness
    assert (of_others > 0).mean() < 0.5 * (of_faces > 0).mean()


def test_export_without_the_faces_says_so(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("export", trained / "final_emotion_model.keras", "--out", "out") == 0
    assert "There is no data/train.csv: not calibrated" in capsys.readouterr().out
    artifact = load_artifact(Path("out/emotion.onnx"))
    assert artifact.reading().temperature == 1
    likeness = Classifier(artifact).classify(np.zeros((2, 48, 48), np.uint8)).likeness
    assert likeness.tolist() == [np.inf, np.inf]


def test_export_without_the_faces_replaces_no_artifact(
    trained, faces, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_csv(faces, Path("data/train.csv"))
    run("export", trained / "final_emotion_model.keras", "--out", "out")
    calibrated = load_artifact(Path("out/emotion.onnx"))
    Path("data/train.csv").unlink()
    assert run("export", trained / "final_emotion_model.keras", "--out", "out") == 2
    error = capsys.readouterr().err
    assert "There is no data/train.csv" in error
    assert "would replace out/emotion.onnx" in error
    assert "--data" in error
    assert load_artifact(Path("out/emotion.onnx")) == calibrated


@pytest.fixture
def finished_run(trained, faces, tmp_path, monkeypatch):
    """Change to a folder with the faces and a finished run, not exported, of a selected recipe."""
    monkeypatch.chdir(tmp_path)
    write_csv(faces, Path("data/train.csv"))
    Path("toy.toml").write_text(RECIPE.replace("candidate", "selected"))
    folder = Path("results/runs/toy")
    shutil.copytree(trained, folder)
    shutil.copy("toy.toml", folder / "experiment.toml")
    figures: dict[str, object] = {
        "parameters": 1,
        "multiply_adds": 1,
        "epochs": 4,
        "training_minutes": 0.1,
    }
    figures |= {"experiment": "toy", "validation_accuracy": 0.5}
    figures |= {"validation_loss": 1.5, "chosen_epoch": 4}
    (folder / "metrics.json").write_text(json.dumps(figures))
    (folder / "learning_curves.png").touch()
    return folder


def published():
    return {path.name: path.read_bytes() for path in Path("results/model").iterdir()}


def test_a_finished_run_keeps_its_artifact_when_the_faces_are_gone(finished_run):
    assert run("train", "toy.toml") == 0
    artifact = load_artifact(finished_run / "emotion.onnx")
    assert artifact.reading().temperature != 1
    metrics = json.loads(Path("results/model/metrics.json").read_text())
    metrics["test"] = {"sha256": artifact.sha256}
    Path("results/model/metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    before = published()
    Path("data/train.csv").unlink()
    assert run("train", "toy.toml") == 0
    assert load_artifact(finished_run / "emotion.onnx") == artifact
    assert published() == before


def test_an_uncalibrated_artifact_is_not_published_over_another(finished_run, capsys):
    run("train", "toy.toml")
    before = published()
    Path("data/train.csv").unlink()
    for name in ("emotion.onnx", "emotion.json"):
        (finished_run / name).unlink()
    assert run("train", "toy.toml") == 2
    assert "is not calibrated" in capsys.readouterr().err
    assert published() == before


@pytest.mark.parametrize("flaw", ["of another network", "not calibrated"])
def test_a_run_is_exported_where_its_folder_holds_another_artifact(finished_run, flaw):
    network = load_network(finished_run / "final_emotion_model.keras")
    temperature = 1.0
    if flaw == "of another network":
        temperature = 1.5
        network.set_weights([1.01 * weights for weights in network.get_weights()])
    artifact = describe(network, finished_run / "emotion.onnx", "toy", {})
    readings = {
        name: replace(reading, temperature=temperature)
        for name, reading in artifact.readings.items()
    }
    export_network(network, replace(artifact, readings=readings))
    assert run("train", "toy.toml") == 0
    artifact = load_artifact(finished_run / "emotion.onnx")
    assert artifact.reading().temperature not in (1.0, 1.5)
    black = np.zeros((1, 48, 48), np.uint8)
    expected = keras_answers(finished_run, black)
    expected = apply_temperature(expected, artifact.reading().temperature)
    np.testing.assert_allclose(answers(artifact, black), expected, atol=1e-4)


def damaged_network():
    content = bytearray(shipped_network().read_bytes())
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no network"),
        (b"PK but no zip", "not a .keras file"),
        (damaged_network(), "cannot load"),
    ],
    ids=["missing", "no zip", "damaged"],
)
def test_what_is_no_keras_file_is_one_line(tmp_path, capsys, content, message):
    folder = RunFolder(tmp_path)
    if content:
        folder.network.write_bytes(content)
    assert run("export", folder.network) == 2
    assert message in capsys.readouterr().err
    names = ("experiment", "face_artifact", "face_artifact_sha256", "reading", "labels")
    folder.write_metrics(dict.fromkeys(names, "x"))
    with pytest.raises(ModelError, match=message):
        export_temporal(folder)


def test_a_network_of_another_shape_is_refused(tmp_path):
    inputs = keras.Input((32, 32, 3))
    outputs = keras.layers.Dense(5)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "other.keras")
    with pytest.raises(ModelError, match=r"\(None, 32, 32, 3\) to \(None, 5\)"):
        load_network(tmp_path / "other.keras")


def test_a_network_that_augments_is_refused_with_what_to_do(tmp_path):
    layers = keras.layers
    network = keras.Sequential(
        [layers.Input((48, 48, 1)), layers.RandomFlip(), layers.Flatten(), layers.Dense(7)]
    )
    network.save(tmp_path / "flips.keras")
    told = r"StatelessRandomUniform\w*, for which ONNX has no operator.*without them"
    with pytest.raises(ModelError, match=told):
        exported(tmp_path / "flips.keras", tmp_path / "out")


def test_int8_keeps_most_answers_in_a_smaller_file(trained, faces, tmp_path):
    source = exported(trained / "final_emotion_model.keras", tmp_path)
    quantised = quantise(source, faces.faces_u8[:128], tmp_path / "int8" / "emotion.onnx")
    assert quantised.onnx_path.stat().st_size < 0.4 * source.onnx_path.stat().st_size
    own, of_int8 = (
        answers(artifact, faces.faces_u8).argmax(axis=1)
        for artifact in (source, load_artifact(quantised.onnx_path))
    )
    assert (own == of_int8).mean() > 0.95


def test_quantise_compares_the_two(trained, faces, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_csv(faces, Path("data/train.csv"))
    Path("experiments").mkdir()
    Path("experiments/toy.toml").write_text(RECIPE)
    run("export", trained / "final_emotion_model.keras", "--out", "out")
    assert run("quantise", "out/emotion.onnx") == 0
    printed = capsys.readouterr().out
    assert "validation faces" in printed
    assert "times as fast" in printed
    assert load_artifact(Path("results/int8/emotion.onnx")).experiment == "toy"
    faces_before = Path("data/train.csv").read_bytes()
    for read in ("out/emotion.onnx", "out/emotion.int8", "data/train.csv"):
        # The sidecar of the second one would be the network's own.
        assert run("quantise", "out/emotion.onnx", "--out", read) == 2
        assert "is an input and would be overwritten" in capsys.readouterr().err
    assert Path("data/train.csv").read_bytes() == faces_before
