"""A temporal network instead of the smoother: a `mien.engine.tracks.TrackMemory`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier
from mien.core.errors import ModelError
from mien.core.session import open_session
from mien.core.sidecar import read_network
from mien.core.temporal import TemporalArtifact, load_temporal
from mien.engine.smoothing import HeldLabel
from mien.engine.tracks import Observation
from mien.faces.gate import Quality
from mien.faces.tracker import RETURN_MS

QUALITY_MEASURES = ("brightness", "contrast", "sharpness", "likeness")
"""What a temporal network reads of `mien.faces.gate.Quality`, in this order."""

_OUTPUTS = ["moment_probabilities", "clip_probabilities", "next_state"]
_LARGEST_LIKENESS = 20.0  # log odds; infinite where the artifact does not tell


def measures_of(quality: Quality) -> list[float]:
    """Return the `QUALITY_MEASURES` of one face."""
    measures = [float(getattr(quality, name)) for name in QUALITY_MEASURES]
    return [*measures[:-1], min(measures[-1], _LARGEST_LIKENESS)]


@dataclass(slots=True, eq=False)
class _Memory:
    state: NDArray[np.float32]  # (1, S)
    seen_ms: float
    label: HeldLabel
    whole: NDArray[np.float32]  # (C,)


class TemporalMemory:
    """Makes of what a face shows what a temporal network says of it.

    The label changes as the smoother's does: at once where another is well ahead, else after a
    while. A person who comes back under the old number is remembered, so that the answer for all
    so far is one for both parts.

    Args:
        artifact: The network, or its file.
        classifier: What it belongs to.

    Raises:
        ModelError: if the files are not usable, or belong to another face artifact or reading.
    """

    keep_ms = RETURN_MS

    def __init__(self, artifact: str | Path | TemporalArtifact, classifier: Classifier) -> None:
        if not isinstance(artifact, TemporalArtifact):
            artifact = load_temporal(artifact)
        artifact.check_belongs_to(classifier.artifact, classifier.reading_name)
        self.artifact = artifact
        self.network_sha256 = artifact.sha256
        path = artifact.onnx_path
        self._session = open_session(read_network(path, artifact.sha256), str(path), threads=1)
        self._try_out()
        self._memories: dict[int, _Memory] = {}

    def observe(self, track_id: int, seen: Observation) -> tuple[NDArray[np.float32], int]:
        """Take in what one face shows now; see `TrackMemory`."""
        now_ms = seen.timestamp_ms
        memory = self._memories.get(track_id)
        if memory is None:
            state = np.zeros((1, self.artifact.state), np.float32)
            elapsed_ms = self.artifact.longest_elapsed_ms
        else:
            state, elapsed_ms = memory.state, now_ms - memory.seen_ms
        features = np.zeros(0, np.float32) if seen.features is None else seen.features
        assert seen.quality is not None  # The engine measures every face.
        moments, wholes, state = self._step(
            features=features[np.newaxis],
            probabilities=seen.probabilities[np.newaxis],
            quality=np.array([measures_of(seen.quality)], np.float32),
            elapsed_ms=np.array([[elapsed_ms]], np.float32),
            state=state,
        )
        shown, whole = moments[0], wholes[0]
        if memory is None:
            memory = _Memory(state, now_ms, HeldLabel(shown, now_ms), whole)
            self._memories[track_id] = memory
        memory.state, memory.seen_ms, memory.whole = state, now_ms, whole
        return shown, memory.label.follow(shown, now_ms)

    def whole(self, track_id: int) -> NDArray[np.float32] | None:
        """Return what the network says of all that a track showed so far; see `TrackMemory`."""
        memory = self._memories.get(track_id)
        return None if memory is None else memory.whole

    def forget_all_but(self, track_ids: Collection[int]) -> None:
        """Drop the states of the tracks that are over."""
        for track_id in self._memories.keys() - set(track_ids):
            del self._memories[track_id]

    def _step(self, **inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = self._session.run(_OUTPUTS, inputs)
        return found

    def _try_out(self) -> None:
        """Take in one moment of two faces, to see that the network answers as its sidecar says.

        Raises:
            ModelError: if it answers otherwise; the message names the output.
        """
        path, labels = self.artifact.onnx_path, len(self.artifact.labels)
        try:
            found = self._step(
                features=np.zeros((2, self.artifact.features), np.float32),
                probabilities=np.full((2, labels), 1 / labels, np.float32),
                quality=np.ones((2, len(QUALITY_MEASURES)), np.float32),
                elapsed_ms=np.full((2, 1), self.artifact.longest_elapsed_ms, np.float32),
                state=np.zeros((2, self.artifact.state), np.float32),
            )
        except Exception as error:  # Whatever a runtime raises, the network is at fault.
            raise ModelError(f"{path} cannot be run on two faces: {error}") from error
        for rows, name, width in zip(
            found, _OUTPUTS, (labels, labels, self.artifact.state), strict=True
        ):
            if rows.shape != (2, width) or not np.isfinite(rows).all():
                raise ModelError(
                    f"{path} gives {name} as {rows.shape} for two faces, or no finite numbers; its "
                    f"sidecar says (2, {width})."
                )
            if name != _OUTPUTS[-1] and (
                not np.allclose(rows.sum(axis=1), 1.0, atol=1e-3) or rows.min() < 0
            ):
                raise ModelError(
                    f"{path} gives rows of {name} that sum to {rows.sum(axis=1)[0]:.4g}; expected "
                    "probabilities that sum to 1."
                )
