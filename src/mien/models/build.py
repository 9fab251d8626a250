"""From an experiment's `[network]` table to a Keras model, and back to plain Keras layers."""

from __future__ import annotations

import math
from typing import Any

import keras

from mien.core.preprocess import FACE_SIZE
from mien.models.normalization import FusedBatchNormalization
from mien.models.vgg import VGGConfig, build_vgg

NetworkConfig = VGGConfig


def build_network(config: NetworkConfig, *, precision: str = "float32") -> keras.Model:
    """Build an untrained network.

    Args:
        config: The network's shape.
        precision: Keras' dtype policy to compute in, "float32" or "mixed_bfloat16"; the weights
            and the probabilities are float32 in both.

    Returns:
        A functional model from (N, 48, 48, 1) float32 in [0, 1] to (N, 7) probabilities.
    """
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        inputs = keras.Input((FACE_SIZE, FACE_SIZE, 1), name="faces", dtype="float32")
        return keras.Model(inputs, build_vgg(config, inputs), name=config.family)
    finally:
        keras.config.set_dtype_policy(previous)


def to_plain_float32(model: keras.Model) -> keras.Model:
    """Copy `model` with standard Keras layers in float32, for a file that any Keras 3 opens."""

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        layer_config: dict[str, Any] = layer.get_config() | {"dtype": "float32"}
        if isinstance(layer, FusedBatchNormalization):
            return keras.layers.BatchNormalization.from_config(layer_config)
        return type(layer).from_config(layer_config)

    copy = keras.models.clone_model(model, clone_function=plain)
    copy.set_weights(model.get_weights())
    return copy


def count_multiply_adds(model: keras.Model) -> int:
    """Count the multiply-adds that the convolutions and dense layers need for one face."""
    counted = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if isinstance(layer, counted)
    )
