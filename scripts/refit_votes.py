"""Give a network of mien 0.1 back the three votes that its file did not keep.

    python scripts/refit_votes.py results/runs/021_taught_again

FER+'s raters could vote for ten things. Training learnt all ten, but the files that mien 0.1 wrote
kept the seven emotions' only, as they alone were shipped. This command fits the other three again
(contempt, unknown, not a face), on the run's training faces, by the cross-entropy with the shares
of all ten votes. Everything else stays as it was trained: the features are frozen, the logits of
the seven too, so that the shares of the seven among themselves do not change. The problem is convex
and its solution the same on every machine, to rounding. The Keras file is then written anew, as
mien writes it today; `mien export` makes the artifact.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mien.core.errors import ModelError
from mien.core.labels import EMOTIONS, VOTE_CLASSES
from mien.core.preprocess import to_network_input
from mien.models.build import count_multiply_adds
from mien.models.heads import FEATURES, HEADS, LABEL_HEAD, VOTE_HEAD
from mien.models.keras_file import heads_of, load_network, save_network
from mien.training.faces import LabelledFaces, load_split
from mien.training.readings import figures_of, fit_readings
from mien.training.run_folder import RunFolder

KEPT = np.array([VOTE_CLASSES.index(emotion) for emotion in EMOTIONS])
LOST = np.setdiff1d(np.arange(len(VOTE_CLASSES)), KEPT)

DECAY = 3e-3
"""Weight of the squared weights of standardised features: of 0, 0.0001, 0.001, 0.003 and 0.01 the
validation faces' cross-entropy tells the last three hardly apart (0.974, 0.973, 0.973 nats)."""


def main() -> None:
    """Parse the command line, and refit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data/train.csv"))
    parser.add_argument("--votes", type=Path, default=Path("data/fer2013new.csv"))
    options = parser.parse_args()
    run = RunFolder(options.run)
    network = load_network(run.network)
    if heads_of(network).get(VOTE_HEAD) != EMOTIONS:
        raise ModelError(f"{run.network} lacks no votes: nothing to fit.")
    training, validation = load_split(run.recipe, options.data, options.votes)
    refitted = refit_votes(network, training)
    outputs = answer(refitted, validation)
    print(f"cross-entropy with the ten shares of votes: {cross_entropy(outputs, validation):.3f}")
    readings = fit_readings(outputs, HEADS, validation)
    save_network(refitted, run.network)
    run.write_metrics(
        run.read_metrics()
        | {
            "parameters": refitted.count_params(),
            "multiply_adds": count_multiply_adds(refitted),
            "refitted_votes": [VOTE_CLASSES[column] for column in LOST],
        }
        | figures_of(readings)
    )
    print(f"wrote {run.network} and {run.metrics}; now: mien export {run.network}")


def refit_votes(network: keras.Model, faces: LabelledFaces) -> keras.Model:
    """Return the network with all ten votes; `network` has seven."""
    features = network.output[FEATURES]
    outputs = answer(network, faces)
    assert faces.votes is not None
    shares = faces.votes / np.maximum(faces.votes.sum(axis=1, keepdims=True), 1)
    # Any logits of the seven serve that have their softmax; these are the trained ones.
    (seven,) = (layer for layer in network.layers if layer.output is network.output[VOTE_HEAD])
    kernel_of_seven, bias_of_seven = seven.get_weights()
    logits = outputs[FEATURES].astype(np.float64) @ kernel_of_seven + bias_of_seven
    kernel, bias = np.zeros((features.shape[-1], 10)), np.zeros(10)
    kernel[:, KEPT], bias[KEPT] = kernel_of_seven, bias_of_seven
    kernel[:, LOST], bias[LOST] = fit_lost(outputs[FEATURES], logits, shares)
    ten = keras.layers.Dense(10, activation="softmax", name=VOTE_HEAD)
    votes = ten(features)
    ten.set_weights([kernel, bias])
    heads = {FEATURES: features, LABEL_HEAD: network.output[LABEL_HEAD], VOTE_HEAD: votes}
    return keras.Model(network.inputs[0], heads, name=network.name)


def fit_lost(
    features: NDArray[np.float32], logits: NDArray[np.float64], shares: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit the three logits beside the seven given ones.

    Args:
        features: (N, F).
        logits: (N, 7) of the emotions' votes.
        shares: (N, 10) of the votes.

    Returns:
        The weights, (F, 3), and the biases, (3,).
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    inputs = ((features - mean) / deviation).astype(np.float64)
    all_seven = np.logaddexp.reduce(logits, axis=1)
    of_seven, of_lost = shares[:, KEPT].sum(axis=1), shares[:, LOST]
    count = inputs.shape[1]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        kernel, bias = weights.reshape(count + 1, 3)[:count], weights[-3:]
        lost = inputs @ kernel + bias
        total = np.logaddexp.reduce(np.column_stack([all_seven, lost]), axis=1)
        losses = (of_seven + of_lost.sum(axis=1)) * total - of_seven * all_seven
        losses -= (of_lost * lost).sum(axis=1)
        error = (
            np.exp(lost - total[:, np.newaxis]) * (of_seven + of_lost.sum(axis=1))[:, np.newaxis]
        )
        error -= of_lost
        gradient = np.vstack([inputs.T @ error / len(inputs) + DECAY * kernel, error.mean(axis=0)])
        return float(losses.mean() + DECAY * (kernel**2).sum() / 2), gradient.ravel()

    found = minimize(loss, np.zeros(3 * (count + 1)), jac=True, method="L-BFGS-B").x
    kernel = found.reshape(count + 1, 3)[:count] / deviation[:, np.newaxis]
    return kernel, found[-3:] - mean @ kernel


def answer(network: keras.Model, faces: LabelledFaces) -> dict[str, NDArray[np.float32]]:
    """Return the network's outputs for the faces."""
    outputs: dict[str, NDArray[np.float32]] = network.predict(
        to_network_input(faces.faces_u8), batch_size=256, verbose=0
    )
    return outputs


def cross_entropy(outputs: dict[str, NDArray[np.float32]], faces: LabelledFaces) -> float:
    """Return the mean cross-entropy of the ten votes with their shares, in nats."""
    assert faces.votes is not None
    shares = faces.votes / np.maximum(faces.votes.sum(axis=1, keepdims=True), 1)
    return float(-(shares * np.log(np.maximum(outputs[VOTE_HEAD], 1e-30))).sum(axis=1).mean())


if __name__ == "__main__":
    main()
