"""The network to be scored: the ONNX artifact as mien runs it, or a Keras file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.classifier.classifier import Classifier
from mien.core.errors import ModelError
from mien.core.preprocess import NetworkInput
from mien.media.image import scale_square


def open_network(path: Path | None = None) -> Classifier:
    """Open a network by its file's suffix.

    Args:
        path: An `.onnx` file with its sidecar, or a `.keras` file; None for the shipped network.

    Raises:
        ModelError: if the file is missing, of another kind, or not usable.
    """
    if path is None or path.suffix == ".onnx":
        return Classifier(path)
    if path.suffix == ".keras":
        # Scoring the artifact must not need Keras.
        from mien.evaluation.keras_network import open_keras_network

        return open_keras_network(path)
    raise ModelError(f"{path} is no network that mien can score: expected .onnx or .keras.")


def fit_faces(faces_u8: NDArray[np.uint8], expected: NetworkInput) -> NDArray[np.uint8]:
    """Return the grey faces of a dataset as a network reads them.

    Args:
        faces_u8: (N, H, H) uint8, such as FER2013's of 48 pixels.
        expected: What the network reads: faces are scaled to its side, and grey is repeated where
            it reads colours.

    Returns:
        (N, *expected.crop_shape) uint8; the very same array where nothing is to be done.
    """
    if faces_u8.shape[1:] == expected.crop_shape:
        return faces_u8
    fitted = np.empty((len(faces_u8), expected.side, expected.side), np.uint8)
    for index, face_u8 in enumerate(faces_u8):
        fitted[index] = scale_square(face_u8, expected.side)
    return fitted if expected.channels == 1 else np.repeat(fitted[..., np.newaxis], 3, axis=3)


def short_name(path: Path) -> str:
    """Name a path from the working folder where it lies inside, for files that are committed."""
    absolute = path.resolve()
    here = Path.cwd().resolve()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)
