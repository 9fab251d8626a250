"""What runs a network: one protocol, and ONNX Runtime behind it.

Another runtime is one class more. Keras' is `mien.models.keras_file.KerasBackend`, which the train
column brings along: nothing in here imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.core.artifact import Artifact
from mien.core.errors import ModelError
from mien.core.session import open_session
from mien.core.sidecar import read_network


class Backend(Protocol):
    """Runs one network. Several threads may use it."""

    def run(self, pixels: NDArray[np.float32], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return the outputs of those names, in that order, each (N, width) float32.

        Args:
            pixels: (N, side, side, channels) float32, scaled as the artifact's input says; N is at
                least 1.
            outputs: Names out of `outputs_of(artifact)`.
        """
        ...


class OnnxBackend:
    """ONNX Runtime.

    Args:
        artifact: The network and its sidecar.
        threads: How many threads ONNX Runtime may use; None for as many as there are cores.
        provider: What ONNX Runtime runs on, `cpu`, `cuda`, …: its execution providers.

    Raises:
        ModelError: if the file is damaged, no network, keeps weights in another file, uses an
            operator that ONNX Runtime does not know, or its graph is not what the sidecar says; or
            ONNX Runtime has no such provider.
    """

    def __init__(
        self, artifact: Artifact, *, threads: int | None = None, provider: str = "cpu"
    ) -> None:
        path = artifact.onnx_path
        network = read_network(path, artifact.sha256)
        self._session = open_session(network, str(path), threads=threads, provider=provider)
        self._input_name = artifact.input.name
        _check_graph(artifact, self._session.get_inputs(), self._session.get_outputs())

    def run(self, pixels: NDArray[np.float32], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Run the network; see `Backend`."""
        found: list[NDArray[np.float32]] = self._session.run(outputs, {self._input_name: pixels})
        return found


def outputs_of(artifact: Artifact) -> dict[str, int | None]:
    """The width of each output that a sidecar names; None where it does not say."""
    widths: dict[str, int | None] = {head: len(classes) for head, classes in artifact.heads.items()}
    if artifact.face_likeness is not None:
        widths[artifact.face_likeness] = 1
    if artifact.features is not None:
        widths[artifact.features] = None
    return widths


def _check_graph(artifact: Artifact, inputs: Sequence[_Value], outputs: Sequence[_Value]) -> None:
    """Refuse a graph whose inputs and outputs are not those of the sidecar."""
    path, read = artifact.onnx_path, artifact.input
    wanted = (None, read.side, read.side, read.channels)
    if [value.name for value in inputs] != [read.name]:
        raise ModelError(
            f"{path} has the inputs {_listed(inputs)}; expected one, {read.name} {_shape(wanted)} "
            "float32."
        )
    _check_value(artifact, "input", inputs[0], wanted)
    by_name = {value.name: value for value in outputs}
    for name, width in outputs_of(artifact).items():
        if name not in by_name:
            raise ModelError(
                f"{path} has no output {name}, which its sidecar names: it has {_listed(outputs)}."
            )
        _check_value(artifact, "output", by_name[name], (None, width))


def _check_value(
    artifact: Artifact, kind: str, value: _Value, wanted: tuple[int | None, ...]
) -> None:
    fits = len(value.shape) == len(wanted) and all(
        side is None or not isinstance(found, int) or found == side
        for found, side in zip(value.shape, wanted, strict=True)
    )
    # A graph of a fixed number of faces would fail at the first picture of another number.
    is_open = bool(value.shape) and not isinstance(value.shape[0], int)
    if value.type != "tensor(float)" or not fits or not is_open:
        raise ModelError(
            f"{artifact.onnx_path} has the {kind} {_described(value)}; its sidecar says "
            f"{value.name} {_shape(wanted)} float32, for any N."
        )


class _Value(Protocol):
    """What ONNX Runtime says of an input or output (`onnxruntime.NodeArg`)."""

    name: str
    type: str
    shape: list[int | str | None]


def _listed(values: Sequence[_Value]) -> str:
    return ", ".join(map(_described, values)) or "none"


def _described(value: _Value) -> str:
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    kind = {"float": "float32", "double": "float64"}.get(kind, kind)
    return f"{value.name} {_shape(value.shape)} {kind}"


def _shape(sides: Sequence[int | str | None]) -> str:
    named = ["N" if i == 0 and not isinstance(s, int) else s or "?" for i, s in enumerate(sides)]
    return f"({', '.join(map(str, named))})"
