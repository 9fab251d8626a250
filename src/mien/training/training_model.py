"""The model that Keras' `fit` trains: a network, and what its compiled step does besides.

A step's work outside the network would leave a GPU waiting for the processor; as a part of the step
it is done where the network is.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from mien.training.device_augment import augment_on_device
from mien.training.weight_average import MovingAverage


class TrainingModel(keras.Model):
    """A functional model whose training step also augments faces and averages the weights.

    Faces that come as `mien.training.device_augment.pack_for_device` packs them are augmented;
    others, those of the validation among them, are taken as they are. Its layers, and with them the
    files of its weights, are those of the model that it is made of.

    Attributes:
        average: The moving average of the weights; None without one.
    """

    # Keras asks for the variables before `__init__` has got to the average.
    average: MovingAverage | None = None

    def __init__(self, model: keras.Model, *, average_decay: float = 0.0) -> None:
        """Train a model, with which this one shares its layers.

        Args:
            model: A functional model.
            average_decay: Decay of the moving average of the weights; 0 for none.
        """
        super().__init__(model.input, model.output, name=model.name)
        if average_decay:
            self.average = MovingAverage(self.weights, average_decay)

    @property
    def variables(self) -> list[keras.Variable]:
        """All state of a step: the layers', and the average, which is none of the weights."""
        return [*super().variables, *(() if self.average is None else self.average.variables)]

    def build_figures(self, targets: NDArray[np.float32]) -> None:
        """Build the loss and the metrics, which Keras would build by a call on the first batch.

        Args:
            targets: (N, C) float32, some that training or validation has.
        """
        some = keras.ops.convert_to_tensor(targets[:1])
        self.compute_loss(y=some, y_pred=some)
        self.compute_metrics(None, some, some)

    def train_step(self, *arguments: Any) -> Any:
        """Train on a batch.

        Args:
            arguments: The batch, packed or not; with JAX, whose steps have no side effects, the
                state before it.

        Returns:
            The figures; with JAX these and the new state.
        """
        *state, batch = arguments
        x, *rest = keras.utils.unpack_x_y_sample_weight(batch)
        if isinstance(x, dict):
            x = augment_on_device(x)
        outcome = super().train_step(*state, keras.utils.pack_x_y_sample_weight(x, *rest))
        if self.average is None:
            return outcome
        if keras.backend.backend() == "jax":
            figures, after = outcome
            return figures, self._with_average(self.average, after)
        self.average.follow(self.optimizer.iterations)
        return outcome

    def _with_average(
        self, average: MovingAverage, state: tuple[list[Any], ...]
    ) -> tuple[list[Any], ...]:
        trainable, other, optimizer, metrics = state
        variables = [
            *self.trainable_variables,
            *self.non_trainable_variables,
            *self.optimizer.variables,
        ]
        values = [*trainable, *other, *optimizer]
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            average.follow(self.optimizer.iterations)
        other = [scope.get_current_value(variable) for variable in self.non_trainable_variables]
        return trainable, other, optimizer, metrics
