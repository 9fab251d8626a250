"""The network to be scored: the ONNX artifact as mien runs it, or a Keras file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.core.artifact import load_artifact
from mien.core.errors import ModelError
from mien.recognizer import Recognizer


@dataclass(frozen=True, slots=True)
class Network:
    """A network that can be scored.

    Attributes:
        path: Its file.
        sha256: SHA-256 of that file, in hexadecimal.
        experiment: Name of the experiment that trained it, or "unknown".
        temperature: What `classify` has already applied; 1.0 for a Keras file.
        classify: From (N, 48, 48) uint8 faces to (N, 7) float32 probabilities.
    """

    path: Path
    sha256: str
    experiment: str
    temperature: float
    classify: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def open_network(path: Path | None = None) -> Network:
    """Open a network by its file's suffix.

    Args:
        path: An `.onnx` file with its sidecar, or a `.keras` file; None for the shipped artifact.

    Raises:
        ModelError: if the file is missing, of another kind, or not usable.
    """
    if path is None or path.suffix == ".onnx":
        artifact = load_artifact(path)
        return Network(
            path=artifact.onnx_path,
            sha256=artifact.sha256,
            experiment=artifact.experiment,
            temperature=artifact.temperature,
            # Nothing is detected here; Haar's cascade is the detector that needs no file.
            classify=Recognizer(artifact, detector="haar").classify,
        )
    if path.suffix == ".keras":
        # Scoring the artifact must not need Keras.
        from mien.evaluation.keras_file import experiment_of, load_keras_model, run_keras

        return Network(
            path=path,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            experiment=experiment_of(path),
            temperature=1.0,
            classify=partial(run_keras, load_keras_model(path)),
        )
    raise ModelError(f"{path} is no network that mien can score: expected .onnx or .keras.")


def short_name(path: Path) -> str:
    """Name a path from the working folder where it lies inside, for files that are committed."""
    absolute = path.resolve()
    here = Path.cwd().resolve()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)
