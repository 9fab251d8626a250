"""From an experiment's `[network]` table to a Keras model, and back to plain Keras layers."""

from __future__ import annotations

import math
from typing import Annotated, Any

import keras
import numpy as np
from keras import layers
from pydantic import Field

from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.core.preprocess import FACE_SIZE
from mien.models.normalization import FusedBatchNormalization
from mien.models.residual import ResidualConfig, build_residual
from mien.models.vgg import VGGConfig, build_vgg

NetworkConfig = Annotated[VGGConfig | ResidualConfig, Field(discriminator="family")]


def build_network(
    config: VGGConfig | ResidualConfig,
    *,
    precision: str = "float32",
    vote_head: bool = False,
    any_size: bool = False,
) -> keras.Model:
    """Build an untrained network.

    Args:
        config: The network's shape.
        precision: Keras' dtype policy to compute in, "float32" or "mixed_bfloat16"; the weights
            and the probabilities are float32 in both.
        vote_head: Whether a second softmax predicts the votes of FER+'s raters.
        any_size: Whether it takes faces of other sizes than 48 × 48 too, as a network that
            averages over positions can; the weights are the same.

    Returns:
        A functional model from (N, 48, 48, 1) float32 in [0, 1] to (N, 7) probabilities; with a
        vote head to (N, 17), these seven and then the ten shares of `VOTE_CLASSES`.
    """
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        side = None if any_size else FACE_SIZE
        inputs = keras.Input((side, side, 1), name="faces", dtype="float32")
        if isinstance(config, VGGConfig):
            features = build_vgg(config, inputs)
        else:
            features = build_residual(config, inputs)
        outputs = _softmax_head(features, len(EMOTIONS), "probabilities")
        if vote_head:
            votes = _softmax_head(features, len(VOTE_CLASSES), "votes")
            outputs = layers.Concatenate(dtype="float32")([outputs, votes])
        return keras.Model(inputs, outputs, name=config.family)
    finally:
        keras.config.set_dtype_policy(previous)


def _softmax_head(features: keras.KerasTensor, classes: int, name: str) -> keras.KerasTensor:
    return layers.Dense(classes, activation="softmax", dtype="float32", name=name)(features)


def to_plain_float32(model: keras.Model, *, vote_share: float = 0.0) -> keras.Model:
    """Copy `model` with standard Keras layers in float32, for a file that any Keras 3 opens.

    Args:
        model: A network of `build_network`.
        vote_share: Weight of the vote head in the probabilities, 0 to 1: the mean of the two
            heads, the votes' seven emotions having been made to sum to 1. Without a vote head
            it means nothing.

    Returns:
        A model from (N, 48, 48, 1) to (N, 7).
    """

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        layer_config: dict[str, Any] = layer.get_config() | {"dtype": "float32"}
        if isinstance(layer, FusedBatchNormalization):
            return layers.BatchNormalization.from_config(layer_config)
        return type(layer).from_config(layer_config)

    # Without the compilation, whose loss and metric are not plain Keras.
    uncompiled = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    copy = keras.models.clone_model(uncompiled, clone_function=plain)
    copy.set_weights(model.get_weights())
    emotions = copy.get_layer("probabilities")
    if model.output_shape[-1] == len(EMOTIONS):
        return copy
    if vote_share == 0:
        return keras.Model(copy.input, emotions.output, name=model.name)
    votes = layers.Dense(len(EMOTIONS), activation="softmax", name="votes_for_emotions")
    blended = layers.Add(name="blended_probabilities")(
        [
            layers.Rescaling(1 - vote_share)(emotions.output),
            layers.Rescaling(vote_share)(votes(emotions.input)),
        ]
    )
    # A softmax over seven of the ten logits is the ten shares restricted to these and renormalised.
    columns = np.array([VOTE_CLASSES.index(emotion) for emotion in EMOTIONS])
    kernel, bias = copy.get_layer("votes").get_weights()
    votes.set_weights([kernel[:, columns], bias[columns]])
    return keras.Model(copy.input, blended, name=model.name)


def count_multiply_adds(model: keras.Model) -> int:
    """Count the multiply-adds that the convolutions and dense layers need for one face."""
    counted = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if isinstance(layer, counted)
    )
