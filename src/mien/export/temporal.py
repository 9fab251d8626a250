"""From a trained temporal network to ONNX: one step, its state an input and an output."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.core.errors import ModelError
from mien.core.session import open_session
from mien.core.temporal import TEMPORAL_NAME, TemporalArtifact, write_temporal
from mien.export.keras_graph import to_bytes, to_onnx_graph
from mien.models.keras_file import open_keras_file
from mien.models.temporal import LONGEST_ELAPSED_MS, QUALITY, step_network
from mien.training.run_folder import RunFolder

LARGEST_DIFFERENCE = 1e-5
"""So far may the steps of ONNX Runtime lie from what Keras says of whole sequences."""

_OUTPUTS = ["moment_probabilities", "clip_probabilities", "next_state"]
_SEQUENCES, _MOMENTS = 8, 50


def export_temporal(run: RunFolder) -> TemporalArtifact:
    """Write `temporal.onnx` and `temporal.json` into the folder of a finished run.

    Raises:
        ModelError: if its file is missing or damaged, its steps do not give what Keras gives for
            whole sequences, or the run does not say which network of faces it belongs to.
    """
    metrics = run.read_metrics_over_time()
    network = open_keras_file(run.network)
    step = step_network(network)
    given = network.get_layer("seen")
    artifact = TemporalArtifact(
        onnx_path=run.path / TEMPORAL_NAME,
        experiment=metrics["experiment"],
        face_artifact=metrics["face_artifact"],
        face_artifact_sha256=metrics["face_artifact_sha256"],
        reading=metrics["reading"],
        labels=tuple(metrics["labels"]),
        features=given.features,
        state=step.input["state"].shape[1],
        longest_elapsed_ms=LONGEST_ELAPSED_MS,
        metrics={name: value for name, value in metrics.items() if isinstance(value, int | float)},
    )
    graph = _to_onnx(step)
    _check_steps(network, graph, artifact)
    return write_temporal(graph, artifact)


def _to_onnx(step: keras.Model) -> bytes:
    """Convert the step; the exporter wants to see it called."""
    zeros = {name: np.zeros((1, each.shape[1]), np.float32) for name, each in step.input.items()}
    step({name: keras.ops.array(rows) for name, rows in zeros.items()})
    return to_bytes(to_onnx_graph(step))


def _check_steps(network: keras.Model, graph: bytes, artifact: TemporalArtifact) -> None:
    """Run drawn sequences step by step, several faces at once, and as a whole.

    Raises:
        ModelError: if the two differ.
    """
    session = open_session(graph, str(artifact.onnx_path), threads=1)
    observed = _drawn(artifact)
    labels = len(artifact.labels)
    logits = network.predict(observed, verbose=0)
    state = np.zeros((_SEQUENCES, artifact.state), np.float32)
    ends = np.cumsum([artifact.features, labels, QUALITY])
    names = ("features", "probabilities", "quality", "elapsed_ms")
    worst = 0.0
    for moment in range(_MOMENTS):
        parts: dict[str, Any] = dict(
            zip(names, np.split(observed[:, moment], ends, axis=1), strict=True)
        )
        moments, clips, state = session.run(_OUTPUTS, {**parts, "state": state})
        for said, row in (
            (moments, logits[:, moment, :labels]),
            (clips, logits[:, moment, labels:]),
        ):
            powers = np.exp(row - row.max(axis=1, keepdims=True))
            expected = powers / powers.sum(axis=1, keepdims=True)
            worst = max(worst, float(np.abs(said - expected).max()))
    if not worst <= LARGEST_DIFFERENCE:  # A NaN is no small difference.
        raise ModelError(
            f"ONNX Runtime's steps differ by {worst:.2g} from what Keras says of whole sequences; "
            f"expected at most {LARGEST_DIFFERENCE:g}. {artifact.onnx_path} was not written."
        )


def _drawn(artifact: TemporalArtifact) -> NDArray[np.float32]:
    random = np.random.default_rng(0)
    shape = (_SEQUENCES, _MOMENTS)
    parts = [
        random.normal(size=(*shape, artifact.features)),
        random.dirichlet(np.full(len(artifact.labels), 0.3), shape),
        random.uniform(0, 2, (*shape, QUALITY)),
        random.uniform(10, LONGEST_ELAPSED_MS, (*shape, 1)),
    ]
    return np.concatenate(parts, axis=2, dtype=np.float32)
