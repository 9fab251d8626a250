"""A compact residual network for 48 × 48 grey faces, made for processors without a GPU.

Against a plain ResNet (He et al. 2016, arXiv 1512.03385): the stem halves the resolution at once,
where a convolution of one channel costs next to nothing, and the shortcut of a halving block
averages before its 1 × 1 convolution, so that no pixel is skipped (He et al. 2019, arXiv
1812.01187).
"""

from __future__ import annotations

from typing import Annotated, Literal

import keras
from keras import layers
from pydantic import BaseModel, ConfigDict, Field

from mien.models.normalization import FusedBatchNormalization


class ResidualConfig(BaseModel):
    """`[network]` of an experiment file with `family = "residual"`.

    Attributes:
        family: "residual".
        stem_filters: Filters of the 3 × 3 convolution that turns 48 × 48 into 24 × 24.
        filters: Filters of each stage; every stage but the first halves height and width.
        blocks_per_stage: Residual blocks of two 3 × 3 convolutions, one number per stage.
        dropout: Rate of the dropout before the softmax.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    family: Literal["residual"]
    stem_filters: int = Field(ge=1)
    filters: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=4)
    blocks_per_stage: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=4)
    dropout: float = Field(ge=0, lt=1)


def build_residual(config: ResidualConfig, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """Stack the stem and the stages on `inputs`, and average over positions.

    Args:
        config: The network's shape.
        inputs: Keras tensor (N, 48, 48, 1) in [0, 1].

    Returns:
        Keras tensor (N, filters of the last stage): what the heads read.
    """
    x = _convolution(inputs, config.stem_filters, strides=2)
    for stage, (filters, blocks) in enumerate(
        zip(config.filters, config.blocks_per_stage, strict=True)
    ):
        for block in range(blocks):
            x = _residual_block(x, filters, halve=stage > 0 and block == 0)
    return layers.Dropout(config.dropout)(layers.GlobalAveragePooling2D()(x))


def _residual_block(x: keras.KerasTensor, filters: int, *, halve: bool) -> keras.KerasTensor:
    shortcut = layers.AveragePooling2D(2)(x) if halve else x
    if shortcut.shape[-1] != filters:
        shortcut = _convolution(shortcut, filters, size=1, activate=False)
    x = _convolution(x, filters, strides=2 if halve else 1)
    x = _convolution(x, filters, activate=False)
    return layers.ReLU()(layers.Add()([shortcut, x]))


def _convolution(
    x: keras.KerasTensor, filters: int, *, size: int = 3, strides: int = 1, activate: bool = True
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
    return layers.ReLU()(x) if activate else x
