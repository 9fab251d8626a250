from pathlib import Path

import numpy as np
import pytest

from mien.classifier.classifier import Classifier
from mien.classifier.reading import apply_temperature, read
from mien.core.artifact import Reading, write_artifact
from mien.core.errors import DataError, ModelError, SettingError
from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.core.preprocess import NetworkInput

onnx = pytest.importorskip("onnx", reason="needs mien[train]")

LABELS, VOTES = "label_probabilities", "vote_probabilities"

FACES_U8 = np.random.default_rng(5).integers(0, 256, (150, 48, 48), np.uint8)


@pytest.fixture
def opened(tmp_path, two_headed):
    """Return the function that writes a network whose sidecar says `said` of it, and opens it."""

    def open_it(network, **said):
        path = tmp_path / "emotion.onnx"
        content = network if isinstance(network, bytes) else network.SerializeToString()
        write_artifact(content, two_headed(path, **said))
        return Classifier(path, threads=1)

    return open_it


@pytest.fixture
def two_heads(tmp_path, two_headed, two_headed_network):
    artifact = two_headed(tmp_path / "emotion.onnx")
    return write_artifact(two_headed_network().SerializeToString(), artifact)


@pytest.mark.parametrize("faces", [list(FACES_U8[:2]), None])
def test_faces_that_are_no_array_are_told(two_heads, faces):
    with pytest.raises(DataError, match=r"expected one array of them all: np\.stack\(crops\)"):
        Classifier(two_heads, threads=1).classify(faces)


def test_what_is_no_path_of_a_network_is_told():
    with pytest.raises(ModelError, match="Found bytes as a network; expected the path"):
        Classifier(b"\x08\x08")  # type: ignore[arg-type]


def test_each_output_is_handed_out(two_heads):
    outputs = Classifier(two_heads, threads=1).classify(FACES_U8)
    assert outputs.probabilities.shape == (150, 7)
    assert outputs.probabilities.dtype == np.float32
    assert outputs.probabilities.sum(axis=1) == pytest.approx(np.ones(150), abs=1e-5)
    assert outputs.likeness.shape == (150,)
    assert outputs.features.shape == (150, 12)
    assert {name: rows.shape for name, rows in outputs.heads.items()} == {
        LABELS: (150, 7),
        VOTES: (150, 10),
    }
    assert list(outputs.other_shares) == ["contempt", "unknown", "not a face"]
    np.testing.assert_array_equal(outputs.other_shares["unknown"], outputs.heads[VOTES][:, 8])


def test_a_reading_restricts_renormalises_blends_and_calibrates(two_heads):
    outputs = Classifier(two_heads, threads=1).classify(FACES_U8[:9])
    votes = outputs.heads[VOTES][:, [VOTE_CLASSES.index(label) for label in EMOTIONS]]
    votes = votes / votes.sum(axis=1, keepdims=True)
    blend = 0.25 * outputs.heads[LABELS] + 0.75 * votes
    powers = blend ** (1 / 1.5)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(outputs.probabilities, expected, rtol=1e-4)


def test_the_reading_is_chosen_by_name_and_shares_the_network(two_heads):
    classifier = Classifier(two_heads, threads=1)
    assert classifier.reading_name == "raters"
    labels = classifier.with_reading("labels")
    assert (labels.reading_name, classifier.reading_name) == ("labels", "raters")
    outputs = labels.classify(FACES_U8[:3])
    np.testing.assert_array_equal(outputs.probabilities, outputs.heads[LABELS])
    chosen = Classifier(two_heads, reading="labels", threads=1).classify(FACES_U8[:3])
    np.testing.assert_array_equal(outputs.probabilities, chosen.probabilities)
    with pytest.raises(SettingError, match="no reading 'mine': expected raters or labels"):
        classifier.with_reading("mine")


def test_any_number_of_faces_is_classified_alike(two_heads):
    classifier = Classifier(two_heads, threads=1)
    together = classifier.classify(FACES_U8)
    alone = classifier.classify(FACES_U8[140:141])
    np.testing.assert_allclose(together.probabilities[140:141], alone.probabilities, atol=1e-6)
    none = classifier.classify(FACES_U8[:0])
    assert (none.probabilities.shape, none.features.shape) == ((0, 7), (0, 12))
    assert none.likeness.shape == none.other_shares["contempt"].shape == (0,)


def test_a_face_that_the_raters_take_for_none_still_has_probabilities():
    certain = np.zeros((1, 10), np.float32)
    certain[0, VOTE_CLASSES.index("not a face")] = 1.0
    reading = Reading(EMOTIONS, {"votes": 1.0}, temperature=2.0)
    found = read({"votes": certain}, reading, {"votes": VOTE_CLASSES})
    np.testing.assert_allclose(found, np.full((1, 7), 1 / 7), rtol=1e-5)


def test_another_input_is_fed_as_the_sidecar_says(opened, two_headed_network):
    seen = NetworkInput("pixels", 64, 3, (10.0, 20.0, 30.0), (0.5, 0.25, 0.125))
    classifier = opened(two_headed_network(seen=seen), input=seen)
    crops_u8 = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), np.uint8)
    scaled = (crops_u8 - np.array(seen.mean)) * np.array(seen.scale)
    (see,) = [
        onnx.numpy_helper.to_array(each)
        for each in two_headed_network(seen=seen).graph.initializer
        if each.name == "see"
    ]
    features = classifier.classify(crops_u8).features
    np.testing.assert_allclose(features, scaled.reshape(2, -1) @ see, rtol=1e-3, atol=1e-3)
    with pytest.raises(DataError, match=r"expected \(N, 64, 64, 3\) uint8: RGB faces"):
        classifier.classify(FACES_U8)


