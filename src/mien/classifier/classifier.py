"""The classifier: crops of faces in, what the network says of them out."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mien.classifier.backend import Backend, OnnxBackend, outputs_of
from mien.classifier.reading import read
from mien.core.artifact import Artifact, load_artifact
from mien.core.errors import ModelError
from mien.core.preprocess import check_crops, scale_pixels

LARGEST_BATCH = 64
"""More crops than this go through the network in several batches."""

_SUM_TOLERANCE = 0.02  # graphs in 8 bits round their rows


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What a classifier says of N crops.

    Attributes:
        probabilities: (N, C) float32, calibrated, in the order of the reading's labels; each row
            sums to 1.
        likeness: (N,) float32, log odds of being a face: above 0 for nine of ten faces; infinite
            where the artifact does not tell.
        features: (N, F) float32, what the heads read; None where the artifact does not tell.
        heads: Each head's own rows, (N, K) float32, by its name.
        other_columns: The head and column of each class of a head that is no label of the reading.
    """

    probabilities: NDArray[np.float32]
    likeness: NDArray[np.float32]
    features: NDArray[np.float32] | None
    heads: Mapping[str, NDArray[np.float32]]
    other_columns: Mapping[str, tuple[str, int]]

    @property
    def other_shares(self) -> dict[str, NDArray[np.float32]]:
        """(N,) float32 for each class of a head that is no label of the reading, by its name.

        mien's own networks have `contempt`, `unknown` and `not a face`: the shares of raters who
        would say so.
        """
        return {
            name: self.heads[head][:, column] for name, (head, column) in self.other_columns.items()
        }


class Classifier:
    """Says what crops of faces show. Several threads may use it.

    Args:
        artifact: A network with its sidecar beside it; None for the one that ships with mien.
        reading: Name of one of the artifact's readings; None for its default.
        backend: What runs the network; None for ONNX Runtime.
        threads: How many threads ONNX Runtime may use; None for as many as there are cores.
        provider: What ONNX Runtime runs on, `cpu`, `cuda`, …: its execution providers.

    Attributes:
        artifact: The network and what its sidecar says.
        reading_name: Name of the reading.
        reading: What is read out of the network's heads.

    Raises:
        ModelError: if the artifact is missing, damaged or not what its sidecar says.
        SettingError: if it has no such reading, or ONNX Runtime has no such provider.
    """

    def __init__(
        self,
        artifact: str | Path | Artifact | None = None,
        *,
        reading: str | None = None,
        backend: Backend | None = None,
        threads: int | None = None,
        provider: str = "cpu",
    ) -> None:
        if not isinstance(artifact, Artifact):
            artifact = load_artifact(artifact)
        self.artifact = artifact
        self._read_as(reading)
        self._backend = backend or OnnxBackend(artifact, threads=threads, provider=provider)
        self._outputs = list(outputs_of(artifact))
        self._widths = _try_out(self._backend, artifact)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the reading, in the order of the probabilities."""
        return self.reading.labels

    def with_reading(self, reading: str | None) -> Self:
        """Return the same classifier for another reading; the two share a network.

        Raises:
            SettingError: if the artifact has no such reading.
        """
        other = copy(self)
        other._read_as(reading)
        return other

    def classify(self, crops_u8: NDArray[np.uint8]) -> Outputs:
        """Say what crops show.

        Args:
            crops_u8: (N, side, side) uint8 grey or (N, side, side, 3) uint8 RGB, as the artifact's
                input says, framed as its training faces are; N may be 0.

        Raises:
            DataError: if the shape or type is another one.
        """
        check_crops(crops_u8, self.artifact.input)
        found = dict(zip(self._outputs, self._run(crops_u8), strict=True))
        artifact = self.artifact
        heads = {name: found[name] for name in artifact.heads}
        if artifact.face_likeness is None:
            likeness = np.full(len(crops_u8), np.inf, np.float32)
        else:
            likeness = found[artifact.face_likeness][:, 0]
        return Outputs(
            probabilities=read(heads, self.reading, artifact.heads),
            likeness=likeness,
            features=None if artifact.features is None else found[artifact.features],
            heads=heads,
            other_columns=self._others,
        )

    def _run(self, crops_u8: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """The outputs of the network, in the order of `_outputs`."""
        if len(crops_u8) == 0:
            return [np.empty((0, width), np.float32) for width in self._widths]
        batches = [
            self._backend.run(
                scale_pixels(crops_u8[start : start + LARGEST_BATCH], self.artifact.input),
                self._outputs,
            )
            for start in range(0, len(crops_u8), LARGEST_BATCH)
        ]
        if len(batches) == 1:
            return batches[0]
        return [np.concatenate(parts) for parts in zip(*batches, strict=True)]

    def _read_as(self, name: str | None) -> None:
        self.reading = self.artifact.reading(name)
        self.reading_name = self.artifact.default_reading if name is None else name
        self._others = {
            each: (head, column)
            for head, classes in self.artifact.heads.items()
            for column, each in enumerate(classes)
            if each not in self.reading.labels
        }


def _try_out(backend: Backend, artifact: Artifact) -> list[int]:
    """Classify two grey squares, to see that the network answers as its sidecar says.

    A graph need not state the shapes of its outputs, and states nowhere that a head's rows are
    probabilities and no logits.

    Returns:
        The width of each output.

    Raises:
        ModelError: if it answers otherwise; the message names the output.
    """
    path = artifact.onnx_path
    greys_u8 = np.stack([np.full(artifact.input.crop_shape, grey, np.uint8) for grey in (0, 128)])
    expected = outputs_of(artifact)
    try:
        found = backend.run(scale_pixels(greys_u8, artifact.input), list(expected))
    except Exception as error:  # Whatever a runtime raises, the network is at fault.
        raise ModelError(f"{path} cannot be run on two faces: {error}") from error
    for rows, (name, width) in zip(found, expected.items(), strict=True):
        if rows.ndim != 2 or rows.shape[0] != 2 or width not in (None, rows.shape[1]):
            raise ModelError(
                f"{path} gives {name} as {rows.shape} for two faces; its sidecar says "
                f"(2, {width or 'F'})."
            )
        if name == artifact.face_likeness and not np.isfinite(rows).all():
            raise ModelError(f"{path} gives {name} as {rows[:, 0]}; expected finite log odds.")
        if name in artifact.heads and (
            not np.allclose(rows.sum(axis=1), 1.0, atol=_SUM_TOLERANCE) or rows.min() < 0
        ):
            raise ModelError(
                f"{path} gives rows of {name} that sum to {rows.sum(axis=1)[0]:.4g}; expected "
                "probabilities that sum to 1: end the graph with a softmax."
            )
    return [rows.shape[1] for rows in found]
