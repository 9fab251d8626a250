"""dlib's face recognition network (King 2017), made to read 48 × 48 grey faces.

A residual network of 3 × 3 convolutions (He et al. 2016), trained by dlib's author on about three
million faces to tell people apart; CC0, in the package `face-recognition-models`. Faces are
enlarged in the graph. Grey is the same in all three of dlib's channels, so that the first
convolution's three kernels are added up, and what dlib takes from each channel goes into the offset
behind it: the same function of a grey face, at a third of the cost.

dlib folded the normalization into a scale and an offset. Here a fresh batch normalization stands in
their place: `take_statistics` first sets it from the statistics of its inputs, so that the network
computes what dlib's does. Otherwise the first training step would destroy it.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from mien.core.preprocess import scale_pixels
from mien.models.config import DlibResNetConfig
from mien.models.dlib_file import Convolution, read_dlib_file
from mien.models.normalization import FusedBatchNormalization
from mien.models.pretrained import enlarge, find_weights

PACKAGE = "face_recognition_models"
FILE = "models/dlib_face_recognition_resnet_model_v1.dat"
SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"

CHANNEL_MEANS = (122.782, 117.001, 104.298)
"""What dlib takes from red, green and blue (0 to 255), before it divides by `INPUT_SCALE`."""

INPUT_SCALE = 256.0

BLOCKS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
"""Filters and blocks of each stage; every stage but the first begins with a block that halves."""

_STEM_SIDE = 7
_FACES_FOR_STATISTICS = 2048


def build(config: DlibResNetConfig, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """Stack the stem and the first blocks on `inputs`, and average over positions.

    Args:
        config: The network's shape.
        inputs: Keras tensor (N, 48, 48, 1) in [0, 1].

    Returns:
        Keras tensor (N, filters of the last block): what the heads read.
    """
    x = enlarge(inputs, config.side)
    # dlib pads nothing where a convolution strides.
    x = _convolution(x, BLOCKS[0][0], _STEM_SIDE, strides=2, padding="valid", name="stem")
    x = layers.MaxPooling2D(3, strides=2)(layers.Activation("relu")(x))
    for number, (filters, halves) in enumerate(_blocks(config.blocks)):
        x = _block(x, filters, halves=halves, name=f"block_{number}")
    return layers.Dropout(config.dropout)(layers.GlobalAveragePooling2D()(x))


def check_weights(config: DlibResNetConfig) -> None:  # noqa: ARG001
    """See that dlib's weights are there, for a network of any shape; see `find_weights`."""
    find_weights(PACKAGE, FILE, SHA256)


def load_pretrained(model: keras.Model, config: DlibResNetConfig) -> None:
    """Give a network of this family dlib's weights.

    Args:
        model: What `mien.models.build.build_network` made of `config`.
        config: The network's shape.

    Raises:
        MissingExtraError: if the package with the weights is not installed.
        ModelError: if its file is another one.
    """
    names = list(convolution_names(config.blocks))
    set_weights(model, names, read_dlib_file(find_weights(PACKAGE, FILE, SHA256)))


def set_weights(model: keras.Model, names: list[str], stored: list[Convolution]) -> None:
    """Give a network's first convolutions and their normalization what a file of dlib's holds."""
    stored = [_for_grey(stored[0]), *stored[1 : len(names)]]
    for name, convolution in zip(names, map(_as_initialized, stored), strict=True):
        model.get_layer(name).set_weights([convolution.kernel])
        offset = convolution.offset + convolution.scale * convolution.bias
        unit = np.ones_like(offset)
        normalization = model.get_layer(f"{name}_normalized")
        # With mean 0 and variance 1 - epsilon it is dlib's scale and offset, whose function the
        # inputs' statistics are to be measured by.
        still = [convolution.scale, offset, 0 * unit, unit - normalization.epsilon]
        normalization.set_weights(still)


