"""`[network]` of an experiment file: the shapes that each family of networks takes.

Nothing here imports Keras, so that a recipe is read and checked without it. The module of the same
name as a family builds its networks (`mien.models.build`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Table(BaseModel):
    """A table of an experiment file: no key is unknown, no number infinite, no type converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class VGGConfig(Table):
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

    family: Literal["vgg"]
    filters: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=5)
    convolutions_per_block: int = Field(ge=1, le=4)
    dropout: list[Fraction]
    spatial_dropout: list[Fraction]
    head: Literal["flatten", "global_average"]
    dense_units: list[Annotated[int, Field(ge=1)]]
    dense_dropout: Fraction

    @property
    def decisions(self) -> list[str]:
        """The key decisions behind this shape, each with its reason."""
        lines = [
            "Blocks of 3 × 3 convolutions, each of which halves the picture, after VGG (Simonyan "
            "and Zisserman 2014): two small kernels see as much as a large one with fewer weights.",
            "Batch normalisation after every convolution and dense layer, and no biases: its shift "
            "is one. In the artifact it is folded into the weights.",
            "LeakyReLU instead of ReLU: no unit is lost because it answers 0 to every face.",
        ]
        if any(self.spatial_dropout):
            lines.append(
                "SpatialDropout2D: neighbouring values of a feature map say nearly the same, so "
                "whole maps are dropped (Tompson et al. 2015)."
            )
        if self.head == "flatten":
            lines.append("Flattening before the dense layers keeps where on the face a feature is.")
        else:
            lines.append(
                "Global average pooling before the dense layers: few weights, and the place of a "
                "feature is lost."
            )
        return lines

    @model_validator(mode="after")
    def _one_rate_per_block(self) -> VGGConfig:
        for name in ("dropout", "spatial_dropout"):
            rates = getattr(self, name)
            if len(rates) != len(self.filters):
                raise ValueError(
                    f"{name} has {len(rates)} rates for {len(self.filters)} blocks of filters"
                )
        return self


class ResidualConfig(Table):
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

    family: Literal["residual"]
    stem_filters: int = Field(ge=1)
    filters: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=4)
    blocks_per_stage: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=4)
    squeeze_reduction: int = Field(default=0, ge=0)
    activation: Literal["relu", "silu"] = "relu"
    dropout: float = Field(ge=0, lt=1)

    @property
    def decisions(self) -> list[str]:
        """The key decisions behind this shape, each with its reason."""
        lines = [
            "A stem that halves the picture at once: a quarter of the multiply-adds in each stage.",
            "Residual blocks of two 3 × 3 convolutions (He et al. 2015): depth that trains.",
            "Global average pooling: few weights where a plain network has most of its own.",
        ]
        if self.squeeze_reduction:
            lines.append(
                "Every block weighs its channels (squeeze and excitation, Hu et al. 2017): a few "
                "weights more let it look for other things in other faces."
            )
        return lines

    @model_validator(mode="after")
    def _every_stage_has_blocks(self) -> ResidualConfig:
        if len(self.filters) != len(self.blocks_per_stage):
            raise ValueError(
                f"filters has {len(self.filters)} stages, blocks_per_stage "
                f"{len(self.blocks_per_stage)}: give one number for each stage in both"
            )
        return self


class PretrainedConfig(Table):
    """What the families have in common whose weights others have published.

    Attributes:
        pretrained: Whether it starts from the published weights, or from random ones.
        side: Height and width that faces are enlarged to in the graph, in pixels.
        dropout: Rate of the dropout before the softmax.
    """

    pretrained: bool
    side: int = Field(ge=48, le=224)
    dropout: Fraction

    @property
    def decisions(self) -> list[str]:
        """The key decisions behind this shape, each with its reason."""
        lines = [
            "Faces are enlarged, and repeated to three channels, inside the graph: the artifact's "
            "input stays that of every other network.",
        ]
        if self.pretrained:
            lines.append("It starts from published weights.")
        return lines


class DlibResNetConfig(PretrainedConfig):
    """`[network]` of an experiment file with `family = "dlib_resnet"`.

    Attributes:
        family: "dlib_resnet"; the weights have learnt to tell people apart.
        blocks: How many of dlib's 14 residual blocks it keeps, from the input on.
    """

    family: Literal["dlib_resnet"]
    blocks: int = Field(ge=1, le=14)

    @model_validator(mode="after")
    def _faces_outlast_the_blocks(self) -> DlibResNetConfig:
        # The stem and its pooling, then the blocks that halve, all without padding.
        left = ((self.side - 7) // 2 + 1 - 3) // 2 + 1
        for block in (4, 8, 11, 14):
            if self.blocks >= block:
                left = (left - 3) // 2 + 1
        if left < 1:
            raise ValueError(
                f"faces of {self.side} pixels are gone before block {self.blocks}: give a larger "
                "side, or fewer blocks"
            )
        return self


class EfficientNetLite0Config(PretrainedConfig):
    """`[network]` of an experiment file with `family = "efficientnet_lite0"`.

    Attributes:
        family: "efficientnet_lite0"; the weights have learnt ImageNet's 1,000 classes.
    """

    family: Literal["efficientnet_lite0"]


class MobileNetV2Config(PretrainedConfig):
    """`[network]` of an experiment file with `family = "mobilenet_v2"`.

    Attributes:
        family: "mobilenet_v2"; the weights have learnt ImageNet's 1,000 classes.
        alpha: Factor on the number of filters.
        weights: "imagenet" for what `keras.applications` downloads, or the path of such a file.
    """

    family: Literal["mobilenet_v2"]
    alpha: float = Field(default=1.0, gt=0)
    weights: str = "imagenet"


class TemporalConfig(Table):
    """`[network]` of an experiment file with `family = "temporal"`: a temporal network.

    Attributes:
        family: "temporal".
        cell: "gru", "lstm", or "convolution" over the latest `moments` time steps.
        units: Hidden units.
        moments: How many time steps a convolution sees, the present one among them.
        dropout: Part of the face artifact's features that are left out in training.
    """

    family: Literal["temporal"]
    cell: Literal["gru", "lstm", "convolution"] = "gru"
    units: int = Field(default=32, ge=1, le=512)
    moments: int = Field(default=6, ge=2, le=64)
    dropout: Fraction = 0.5

    @property
    def decisions(self) -> list[str]:
        """The key decisions behind this shape, each with its reason."""
        return [
            "What it remembers fades with the time that passed, not with the number of frames: it "
            "does the same at 5 and at 60 frames a second.",
            "At the start it is the engine's smoother; what it learns is added to that.",
        ]


NetworkConfig = Annotated[
    VGGConfig
    | ResidualConfig
    | DlibResNetConfig
    | EfficientNetLite0Config
    | MobileNetV2Config
    | TemporalConfig,
    Field(discriminator="family"),
]
