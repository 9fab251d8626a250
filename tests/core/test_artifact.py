import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from mien.core.artifact import Artifact, Framing, Reading, load_artifact, write_artifact
from mien.core.errors import ModelError
from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.core.preprocess import NetworkInput
from mien.core.temporal import bundled_temporal

LABELS, VOTES = "label_probabilities", "vote_probabilities"


def artifact_at(path):
    return Artifact(
        onnx_path=path,
        experiment="003_spatial_dropout",
        heads={LABELS: EMOTIONS, VOTES: VOTE_CLASSES},
        readings={
            "raters": Reading(EMOTIONS, {LABELS: 0.4, VOTES: 0.6}, 1.25, {"accuracy": 0.86}),
            "labels": Reading(EMOTIONS, {LABELS: 1.0}),
        },
        default_reading="raters",
        face_likeness="face_likeness",
        features="features",
        crop=MappingProxyType({"haar": Framing(scale=0.9, offset_x=0.0, offset_y=0.05)}),
        metrics={"accuracy": 0.66},
    )


@pytest.fixture
def written(tmp_path):
    return write_artifact(b"a network", artifact_at(tmp_path / "new" / "emotion.onnx"))


def sidecar_of(artifact):
    return json.loads(artifact.onnx_path.with_suffix(".json").read_text())


def edit_sidecar(artifact, change):
    content = sidecar_of(artifact)
    change(content)
    artifact.onnx_path.with_suffix(".json").write_text(json.dumps(content))


def test_what_is_written_is_what_is_read(written):
    assert load_artifact(written.onnx_path) == load_artifact(str(written.onnx_path)) == written
    assert sorted(p.name for p in written.onnx_path.parent.iterdir()) == [
        "emotion.json",
        "emotion.onnx",
    ]


def test_a_temporal_network_is_told_from_an_old_artifact():
    with pytest.raises(ModelError, match=r"is a temporal network; .*EngineSettings\(temporal="):
        load_artifact(bundled_temporal())


