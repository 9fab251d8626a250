"""Plain convolutional networks in the manner of VGG: the published history, 000 to 009."""

from __future__ import annotations

import keras
from keras import layers

from mien.models.config import VGGConfig
from mien.models.normalization import FusedBatchNormalization

LEAKY_SLOPE = 0.1


def build(config: VGGConfig, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """Stack the blocks and the dense layers on `inputs`.

    Args:
        config: The network's shape.
        inputs: Keras tensor (N, 48, 48, 1) in [0, 1].

    Returns:
        Keras tensor (N, units of the last dense layer): what the softmax reads.
    """
    x = inputs
    for block, filters in enumerate(config.filters):
        for _ in range(config.convolutions_per_block):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = _normalize_and_activate(x)
        x = layers.MaxPooling2D()(x)
        if config.dropout[block]:
            x = layers.Dropout(config.dropout[block])(x)
        if config.spatial_dropout[block]:
            x = layers.SpatialDropout2D(config.spatial_dropout[block])(x)
    x = layers.Flatten()(x) if config.head == "flatten" else layers.GlobalAveragePooling2D()(x)
    for units in config.dense_units:
        x = _normalize_and_activate(layers.Dense(units, use_bias=False)(x))
        x = layers.Dropout(config.dense_dropout)(x)
    return x


def _normalize_and_activate(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.LeakyReLU(negative_slope=LEAKY_SLOPE)(FusedBatchNormalization()(x))
