"""From an experiment's `[network]` table to a Keras model, and back to plain Keras layers."""

from __future__ import annotations

import importlib
import math
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from mien.core.preprocess import FACE_SIZE
from mien.models.config import DlibResNetConfig, NetworkConfig, PretrainedConfig
from mien.models.heads import FEATURES, HEADS, LABEL_HEAD, VOTE_HEAD
from mien.models.normalization import FusedBatchNormalization


def build_network(
    config: NetworkConfig,
    *,
    precision: str = "float32",
    classes: int = len(HEADS[LABEL_HEAD]),
    vote_head: bool = False,
    any_size: bool = False,
) -> keras.Model:
    """Build an untrained network.

    Args:
        config: The network's shape.
        precision: Keras' dtype policy to compute in, "float32" or "mixed_bfloat16"; the weights
            and the probabilities are float32 in both.
        classes: How many the label head tells apart.
        vote_head: Whether a second softmax predicts the votes of FER+'s raters.
        any_size: Whether it takes faces of other sizes than 48 × 48 too, as a network that
            averages over positions can; the weights are the same.

    Returns:
        A functional model from (N, 48, 48, 1) float32 in [0, 1] to named outputs: `LABEL_HEAD`,
        with a vote head `VOTE_HEAD`, and `FEATURES` (see `mien.models.heads`).
    """
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        side = None if any_size else FACE_SIZE
        inputs = keras.Input((side, side, 1), name="faces", dtype="float32")
        family = importlib.import_module(f"mien.models.{config.family}")
        features = family.build(config, inputs)
        outputs = {LABEL_HEAD: _softmax_head(features, LABEL_HEAD, classes)}
        if vote_head:
            outputs[VOTE_HEAD] = _softmax_head(features, VOTE_HEAD, len(HEADS[VOTE_HEAD]))
        return keras.Model(inputs, {FEATURES: features, **outputs}, name=config.family)
    finally:
        keras.config.set_dtype_policy(previous)


def check_weights(config: NetworkConfig) -> None:
    """See that the weights are there that a network would start from; nothing is downloaded.

    Raises:
        MissingExtraError: if the package with the weights is not installed.
        ModelError: if its file is another one, or a file that is named is not there.
    """
    if isinstance(config, PretrainedConfig) and config.pretrained:
        importlib.import_module(f"mien.models.{config.family}").check_weights(config)


def load_pretrained(network: keras.Model, config: NetworkConfig) -> None:
    """Give a network the weights published for its family, if its shape asks for them.

    Args:
        network: What `build_network` made of `config`.
        config: The network's shape.

    Raises:
        MissingExtraError: if the package with the weights is not installed.
        ModelError: if its file is another one, or none can be had.
    """
    if isinstance(config, PretrainedConfig) and config.pretrained:
        family = importlib.import_module(f"mien.models.{config.family}")
        family.load_pretrained(network, config)


def take_statistics(
    network: keras.Model, config: NetworkConfig, faces_u8: NDArray[np.uint8]
) -> None:
    """Set the normalization of published weights that came without one; see `dlib_resnet`.

    Args:
        network: A network with the weights of `load_pretrained`.
        config: The network's shape.
        faces_u8: (N, 48, 48) uint8, training faces.
    """
    if isinstance(config, DlibResNetConfig) and config.pretrained:
        from mien.models import dlib_resnet

        names = list(dlib_resnet.convolution_names(config.blocks))
        dlib_resnet.take_statistics(network, names, faces_u8)


def _softmax_head(features: keras.KerasTensor, head: str, classes: int) -> keras.KerasTensor:
    dense = layers.Dense(classes, activation="softmax", dtype="float32", name=head)
    return dense(features)


def join_heads(network: keras.Model) -> keras.Model:
    """Return a network with its heads side by side in one output, for one loss over both.

    Args:
        network: A network of `build_network`, with which the result shares its weights.

    Returns:
        A model to (N, C), the probabilities of the labels; with a vote head to (N, C + 10), these
        and then the ten of the votes.
    """
    heads = [network.output[head] for head in HEADS if head in network.output]
    joined = layers.Concatenate(dtype="float32")(heads) if len(heads) > 1 else heads[0]
    return keras.Model(network.inputs[0], joined, name=network.name)


def to_plain_float32(network: keras.Model) -> keras.Model:
    """Copy a network with standard Keras layers in float32, for a file that any Keras 3 opens.

    Args:
        network: A network of `build_network`.

    Returns:
        A model with the same outputs.
    """

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        layer_config: dict[str, Any] = layer.get_config() | {"dtype": "float32"}
        if isinstance(layer, FusedBatchNormalization):
            return layers.BatchNormalization.from_config(layer_config)
        return type(layer).from_config(layer_config)

    copy = keras.models.clone_model(network, clone_function=plain)
    copy.set_weights(network.get_weights())
    return copy


def count_multiply_adds(model: keras.Model) -> int:
    """Count the multiply-adds that the convolutions and dense layers need for one face."""
    counted = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if isinstance(layer, counted)
    )
