"""One more output of the network: how much its input looks like a face at all.

The emotion network has no label for "none", and a detector takes a pattern on a wall for a face now
and then. What the network sees of a picture before it decides on an emotion tells a face from
other things: a logistic regression on these features, fitted after the training, costs one small
layer and no time. It learns from training faces against pictures made by `mien.data.non_faces`; no
photograph without faces is needed, so all of those there are can test it
(`benchmarks/quality_gate.py`).
"""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from mien.core.preprocess import to_network_input
from mien.data.non_faces import make_non_faces, vary_faces
from mien.models.heads import FACE_LIKENESS, FEATURES

LARGEST_NUMBER = 6000
"""So many training faces, at most, show what faces look like."""

KEPT_PART = 0.92
"""The part of the validation faces whose likeness is above 0; the gate refuses the rest, and a few
more for other reasons, so that it keeps nine in ten."""

INVERSE_STRENGTH = 1e-3
"""scikit-learn's C. Small weights ask many features: of the pictures that FER+'s raters call no
face, fewer pass than with 0.1."""


def add_face_likeness(
    network: keras.Model, training_u8: NDArray[np.uint8], validation_u8: NDArray[np.uint8]
) -> keras.Model:
    """Give a trained network one output more.

    Args:
        network: A network of `mien.models.keras_file.load_network`, with features.
        training_u8: (N, 48, 48) uint8 faces to learn from.
        validation_u8: (M, 48, 48) uint8 faces that say where 0 lies.

    Returns:
        A model with `FACE_LIKENESS`, (N, 1), among its outputs: log odds, moved so that `KEPT_PART`
        of the validation faces lie above 0.
    """
    random = np.random.default_rng(0)
    chosen = random.permutation(len(training_u8))[:LARGEST_NUMBER]
    faces_u8 = training_u8[chosen]
    faces_u8 = np.concatenate([faces_u8, vary_faces(faces_u8[::2], random)])
    others_u8 = make_non_faces(training_u8[chosen], len(faces_u8), random)
    kernel, bias = _fit(_features(network, faces_u8), _features(network, others_u8))
    bias -= np.quantile(_features(network, validation_u8) @ kernel + bias, 1 - KEPT_PART)
    dense = keras.layers.Dense(1, name=FACE_LIKENESS)
    likeness = dense(network.output[FEATURES])
    dense.set_weights([kernel[:, np.newaxis], np.array([bias])])
    return keras.Model(
        network.inputs[0], {**network.output, FACE_LIKENESS: likeness}, name=network.name
    )


def _features(network: keras.Model, faces_u8: NDArray[np.uint8]) -> NDArray[np.float32]:
    outputs = network.predict(to_network_input(faces_u8), batch_size=256, verbose=0)
    return np.asarray(outputs[FEATURES])


def _fit(
    faces: NDArray[np.float32], others: NDArray[np.float32]
) -> tuple[NDArray[np.float64], float]:
    """Fit the regression; its weights are for features that are not standardised."""
    inputs = np.concatenate([faces, others]).astype(np.float64)
    scaler = StandardScaler().fit(inputs)
    regression = LogisticRegression(C=INVERSE_STRENGTH, max_iter=1000)
    regression.fit(scaler.transform(inputs), np.arange(len(inputs)) < len(faces))
    kernel = regression.coef_[0] / scaler.scale_
    return kernel, float(regression.intercept_[0] - scaler.mean_ @ kernel)