def test_a_network_without_likeness_or_features_says_so(opened, two_headed_network):
    classifier = opened(
        two_headed_network(outputs=(LABELS, VOTES)),
        face_likeness=None,
        features=None,
    )
    outputs = classifier.classify(FACES_U8[:2])
    assert list(outputs.likeness) == [np.inf, np.inf]
    assert outputs.features is None


@pytest.mark.parametrize(
    ("graph", "said", "message"),
    [
        pytest.param(
            {},
            {"heads": {LABELS: VOTE_CLASSES, VOTES: EMOTIONS}},
            r"output label_probabilities \(N, 7\) float32; its sidecar says .*\(N, 10\)",
            id="swapped heads",
        ),
        pytest.param(
            {},
            {"face_likeness": "features", "features": "face_likeness"},
            r"output features \(N, 12\) float32; its sidecar says features \(N, 1\)",
            id="swapped outputs",
        ),
        pytest.param(
            {"outputs": (LABELS, VOTES, "features")},
            {},
            r"no output face_likeness.*it has label_probabilities \(N, 7\)",
            id="missing output",
        ),
        pytest.param(
            {"seen": NetworkInput("faces", 64)},
            {},
            r"input faces \(N, 64, 64, 1\) float32; its sidecar says faces \(N, 48, 48, 1\)",
            id="another size",
        ),
        pytest.param(
            {"seen": NetworkInput("pixels")},
            {},
            r"inputs pixels \(N, 48, 48, 1\) float32; expected one, faces \(N, 48, 48, 1\)",
            id="another input",
        ),
        pytest.param(
            {"batch": 1},
            {},
            r"input faces \(1, 48, 48, 1\) float32; its sidecar says .* for any N",
            id="one face at a time",
        ),
        pytest.param(
            {"softmax": False},
            {},
            r"rows of label_probabilities that sum to .*; expected probabilities",
            id="logits",
        ),
    ],
)
def test_a_graph_that_is_not_what_its_sidecar_says_is_refused(
    opened, two_headed_network, graph, said, message
):
    with pytest.raises(ModelError, match=message):
        opened(two_headed_network(**graph), **said)


def test_weights_in_another_file_are_refused(tmp_path, opened, two_headed_network):
    path = tmp_path / "elsewhere.onnx"
    onnx.save_model(
        two_headed_network(),
        path,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    with pytest.raises(ModelError, match=r"keeps weights in another file.*expected one file"):
        opened(onnx.load(path, load_external_data=False))


def test_weights_in_another_file_are_refused_however_the_file_spells_them(
    opened, two_headed_network, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would look for them
    network = two_headed_network()
    for tensor in network.graph.initializer:
        Path(f"{tensor.name}.bin").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=f"{tensor.name}.bin")
    graph = network.SerializeToString()
    for tensor in network.graph.initializer:
        name = f"{tensor.name}.bin".encode()
        value = b"\x12" + bytes([len(name)]) + name
        graph = graph.replace(b"\x0a\x08location" + value, value + b"\x0a\x08location")
    with pytest.raises(ModelError, match="keeps weights in another file"):
        opened(graph)


def test_a_network_may_be_called_what_it_likes(opened, two_headed_network):
    network = two_headed_network()
    network.metadata_props.add(key="location", value="Berlin")
    opened(network)


def test_a_likeness_that_is_no_number_is_refused(two_heads):
    class Backend:
        def run(self, pixels, outputs):
            widths = {LABELS: 7, VOTES: 10, "face_likeness": 1, "features": 3}
            rows = [np.full((len(pixels), widths[o]), 1 / widths[o], np.float32) for o in outputs]
            rows[list(outputs).index("face_likeness")][:] = np.nan
            return rows

    with pytest.raises(ModelError, match=r"face_likeness.*expected finite log odds"):
        Classifier(two_heads, backend=Backend())


def test_an_unknown_operator_is_named(opened, two_headed_network):
    network = two_headed_network()
    network.graph.node[0].op_type = "Crumple"
    with pytest.raises(ModelError, match=r"emotion\.onnx: .*Crumple.* operators of ONNX itself"):
        opened(network)


def test_what_is_no_network_is_named(opened):
    with pytest.raises(ModelError, match=r"cannot open .*emotion\.onnx"):
        opened(b"no network")


def test_another_backend_is_asked_in_the_place_of_onnx_runtime(two_heads):
    class Backend:
        def run(self, pixels, outputs):
            widths = {LABELS: 7, VOTES: 10, "face_likeness": 1, "features": 3}
            return [np.full((len(pixels), widths[o]), 1 / widths[o], np.float32) for o in outputs]

    outputs = Classifier(two_heads, backend=Backend()).classify(FACES_U8)
    np.testing.assert_allclose(outputs.probabilities, np.full((150, 7), 1 / 7), rtol=1e-5)
    assert outputs.features.shape == (150, 3)


def test_temperature_divides_the_logits():
    logits = np.array([[2.0, 0.0, -1.0, 0.5, 0.0, 0.0, 0.0]], np.float32)
    softmax = np.exp(logits) / np.exp(logits).sum()
    halved = np.exp(logits / 2) / np.exp(logits / 2).sum()
    np.testing.assert_allclose(apply_temperature(softmax, 2.0), halved, rtol=1e-5)
    assert apply_temperature(softmax, 1.0) is softmax


def test_a_certain_answer_stays_finite():
    certain = np.array([[1.0, 0, 0, 0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(apply_temperature(certain, 1.5).sum(), 1.0, rtol=1e-6)
