"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) of `keras.applications`.

Its weights, learnt on ImageNet, are downloaded by Keras, or come from a file that Keras has
downloaded elsewhere. They take colours in [-1, 1]; faces are enlarged and repeated to three
channels in the graph.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
from keras import layers

from mien.core.errors import ModelError
from mien.models.config import MobileNetV2Config
from mien.models.pretrained import enlarge


def build(config: MobileNetV2Config, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """Put the network on `inputs`, and average over positions.

    Args:
        config: The network's shape.
        inputs: Keras tensor (N, 48, 48, 1) in [0, 1].

    Returns:
        Keras tensor (N, 1280 or more): what the heads read.
    """
    x = enlarge(inputs, config.side)
    x = layers.Rescaling(2.0, offset=-1.0)(x)
    x = layers.Concatenate(name="grey_three_times")([x, x, x])
    features = _network(config, None, input_tensor=x).output
    return layers.Dropout(config.dropout)(layers.GlobalAveragePooling2D()(features))


def check_weights(config: MobileNetV2Config) -> None:
    """See that the file of weights is there that `config` names, if it names one.

    Raises:
        ModelError: if it is not.
    """
    if config.weights != "imagenet" and not Path(config.weights).is_file():
        raise ModelError(
            f"There is no file {config.weights}, which network.weights names: give one of Keras' "
            'weights of MobileNetV2 without its top, or "imagenet" to download one.'
        )


def load_pretrained(model: keras.Model, config: MobileNetV2Config) -> None:
    """Give a network of this family the weights that `config` names.

    Args:
        model: What `mien.models.build.build_network` made of `config`.
        config: The network's shape, and its weights.

    Raises:
        ModelError: if the weights can neither be downloaded nor read, or have other shapes.
    """
    check_weights(config)
    try:
        with warnings.catch_warnings():
            # Keras goes on without the weights that a file lacks.
            warnings.filterwarnings("error", message="Skipping nested container")
            published = _network(config, config.weights)
    # Keras raises a plain Exception if it cannot download, and others at a file that does not fit.
    except Exception as error:
        raise ModelError(
            f"The weights {config.weights!r} of MobileNetV2 at alpha = {config.alpha} cannot be "
            f"had: {error} Without a network, download the file "
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_<alpha>_<side>_no_top.h5 of "
            "keras.applications elsewhere, and name it as network.weights."
        ) from error
    for layer in published.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())


def _network(
    config: MobileNetV2Config, weights: str | None, input_tensor: keras.KerasTensor | None = None
) -> keras.Model:
    return keras.applications.MobileNetV2(
        (config.side, config.side, 3),
        alpha=config.alpha,
        include_top=False,
        weights=weights,
        input_tensor=input_tensor,
    )
