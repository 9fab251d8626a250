"""A compact residual network for 48 × 48 grey faces, made for processors without a GPU.

Against a plain ResNet (He et al. 2016, arXiv 1512.03385): the stem halves the resolution at once,
where a convolution of one channel costs next to nothing, and the shortcut of a halving block
averages before its 1 × 1 convolution, so that no pixel is skipped (He et al. 2019, arXiv
1812.01187). A block can weigh its channels by what the whole face shows (squeeze-and-excitation, Hu
et al. 2018, arXiv 1709.01507), at next to no multiply-adds.
"""

from __future__ import annotations

from typing import Annotated, Literal

import keras
from keras import layers
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mien.models.normalization import FusedBatchNormalization


class ResidualConfig(BaseModel):
    """`[network]` of an experiment file with `family = "residual"`.

    Attributes:
        family: "residual".
        stem_filters: Filters of the 3 × 3 convolution that turns 48 × 48 into 24 × 24.
        filters: Filters of each stage; every stage but the first halves height and width.
        blocks_per_stage: Residual blocks of two 3 × 3 convolutions, one number per stage.
        squeeze_reduction: Every block weighs its channels, by way of this many times fewer of them;
            0 for blocks that do not.
        activation: What follows a convolution and a block, "relu" or "silu" (Ramachandran et al.
            2017, arXiv 1710.05941).
        dropout: Rate of the dropout before the softmax.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    family: Literal["residual"]
    stem_filters: int = Field(ge=1)
    filters: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=4)
    blocks_per_stage: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=4)
    squeeze_reduction: int = Field(default=0, ge=0)
    activation: Literal["relu", "silu"] = "relu"
    dropout: float = Field(ge=0, lt=1)

    @model_validator(mode="after")
    def _every_stage_has_blocks(self) -> ResidualConfig:
        if len(self.filters) != len(self.blocks_per_stage):
            raise ValueError(
                f"filters has {len(self.filters)} stages, blocks_per_stage "
                f"{len(self.blocks_per_stage)}: give one number for each stage in both"
            )
        return self


def build_residual(config: ResidualConfig, inputs: keras.KerasTensor) -> keras.KerasTensor:
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