def test_a_network_of_another_kind_is_read_back(tmp_path):
    labels = ("<img onerror=alert(1)>", "=cmd()", "👩‍🔬", "Ärger")
    artifact = Artifact(
        onnx_path=tmp_path / "other.onnx",
        experiment="elsewhere",
        heads={"out": labels},
        readings={"mine": Reading(labels, {"out": 1.0})},
        default_reading="mine",
        input=NetworkInput("pixels", 64, 3, (123.7, 116.3, 103.5), (0.017, 0.0175, 0.0174)),
    )
    back = load_artifact(write_artifact(b"net", artifact).onnx_path)
    assert back.input == artifact.input
    assert back.reading().labels == labels
    assert (back.face_likeness, back.features) == (None, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format_version=1), "format 1;.* Export .* again.*mien export"),
        (lambda c: c.update(format_version=99), "format 99"),
        (lambda c: c.pop("sha256"), "lacks the key 'sha256'"),
        (lambda c: c.pop("readings"), "lacks the key 'readings'"),
        (lambda c: c["readings"]["raters"].update(temperature=0), "temperature is 0"),
        (lambda c: c["readings"]["raters"].update(temperature="warm"), "temperature is 'warm'"),
        (lambda c: c["readings"]["raters"].update(temperature=True), "temperature is True"),
        (lambda c: c["readings"]["raters"].update(temperature=1e-320), "0.01 to 100"),
        (lambda c: c["readings"]["raters"].update(temperature=10**400), "0.01 to 100"),
        (lambda c: c["input"].update(scale=[10**400]), "expected a number"),
        (lambda c: c["input"].update(mean="0"), "expected a number"),
        (lambda c: c.update(experiment="\x1b[31mred"), "holds a line break or control"),
        (lambda c: c["crop"]["haar"].update(scale="big"), "scale 'big'; expected a number"),
        (lambda c: c["crop"]["haar"].update(scale=float("nan")), "expected a number from 0.1"),
        (lambda c: c["crop"]["haar"].update(scale=0), "scale 0; expected a number from 0.1"),
        (lambda c: c["crop"]["haar"].update(offset_x=1e300), "expected a number from -5"),
        (lambda c: c["heads"].update({LABELS: [*EMOTIONS[:6], "a\u202eb"]}), "holds a line break"),
        (lambda c: c["readings"]["raters"]["shares"].update({LABELS: 0.9}), "sum to 1"),
        (lambda c: c["readings"]["raters"]["shares"].update({LABELS: "much"}), "sum to 1"),
        (lambda c: c["readings"]["labels"].update(shares={"logits": 1.0}), "reads the head"),
        (lambda c: c["readings"]["labels"].update(labels=["bored"]), "bored, which the head"),
        (lambda c: c["readings"]["labels"].update(labels=["sad", "sad"]), "each of them once"),
        (lambda c: c["readings"]["labels"].update(labels=[]), "no labels"),
        (lambda c: c["readings"]["labels"].update(labels="sad"), "expected a list"),
        (lambda c: c["heads"].update({LABELS: [*EMOTIONS[:6], "a\nb"]}), "holds a line break"),
        (lambda c: c["heads"].update({LABELS: [*EMOTIONS[:6], " "]}), "1 to 100 characters"),
        (
            lambda c: c.update(default_reading="mine"),
            "default reading is 'mine'; the artifact has raters and labels",
        ),
        (lambda c: c.update(features=LABELS), "outputs are .* expected each of them once"),
        (lambda c: c["input"].update(channels=4), "4 channels; expected 1"),
        (lambda c: c["input"].update(side=0), "side of 0"),
        (lambda c: c["input"].update(side="48"), "wrong type: found '48'"),
        (lambda c: c["input"].update(mean=[0, 0]), r"mean \[0.0, 0.0\]; expected 1 numbers"),
        (lambda c: c["input"].update(scale=[0]), "scale of 0"),
        (lambda c: c.update(crop={"haar": {"margin": 1}}), "wrong type"),
        (lambda c: c.update(crop=[1]), "wrong type"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused_with_what_was_found(written, change, message):
    edit_sidecar(written, change)
    with pytest.raises(ModelError, match=message) as told:
        load_artifact(written.onnx_path)
    assert "emotion.json" in str(told.value)


def test_seventeen_labels_are_too_many():
    labels = tuple(f"label {number}" for number in range(17))
    with pytest.raises(ModelError, match="17 labels; expected 1 to 16"):
        Reading(labels, {"head": 1.0})


def test_a_path_that_cannot_be_read_is_one_clear_error(tmp_path):
    with pytest.raises(ModelError, match=r"x\.onnx cannot be read"):
        load_artifact(tmp_path / f"{'x' * 300}.onnx")


def test_a_damaged_network_is_refused(written):
    written.onnx_path.write_bytes(b"a netwurk")
    with pytest.raises(ModelError, match="damaged or was exchanged"):
        load_artifact(written.onnx_path)


def test_a_folder_is_no_network(tmp_path):
    for folder in (tmp_path, Path()):
        with pytest.raises(ModelError, match=r"is a folder: name the \.onnx file in it"):
            load_artifact(folder)


def test_missing_files_are_named(written):
    written.onnx_path.with_suffix(".json").write_text("not json")
    with pytest.raises(ModelError, match="not a JSON file"):
        load_artifact(written.onnx_path)
    written.onnx_path.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match=r"no sidecar: expected .*emotion\.json"):
        load_artifact(written.onnx_path)
    written.onnx_path.unlink()
    with pytest.raises(ModelError, match="There is no network"):
        load_artifact(written.onnx_path)


def test_a_copy_elsewhere_has_the_same_hash(written, tmp_path):
    copy = write_artifact(b"a network", replace(written, onnx_path=tmp_path / "copy.onnx"))
    assert copy.sha256 == written.sha256
