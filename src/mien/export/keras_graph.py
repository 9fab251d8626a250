"""A Keras network as an ONNX graph."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import keras
import onnx


def to_onnx_graph(network: keras.Model) -> onnx.ModelProto:
    """Convert a network with Keras' exporter.

    Args:
        network: It has been called: Keras exports nothing else.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        with warnings.catch_warnings():
            # Keras asks NumPy for an alias that NumPy took away, to give it back to tf2onnx.
            warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
            network.export(path, format="onnx", verbose=False)
        model = onnx.load(path)
    model.graph.doc_string = ""  # It names the temporary folder.
    return model


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Check a graph and return its file's content, the same for the same graph."""
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
