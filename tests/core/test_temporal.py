"""The sidecar of a temporal network: what does not fit is refused with what was found."""

import json
import shutil
from dataclasses import replace

import pytest

from mien.core.artifact import load_artifact
from mien.core.errors import ModelError
from mien.core.temporal import bundled_temporal, load_temporal


@pytest.fixture
def copied(tmp_path):
    """A copy of the shipped temporal network."""
    for suffix in (".onnx", ".json"):
        path = bundled_temporal().with_suffix(suffix)
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / bundled_temporal().name


def test_the_two_networks_in_the_wheel_belong_together():
    """Where this fails, `make temporal` trains the temporal network again."""
    artifact = load_artifact()
    temporal = load_temporal(bundled_temporal())
    temporal.check_belongs_to(artifact, artifact.default_reading)


def test_another_artifact_reading_and_labels_are_refused(copied):
    temporal, artifact = load_temporal(copied), load_artifact()
    with pytest.raises(
        ModelError, match=r"belongs to the artifact 035_camera .*found .*mien train"
    ):
        temporal.check_belongs_to(replace(artifact, sha256="ab" * 32), temporal.reading)
    with pytest.raises(ModelError, match="belongs to the reading 'raters'; found 'labels'"):
        temporal.check_belongs_to(artifact, "labels")
    other = replace(temporal, labels=temporal.labels[::-1])
    with pytest.raises(ModelError, match="tells neutral, surprise"):
        other.check_belongs_to(artifact, temporal.reading)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format_version=9), "is of format 9; this mien reads format 1"),
        (lambda c: c.pop("state"), "lacks the key 'state'"),
        (lambda c: c.update(experiment=["x"]), r"wrong type: found \['x'\], expected a text"),
        (lambda c: c.update(experiment="a\nb"), "line break or control character"),
        (lambda c: c.update(face_artifact="\u202e"), "line break or control character"),
        (lambda c: c.update(reading=None), "wrong type: found None"),
        (lambda c: c.update(labels="angry"), "expected a list of texts"),
        (lambda c: c.update(labels=[]), "There are no labels"),
        (lambda c: c.update(labels=["a", "a"]), "expected each of them once"),
        (lambda c: c.update(labels=[f"{n}" for n in range(17)]), "17 labels; expected 1 to 16"),
        (lambda c: c.update(features=True), "expected a whole number"),
        (lambda c: c.update(features=-1), "number of features is -1; expected 0 to"),
        (lambda c: c.update(state=10**12), "number of state is 1000000000000"),
        (lambda c: c.update(state=4.0), "expected a whole number"),
        (lambda c: c.update(longest_elapsed_ms=float("nan")), "found nan, expected a number"),
        (lambda c: c.update(longest_elapsed_ms=0), "longest elapsed time is 0.0 ms"),
        (lambda c: c.update(metrics=3), "wrong type"),
        (lambda c: c.update(face_artifact_sha256="x"), "face artifact's SHA-256 is 'x'"),
        (lambda c: c.update(sha256="AB" * 32), "own SHA-256 is 'ABAB"),
        (lambda c: c.update(sha256="ab" * 32), "is not the network that temporal.json"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused_with_what_was_found(copied, change, message):
    sidecar = copied.with_suffix(".json")
    content = json.loads(sidecar.read_text(encoding="utf-8"))
    change(content)
    sidecar.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ModelError, match=message) as told:
        load_temporal(copied)
    assert "temporal.json" in str(told.value)


@pytest.mark.parametrize("text", ["not json", "[1]", "[" * 100_000, ""])
def test_what_is_no_sidecar_is_refused(copied, text):
    copied.with_suffix(".json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"not a JSON file|expected a JSON object"):
        load_temporal(copied)


def test_a_folder_is_no_network_over_time(tmp_path):
    with pytest.raises(ModelError, match=r"is a folder: name the \.onnx file in it"):
        load_temporal(tmp_path)


def test_missing_and_damaged_files_are_named(copied):
    copied.write_bytes(copied.read_bytes()[:-1])
    with pytest.raises(ModelError, match="damaged or was exchanged"):
        load_temporal(copied)
    copied.unlink()
    with pytest.raises(ModelError, match=r"temporal\.onnx cannot be read"):
        load_temporal(copied)
    copied.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match=r"temporal\.json: No such file"):
        load_temporal(copied)
