"""A compact residual network for 48 × 48 grey faces, made for processors without a GPU.

Against a plain ResNet (He et al. 2016, arXiv 1512.03385): the stem halves the resolution at once,
where a convolution of one channel costs next to nothing, and the shortcut of a halving block
averages before its 1 × 1 convolution, so that no pixel is skipped (He et al. 2019, arXiv
1812.01187). A block can weigh its channels by what the whole face shows (squeeze-and-excitation, Hu
et al. 2018, arXiv 1709.01507), at next to no multiply-adds.
"""

from __future__ import annotations

import keras
from keras import layers

from mien.models.config import ResidualConfig
from mien.models.normalization import FusedBatchNormalization


def build(config: ResidualConfig, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """Stack the stem and the stages on `inputs`, and average over positions.

    Args:
        config: The network's shape.
        inputs: Keras tensor (N, 48, 48, 1) in [0, 1].

    Returns:
        Keras tensor (N, filters of the last stage): what the heads read.
    """
    x = _convolution(inputs, config.stem_filters, config.activation, strides=2)
    for stage, (filters, blocks) in enumerate(
        zip(config.filters, config.blocks_per_stage, strict=True)
    ):
        for block in range(blocks):
            halve = stage > 0 and block == 0
            x = _residual_block(x, filters, config, halve=halve)
    return layers.Dropout(config.dropout)(layers.GlobalAveragePooling2D()(x))


def _residual_block(
    x: keras.KerasTensor, filters: int, config: ResidualConfig, *, halve: bool
) -> keras.KerasTensor:
    shortcut = layers.AveragePooling2D(2)(x) if halve else x
    if shortcut.shape[-1] != filters:
        shortcut = _convolution(shortcut, filters, size=1)
    x = _convolution(x, filters, config.activation, strides=2 if halve else 1)
    x = _convolution(x, filters)
    if config.squeeze_reduction:
        x = _weigh_channels(x, max(1, filters // config.squeeze_reduction))
    return layers.Activation(config.activation)(layers.Add()([shortcut, x]))


def _weigh_channels(x: keras.KerasTensor, squeezed_filters: int) -> keras.KerasTensor:
    """Multiply each channel by a weight in (0, 1) that follows from all channels' means."""
    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = layers.Conv2D(squeezed_filters, 1, activation="relu")(weights)
    weights = layers.Conv2D(x.shape[-1], 1, activation="sigmoid")(weights)
    return layers.Multiply()([x, weights])


def _convolution(
    x: keras.KerasTensor,
    filters: int,
    activation: str | None = None,
    *,
    size: int = 3,
    strides: int = 1,
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    x = FusedBatchNormalization(momentum=0.95)(x)
    return layers.Activation(activation)(x) if activation else x