def take_statistics(model: keras.Model, names: list[str], faces_u8: NDArray[np.uint8]) -> None:
    """Set each normalization's mean and variance to those of its inputs, the function unchanged."""
    chosen = np.linspace(0, len(faces_u8) - 1, min(len(faces_u8), _FACES_FOR_STATISTICS))
    faces = scale_pixels(faces_u8[chosen.astype(int)])
    moments = []
    for name in names:
        output = ops.cast(model.get_layer(name).output, "float32")
        axes = (1, 2)
        moments += [ops.mean(output, axis=axes), ops.mean(ops.square(output), axis=axes)]
    measured = keras.Model(model.inputs[0], moments).predict(faces, batch_size=64, verbose=0)
    for i, name in enumerate(names):
        mean = measured[2 * i].mean(axis=0)
        variance = np.maximum(measured[2 * i + 1].mean(axis=0) - mean**2, 1e-6)
        normalization = model.get_layer(f"{name}_normalized")
        scale, offset, _, _ = normalization.get_weights()
        gamma = scale * np.sqrt(variance + normalization.epsilon)
        normalization.set_weights([gamma, offset + scale * mean, mean, variance])


def _for_grey(stem: Convolution) -> Convolution:
    """The first convolution for one grey channel in [0, 1], instead of three in 0 to 255."""
    by_channel = stem.kernel.sum(axis=(0, 1))  # (3, O)
    taken = np.asarray(CHANNEL_MEANS, np.float32) @ by_channel / INPUT_SCALE
    kernel = stem.kernel.sum(axis=2, keepdims=True) * np.float32(255 / INPUT_SCALE)
    return Convolution(kernel, (stem.bias - taken).astype(np.float32), stem.scale, stem.offset)


def _as_initialized(convolution: Convolution) -> Convolution:
    """The same function with a kernel as large as a fresh one of He et al. (2015).

    Weight decay left dlib's kernels many times smaller than that: a learning rate that suits
    fresh layers overwrites them within a hundred steps, and the variance behind them is lost beside
    the normalization's epsilon.
    """
    height, width, channels, _ = convolution.kernel.shape
    fresh = np.sqrt(2 / (height * width * channels))
    factor = np.float32(fresh / convolution.kernel.std())
    return Convolution(
        convolution.kernel * factor,
        convolution.bias * factor,
        convolution.scale / factor,
        convolution.offset,
    )


def _blocks(count: int) -> list[tuple[int, bool]]:
    """The filters of each block, and whether it halves height and width."""
    every = [
        (filters, stage > 0 and block == 0)
        for stage, (filters, blocks) in enumerate(BLOCKS)
        for block in range(blocks)
    ]
    return every[:count]


def convolution_names(blocks: int) -> Iterator[str]:
    """Name the layers of the convolutions, in the order in which dlib's file has them."""
    yield "stem"
    for number in range(blocks):
        yield f"block_{number}_first"
        yield f"block_{number}_second"


def _block(x: keras.KerasTensor, filters: int, *, halves: bool, name: str) -> keras.KerasTensor:
    y = _convolution(
        x,
        filters,
        3,
        strides=2 if halves else 1,
        padding="valid" if halves else "same",
        name=f"{name}_first",
    )
    y = layers.Activation("relu")(y)
    y = _convolution(y, filters, 3, strides=1, padding="same", name=f"{name}_second")
    shortcut = layers.AveragePooling2D(2)(x) if halves else x
    # dlib adds tensors of different sizes as if zeros filled the smaller one up.
    missing = shortcut.shape[1] - y.shape[1]
    if missing:
        y = layers.ZeroPadding2D(((0, missing), (0, missing)))(y)
    if shortcut.shape[-1] < filters:
        zeros = layers.Rescaling(0.0)(shortcut)
        more = filters // shortcut.shape[-1] - 1
        shortcut = layers.Concatenate()([shortcut, *[zeros] * more])
    return layers.Activation("relu")(layers.Add()([y, shortcut]))


def _convolution(
    x: keras.KerasTensor, filters: int, side: int, *, strides: int, padding: str, name: str
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        side,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    return FusedBatchNormalization(momentum=0.95, name=f"{name}_normalized")(x)
