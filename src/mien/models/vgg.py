"""Plain convolutional networks in the manner of VGG: the published history, 000 to 009."""

from __future__ import annotations

from typing import Annotated, Literal

import keras
from keras import layers
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mien.models.normalization import FusedBatchNormalization

Rate = Annotated[float, Field(ge=0, lt=1)]
LEAKY_SLOPE = 0.1


class VGGConfig(BaseModel):
    """`[network]` of an experiment file with `family = "vgg"`.

    Attributes:
        family: "vgg".
        filters: Filters of each block's convolutions; every block halves height and width.
        convolutions_per_block: 3 × 3 convolutions in a block.
        dropout: Rate of the dropout at the end of each block, one per block.
        spatial_dropout: Rate of SpatialDropout2D (whole feature maps) at the end of each block.
        head: "flatten" keeps positions, "global_average" averages each feature map.
        dense_units: Units of the dense layers before the softmax.
        dense_dropout: Dropout after each dense layer.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    family: Literal["vgg"]
    filters: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=5)
    convolutions_per_block: int = Field(ge=1, le=4)
    dropout: list[Rate]
    spatial_dropout: list[Rate]
    head: Literal["flatten", "global_average"]
    dense_units: list[Annotated[int, Field(ge=1)]]
    dense_dropout: Rate

    @model_validator(mode="after")
    def _one_rate_per_block(self) -> VGGConfig:
        for name in ("dropout", "spatial_dropout"):
            rates = getattr(self, name)
            if len(rates) != len(self.filters):
                raise ValueError(
                    f"{name} has {len(rates)} rates for {len(self.filters)} blocks of filters"
                )
        return self


def build_vgg(config: VGGConfig, inputs: keras.KerasTensor) -> keras.KerasTensor:
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
