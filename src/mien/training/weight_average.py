"""An exponential moving average of the weights, validated and kept in their place.

Polyak and Juditsky 1992. The statistics of batch normalization are averaged alongside, which Keras'
own `use_ema` does not do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


class MovingAverage:
    """The average, where the weights are: a step that moves it copies nothing to the host.

    Attributes:
        variables: One for each weight.
    """

    def __init__(self, weights: Sequence[keras.Variable], decay: float) -> None:
        """Average `weights` over about 1 / (1 - decay) steps, from their present values on."""
        self._weights = weights
        self._decay = decay
        self.variables = [
            # From a copy: made of a variable itself, one of PyTorch's shares its memory.
            keras.Variable(weight.numpy(), dtype=weight.dtype, trainable=False)
            for weight in weights
        ]

    def follow(self, steps: Any) -> None:
        """Move the average towards the weights.

        Args:
            steps: How many the optimizer has done, this one among them; a scalar tensor.
        """
        # The first steps count more, or the average would long remember the random start: the decay
        # is (1 + steps) / (10 + steps) at most. Written so, float32 does not round the difference.
        share = ops.maximum(1 - self._decay, 9 / (10 + ops.cast(steps, "float32")))
        for average, weight in zip(self.variables, self._weights, strict=True):
            average.assign(average + share * (weight - average))


class WeightAverage(keras.callbacks.Callback):
    """Put the average of a `mien.training.training_model.TrainingModel` into it for validation.

    It is in the model from before validation until this callback's turn at the end of the epoch:
    callbacks that keep the best weights stand before it, `RunState` after it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._trained: list[NDArray[np.float32]] = []

    @property
    def average(self) -> list[NDArray[np.float32]]:
        """The average of each of the model's weights, copied to the host."""
        return [ops.convert_to_numpy(variable) for variable in self.model.average.variables]

    @average.setter
    def average(self, values: list[NDArray[np.float32]]) -> None:
        for variable, value in zip(self.model.average.variables, values, strict=True):
            variable.assign(value)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Start the average at the first weights."""
        self.average = self.model.get_weights()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the average in the model."""
        self._trained = self.model.get_weights()
        self.model.set_weights(self.average)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Put the trained weights back, to go on with them."""
        self.model.set_weights(self._trained)
