"""A second output of the network: how much its input looks like a face at all.

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

from mien.data.non_faces import make_non_faces, vary_faces
from mien.evaluation.keras_file import run_keras
from mien.recognizer import LIKENESS_OUTPUT

LARGEST_NUMBER = 6000
"""So many training faces, at most, show what faces look like."""

KEPT_PART = 0.92
"""The part of the validation faces whose likeness is above 0; the gate refuses the rest, and a few
more for other reasons, so that it keeps nine in ten."""

INVERSE_STRENGTH = 1e-3
"""scikit-learn's C. Small weights ask many features: of the pictures that FER+'s raters call no
face, fewer pass than with 0.1."""


def find_features(model: keras.Model) -> keras.KerasTensor | None:
    """Return what the layer `probabilities` reads, (N, F); None where there is no such layer."""
    names = [layer.name for layer in model.layers]
    return model.get_layer("probabilities").input if "probabilities" in names else None


def add_face_likeness(
    model: keras.Model,
    features: keras.KerasTensor,
    training_u8: NDArray[np.uint8],
    validation_u8: NDArray[np.uint8],
) -> keras.Model:
    """Give a trained network the second output.

    Args:
        model: Maps (N, 48, 48, 1) float32 in [0, 1] to (N, 7) probabilities.
        features: What to judge by, (N, F), from `find_features`.
        training_u8: (N, 48, 48) uint8 faces to learn from.
        validation_u8: (M, 48, 48) uint8 faces that say where 0 lies.

    Returns:
        A model with the probabilities and the likeness, (N, 1): log odds, moved so that `KEPT_PART`
        of the validation faces lie above 0.
    """
    random = np.random.default_rng(0)
    chosen = random.permutation(len(training_u8))[:LARGEST_NUMBER]
    faces_u8 = training_u8[chosen]
    faces_u8 = np.concatenate([faces_u8, vary_faces(faces_u8[::2], random)])
    others_u8 = make_non_faces(training_u8[chosen], len(faces_u8), random)
    see = keras.Model(model.inputs[0], features)
    kernel, bias = _fit(run_keras(see, faces_u8), run_keras(see, others_u8))
    bias -= np.quantile(run_keras(see, validation_u8) @ kernel + bias, 1 - KEPT_PART)
    likeness = keras.layers.Dense(1, name=LIKENESS_OUTPUT)(features)
    extended = keras.Model(model.inputs[0], [model.outputs[0], likeness], name=model.name)
    extended.get_layer(LIKENESS_OUTPUT).set_weights([kernel[:, np.newaxis], np.array([bias])])
    return extended


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
