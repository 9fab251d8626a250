import json

import numpy as np
import pytest

from mien.core.artifact import Framing, apply_temperature, load_artifact, write_artifact
from mien.core.errors import ModelError


@pytest.fixture
def written(tmp_path):
    return write_artifact(
        b"a network",
        tmp_path / "new" / "emotion.onnx",
        experiment="003_spatial_dropout",
        temperature=1.25,
        crop={"haar": Framing(scale=0.9, offset_x=0.0, offset_y=0.05)},
        metrics={"accuracy": 0.66},
    )


def edit_sidecar(artifact, **changes):
    sidecar = artifact.onnx_path.with_suffix(".json")
    content = json.loads(sidecar.read_text()) | changes
    sidecar.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def test_what_is_written_is_what_is_read(written):
    assert load_artifact(written.onnx_path) == written
    assert sorted(p.name for p in written.onnx_path.parent.iterdir()) == [
        "emotion.json",
        "emotion.onnx",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ["anger"] * 7}, "angry, disgust, fear"),
        ({"labels": ["disgust", "angry", "fear", "happy", "sad", "surprise", "neutral"]}, "order"),
        ({"format_version": 99}, "format 99"),
        ({"sha256": None}, "lacks the key 'sha256'"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"input_size": 64}, "64 pixels"),
        ({"pixel_scale": 1.0}, "scaled by 1"),
        ({"crop": {"haar": {"margin": 1}}}, "wrong type"),
        ({"crop": [1]}, "wrong type"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused_with_what_was_found(written, changes, message):
    edit_sidecar(written, **changes)
    with pytest.raises(ModelError, match=message):
        load_artifact(written.onnx_path)


def test_a_path_that_cannot_be_read_is_one_clear_error(tmp_path):
    with pytest.raises(ModelError, match=r"x\.onnx cannot be read"):
        load_artifact(tmp_path / f"{'x' * 300}.onnx")


def test_a_damaged_network_is_refused(written):
    written.onnx_path.write_bytes(b"a netwurk")
    with pytest.raises(ModelError, match="damaged or was exchanged"):
        load_artifact(written.onnx_path)


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


def test_temperature_divides_the_logits():
    logits = np.array([[2.0, 0.0, -1.0, 0.5, 0.0, 0.0, 0.0]], np.float32)
    softmax = np.exp(logits) / np.exp(logits).sum()
    halved = np.exp(logits / 2) / np.exp(logits / 2).sum()
    np.testing.assert_allclose(apply_temperature(softmax, 2.0), halved, rtol=1e-5)
    assert apply_temperature(softmax, 1.0) is softmax


def test_a_certain_answer_stays_finite():
    certain = np.array([[1.0, 0, 0, 0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(apply_temperature(certain, 1.5).sum(), 1.0, rtol=1e-6)
