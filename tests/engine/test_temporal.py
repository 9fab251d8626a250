"""A temporal network in the engine: it belongs to one artifact, and takes the smoother's place."""

from dataclasses import replace

import numpy as np
import pytest

helper = pytest.importorskip("onnx.helper", reason="needs mien[train]")

from onnx import ModelProto, TensorProto

from mien.classifier.classifier import Classifier
from mien.core.errors import ModelError, SettingError
from mien.core.temporal import (
    TemporalArtifact,
    bundled_temporal,
    load_temporal,
    write_temporal,
)
from mien.engine.settings import EngineSettings, make_settings
from mien.engine.temporal import TemporalMemory
from mien.engine.tracks import Observation
from mien.faces.gate import Quality

QUALITY = Quality(100, 1, 120, 50, 1, np.inf)


def fading_network():
    """A step whose state moves half the way to what is seen in 100 ms, and is what it says."""

    def tensor(name, columns):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", columns])

    nodes = [
        helper.make_node("Mul", ["elapsed_ms", "rate"], ["decay"]),
        helper.make_node("Exp", ["decay"], ["kept"]),
        helper.make_node("Sub", ["state", "probabilities"], ["apart"]),
        helper.make_node("Mul", ["apart", "kept"], ["left"]),
        helper.make_node("Add", ["probabilities", "left"], ["next_state"]),
        helper.make_node("Identity", ["next_state"], ["moment_probabilities"]),
        helper.make_node("Identity", ["next_state"], ["clip_probabilities"]),
    ]
    inputs = {"features": 0, "probabilities": 7, "quality": 4, "elapsed_ms": 1, "state": 7}
    outputs = ("moment_probabilities", "clip_probabilities", "next_state")
    rate = helper.make_tensor("rate", TensorProto.FLOAT, [1], [-np.log(2) / 100])
    graph = helper.make_graph(
        nodes,
        "step",
        [tensor(name, columns) for name, columns in inputs.items()],
        [tensor(name, 7) for name in outputs],
        [rate],
    )
    opset = helper.make_opsetid("", 13)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


@pytest.fixture
def classifier(brightness_network, tmp_path):
    return Classifier(brightness_network(tmp_path / "emotion.onnx"), threads=1)


@pytest.fixture
def network(classifier, tmp_path):
    artifact = TemporalArtifact(
        onnx_path=tmp_path / "temporal.onnx",
        experiment="032_temporal",
        face_artifact=classifier.artifact.experiment,
        face_artifact_sha256=classifier.artifact.sha256,
        reading=classifier.reading_name,
        labels=classifier.labels,
        features=0,
        state=7,
        longest_elapsed_ms=1000.0,
    )
    return write_temporal(fading_network(), artifact)


def seen(label, time_ms):
    probabilities = np.full(7, 0.02, np.float32)
    probabilities[label] = 0.88
    return Observation(time_ms, probabilities, None, QUALITY)


@pytest.mark.parametrize("rate", [10, 40])
def test_states_belong_to_their_tracks_and_follow_the_clock(network, classifier, rate):
    memory = TemporalMemory(network.onnx_path, classifier)
    for time_ms in np.arange(0, 1001, 1000 / rate):
        memory.observe(1, seen(3, time_ms))
        memory.observe(2, seen(4, time_ms))
    for time_ms in 1000 + np.arange(1000 / rate, 101, 1000 / rate):
        shown, _ = memory.observe(1, seen(0, time_ms))
    assert shown[[0, 3]] == pytest.approx([0.45, 0.45], abs=0.01)
    assert memory.observe(2, seen(4, 1100.0))[1] == 4
    memory.forget_all_but([2])
    assert memory.observe(1, seen(0, 1200.0))[0][0] == pytest.approx(0.88, abs=0.01)


def test_another_face_artifact_and_another_reading_are_refused_by_name(network, classifier):
    other = replace(network, face_artifact="007_other", face_artifact_sha256="ab" * 32)
    with pytest.raises(ModelError, match=r"belongs to the artifact 007_other \(.*mien train"):
        TemporalMemory(other, classifier)
    with pytest.raises(ModelError, match="belongs to the reading 'raters'"):
        TemporalMemory(replace(network, reading="raters"), classifier)


def test_weights_in_another_file_are_refused(network, classifier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = ModelProto.FromString(network.onnx_path.read_bytes())
    (rate,) = model.graph.initializer
    (tmp_path / "rate.bin").write_bytes(np.array([-1], np.float32).tobytes())
    rate.ClearField("float_data")
    rate.data_location = TensorProto.EXTERNAL
    rate.external_data.add(key="location", value="rate.bin")
    elsewhere = write_temporal(model.SerializeToString(), network)
    with pytest.raises(ModelError, match="keeps weights in another file"):
        TemporalMemory(elsewhere, classifier)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": 8}, "cannot be run on two faces"),
        ({"features": 3}, "cannot be run on two faces"),
    ],
)
def test_a_graph_that_is_not_what_its_sidecar_says_is_refused(network, classifier, change, message):
    with pytest.raises(ModelError, match=message):
        TemporalMemory(replace(network, **change), classifier)


def test_a_network_that_answers_with_no_probabilities_is_refused(network, classifier):
    model = ModelProto.FromString(network.onnx_path.read_bytes())
    (node,) = (each for each in model.graph.node if each.output == ["moment_probabilities"])
    node.op_type = "Neg"
    with pytest.raises(ModelError, match="moment_probabilities that sum to -"):
        TemporalMemory(write_temporal(model.SerializeToString(), network), classifier)


def test_a_network_is_read_as_it_was_written(network):
    assert load_temporal(network.onnx_path) == network


def test_it_takes_the_place_of_smoothing(network):
    settings = make_settings(temporal=network.onnx_path)
    assert (settings.temporal, settings.smooth_ms) == (network.onnx_path, 0)
    assert EngineSettings(temporal=network.onnx_path) == settings
    with pytest.raises(SettingError, match="takes the place of the smoothing"):
        EngineSettings(temporal=network.onnx_path, smooth_ms=50)
    assert make_settings(temporal="none") == make_settings()
    assert make_settings(temporal="shipped").temporal == bundled_temporal()
    with pytest.raises(SettingError, match="choose --temporal or --smooth"):
        make_settings(temporal=network.onnx_path, smooth_ms=50)
