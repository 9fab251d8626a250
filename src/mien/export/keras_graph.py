"""A Keras network as an ONNX graph."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import keras
import onnx

from mien.core.errors import ModelError


def to_onnx_graph(network: keras.Model) -> onnx.ModelProto:
    """Convert a network with Keras' exporter; the same network gives the same nodes.

    The exporter walks sets of names, whose order is another in each process, and by it drops a
    reshape that does nothing or leaves it. Here all of them go.

    Args:
        network: It has been called: Keras exports nothing else.

    Raises:
        ModelError: if it computes something for which ONNX has no operator.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        with warnings.catch_warnings():
            # Keras asks NumPy for an alias that NumPy took away, to give it back to tf2onnx.
            warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
            network.export(path, format="onnx", verbose=False)
        model = onnx.load(path)
    unknown = {
        node.op_type
        for node in model.graph.node
        if not node.domain and not onnx.defs.has(node.op_type)
    }
    if unknown:
        raise ModelError(
            f"The network computes {', '.join(sorted(unknown))}, for which ONNX has no operator. "
            "Layers that augment (RandomFlip, RandomRotation, …) belong to the training: build the "
            "network without them, give it the weights of the other layers, and save it again."
        )
    model.graph.doc_string = ""  # It names the temporary folder.
    _drop_idle_reshapes(model)
    return model


def _drop_idle_reshapes(model: onnx.ModelProto) -> None:
    """Take out each `Reshape` that gives every picture the shape that it has."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info)
    }
    constants = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    stands_for: dict[str, str] = {}
    kept = []
    for node in model.graph.node:
        node.input[:] = [stands_for.get(name, name) for name in node.input]
        if node.op_type == "Reshape" and node.input[1] in constants:
            before, target = node.input
            wanted = onnx.numpy_helper.to_array(constants[target]).tolist()
            is_idle = before in shapes and wanted == [-1, *shapes[before][1:]]
            if is_idle and node.output[0] not in outputs:
                stands_for[node.output[0]] = before
                continue
        kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Check a graph and return its file's content, the same for the same graph."""
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
