"""Temporal networks: what one face showed so far, and shows now, to what is to be said of it.

A cell takes one moment in and keeps a state, so that the same weights train on whole sequences and
run step by step. Time enters as it is measured: what is remembered fades with the milliseconds
that passed, not with the number of frames. An update gate is 1 - exp(-rate · elapsed), where the
rate is learned and depends on what is seen (Mozer et al. 2017, arXiv 1710.04110, derive such gates
for a GRU): seeing the same thing twice as often moves the state no further.

What is said is the average of the logarithms of the classifier's probabilities, over a memory whose
length is learned from moment to moment, plus what the hidden state adds. At the start the latter is
0, and the network is `mien.engine.smoothing.Smoother` without hysteresis.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from mien.models.config import TemporalConfig

QUALITY = 4
"""How many quality measures there are: `mien.engine.temporal.QUALITY_MEASURES`."""

LONGEST_ELAPSED_MS = 1000.0
"""A longer pause, and the time before the first moment, counts as this."""

_QUALITY_SCALE = (1 / 128, 1 / 64, 1.0, 1 / 10)
_SMALLEST = 1e-6
_HIDDEN_RATE = 5.0  # a second, at the start
_AVERAGE_RATE = 7.7  # a second, at the start: that of the smoother's 130 ms
_LONGEST_SHARE_S = 0.25  # for the answer for the whole, no moment stands for longer
_REGISTERED = {"package": "mien"}

Tensor: TypeAlias = Any  # of Keras, whichever backend


@keras.saving.register_keras_serializable(**_REGISTERED)
class TemporalInput(keras.layers.Layer):
    """Scales what is known of each moment.

    From (N, T, F + C + 4 + 1) float32, the features, probabilities, quality measures and elapsed
    milliseconds, to as many columns: the features with a mean of 0 and a deviation of 1, centred
    logarithms, measures near 1, and seconds.

    Args:
        features: F.
        labels: C.
        dropout: Part of the features that are left out in training, the same over a sequence.
    """

    def __init__(self, features: int, labels: int, dropout: float, **options: Any) -> None:
        super().__init__(**options)
        self.features = features
        self.labels = labels
        self.dropout = dropout
        self._drop = keras.layers.Dropout(dropout, noise_shape=(None, 1, features))

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make room for the features' mean and deviation."""
        size = (self.features,)
        self.mean = self.add_weight(size, "zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(size, "ones", trainable=False, name="deviation")

    def adapt(self, features: NDArray[np.float32]) -> None:
        """Take mean and deviation of (N, F) features."""
        if self.features:
            self.mean.assign(features.mean(axis=0))
            self.deviation.assign(np.maximum(features.std(axis=0), 1e-3))

    def call(self, observed: Tensor, training: bool = False) -> Tensor:
        """Scale them."""
        ends = np.cumsum([self.features, self.labels, QUALITY]).tolist()
        features, probabilities, quality, elapsed_ms = ops.split(observed, ends, axis=-1)
        features = (features - self.mean) / self.deviation
        if self.features:
            features = self._drop(features, training=training)
        logarithms = ops.log(ops.maximum(probabilities, _SMALLEST))
        logarithms -= ops.mean(logarithms, axis=-1, keepdims=True)
        seconds = ops.clip(elapsed_ms, 0.0, LONGEST_ELAPSED_MS) / 1000
        parts = [features, logarithms, quality * np.array(_QUALITY_SCALE, np.float32), seconds]
        return ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The same shape."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        own = {"features": self.features, "labels": self.labels, "dropout": self.dropout}
        return super().get_config() | own


@keras.saving.register_keras_serializable(**_REGISTERED)
class TemporalCell(keras.layers.Layer):
    """One moment: what `TemporalInput` gives of it, and the state, to two rows of logits.

    The state is that of the hidden units (see `_hidden`), the average of the logarithms, and the
    weighted sum and the sum of weights behind the answer for the whole.

    Args:
        kind: `gru`, `lstm` or `convolution`.
        units: Hidden units.
        features: F.
        labels: C.
        moments: How many moments a convolution sees.
    """

    def __init__(
        self, kind: str, units: int, features: int, labels: int, moments: int, **options: Any
    ) -> None:
        super().__init__(**options)
        self.kind = kind
        self.units = units
        self.features = features
        self.labels = labels
        self.moments = moments
        hidden = {"gru": [units], "lstm": [units, units], "convolution": [units * (moments - 1)]}
        self.state_size = [*hidden[kind], labels, labels, 1]
        self.output_size = 2 * labels

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        seen, units = self.features + self.labels + QUALITY, self.units

        def dense(name: str, rows: int, columns: int, kernel: str, bias: float) -> Any:
            return (
                self.add_weight((rows, columns), kernel, name=f"{name}_kernel"),
                self.add_weight((columns,), keras.initializers.Constant(bias), name=f"{name}_bias"),
            )

        recurrent = units * self.moments if self.kind == "convolution" else seen + units
        self.rate = dense("rate", seen, units, "zeros", _inverse_softplus(_HIDDEN_RATE))
        self.candidate = dense("candidate", recurrent, units, "glorot_uniform", 0.0)
        if self.kind == "gru":
            self.reset = dense("reset", recurrent, units, "glorot_uniform", 0.0)
        elif self.kind == "lstm":
            self.keep = dense("keep", recurrent, units, "zeros", _inverse_softplus(_HIDDEN_RATE))
            self.show = dense("show", recurrent, units, "glorot_uniform", 0.0)
        else:
            self.project = dense("project", seen, units, "glorot_uniform", 0.0)
        rate = _inverse_softplus(_AVERAGE_RATE)
        self.average_rate = dense("average_rate", seen + units, 1, "zeros", rate)
        self.added = dense("added", units, self.labels, "zeros", 0.0)
        self.scale = self.add_weight((self.labels,), "ones", name="scale")
        self.importance = dense("importance", units + self.labels, 1, "zeros", 0.0)
        self.clip_scale = self.add_weight((self.labels,), "ones", name="clip_scale")
        self.clip_bias = self.add_weight((self.labels,), "zeros", name="clip_bias")

    def call(self, seen: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Take one moment in.

        Args:
            seen: (N, F + C + 4 + 1).
            states: Of the sizes in `state_size`.

        Returns:
            (N, 2 · C) logits, those of the moment and then those of the whole so far, and the
            states.
        """
        seen, elapsed_s = ops.split(seen, [self.features + self.labels + QUALITY], axis=-1)
        *hidden, average, clip_sum, clip_weight = states
        shown, hidden = self._hidden(seen, elapsed_s, hidden)
        logarithms = seen[:, self.features : self.features + self.labels]
        rate = _affine(ops.concatenate([seen, shown], axis=-1), self.average_rate)
        average = average + _moved(rate, elapsed_s) * (logarithms - average)
        logits = self.scale * average + _affine(shown, self.added)
        importance = _affine(ops.concatenate([shown, average], axis=-1), self.importance)
        weight = ops.exp(ops.clip(importance, -6.0, 6.0)) * ops.minimum(elapsed_s, _LONGEST_SHARE_S)
        clip_sum = clip_sum + weight * logits
        clip_weight = clip_weight + weight
        whole = self.clip_scale * clip_sum / (clip_weight + 1e-9) + self.clip_bias
        outputs = ops.concatenate([logits, whole], axis=-1)
        return outputs, [*hidden, average, clip_sum, clip_weight]

    def _hidden(
        self, seen: Tensor, elapsed_s: Tensor, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """The hidden units, (N, units), and their states: themselves; with an LSTM, its cell too.

        A convolution keeps what it saw in the moments before, faded by the time since.
        """
        moved = _moved(_affine(seen, self.rate), elapsed_s)
        if self.kind == "gru":
            (before,) = states
            reset = ops.sigmoid(_affine(ops.concatenate([seen, before], axis=-1), self.reset))
            joined = ops.concatenate([seen, reset * before], axis=-1)
            after = before + moved * (ops.tanh(_affine(joined, self.candidate)) - before)
            return after, [after]
        if self.kind == "lstm":
            before, cell = states
            joined = ops.concatenate([seen, before], axis=-1)
            kept = 1 - _moved(_affine(joined, self.keep), elapsed_s)
            cell = kept * cell + moved * ops.tanh(_affine(joined, self.candidate))
            after = ops.sigmoid(_affine(joined, self.show)) * ops.tanh(cell)
            return after, [after, cell]
        (buffer,) = states
        newest = ops.tanh(_affine(seen, self.project))
        faded = buffer * ops.tile(1 - moved, (1, self.moments - 1))
        window = ops.concatenate([newest, faded], axis=-1)
        return ops.tanh(_affine(window, self.candidate)), [window[:, : -self.units]]

    def get_config(self) -> dict[str, Any]:
        """What makes the cell again."""
        own = ("kind", "units", "features", "labels", "moments")
        return super().get_config() | {name: getattr(self, name) for name in own}


def build_temporal(config: TemporalConfig, features: int, labels: int) -> keras.Model:
    """Build an untrained temporal network.

    Args:
        config: Its shape.
        features: F, how many features the face artifact gives.
        labels: C, how many labels its reading has.

    Returns:
        A model from (N, T, F + C + 4 + 1) float32, as `TemporalInput` takes them, to
        (N, T, 2 · C) logits, as `TemporalCell` gives them.
    """
    observed = keras.Input((None, features + labels + QUALITY + 1), name="observed")
    seen = TemporalInput(features, labels, config.dropout, name="seen")(observed)
    cell = TemporalCell(config.cell, config.units, features, labels, config.moments, name="cell")
    logits = keras.layers.RNN(cell, return_sequences=True, name="over_time")(seen)
    return keras.Model(observed, logits, name="temporal")


def step_network(network: keras.Model) -> keras.Model:
    """Return a network's single step, with which it shares its weights.

    Args:
        network: A network of `build_temporal`.

    Returns:
        A model from `features` (N, F), `probabilities` (N, C), `quality` (N, 4), `elapsed_ms`
        (N, 1) and `state` (N, S) to `moment_probabilities` (N, C), `clip_probabilities` (N, C) and
        `next_state` (N, S). A new face has a state of zeros.
    """
    given, cell = network.get_layer("seen"), network.get_layer("over_time").cell
    inputs = {
        "features": keras.Input((given.features,), name="features"),
        "probabilities": keras.Input((given.labels,), name="probabilities"),
        "quality": keras.Input((QUALITY,), name="quality"),
        "elapsed_ms": keras.Input((1,), name="elapsed_ms"),
        "state": keras.Input((sum(cell.state_size),), name="state"),
    }
    *observed, state = inputs.values()
    outputs = _Step(given, cell, name="step")([*observed, state])
    return keras.Model(inputs, outputs, name="temporal_step")


class _Step(keras.layers.Layer):
    def __init__(self, given: TemporalInput, cell: TemporalCell, **options: Any) -> None:
        super().__init__(**options)
        self.given, self.cell = given, cell

    def call(self, tensors: list[Tensor]) -> dict[str, Tensor]:
        *observed, state = tensors
        seen = self.given(ops.concatenate(observed, axis=-1), training=False)
        ends = np.cumsum(self.cell.state_size)[:-1].tolist()
        logits, states = self.cell(seen, ops.split(state, ends, axis=-1))
        moment, clip = ops.split(logits, 2, axis=-1)
        return {
            "moment_probabilities": ops.softmax(moment, axis=-1),
            "clip_probabilities": ops.softmax(clip, axis=-1),
            "next_state": ops.concatenate(states, axis=-1),
        }


def _affine(rows: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
    kernel, bias = weights
    return ops.matmul(rows, kernel) + bias


def _moved(rate: Tensor, elapsed_s: Tensor) -> Tensor:
    """How far something has moved to its goal after a time; `rate` before softplus."""
    return 1 - ops.exp(-ops.softplus(rate) * elapsed_s)


def _inverse_softplus(value: float) -> float:
    return float(np.log(np.expm1(value)))
