"""The model that Keras' `fit` trains: a network, and what its compiled step does besides.

A step's work outside the network would leave a GPU waiting for the processor; as a part of the step
it is done where the network is.
"""

from __future__ import annotations

from typing import Any

import keras

from mien.training.weight_average import MovingAverage


class TrainingModel(keras.Model):
    """A functional model whose training step also averages its weights.

    Its layers, and with them the files of its weights, are those of the model without that.

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

    def train_step(self, *arguments: Any) -> Any:
        """Train on a batch.

        Args:
            arguments: The batch; with JAX, whose steps have no side effects, the state and the
                batch.

        Returns:
            The figures; with JAX these and the new state.
        """
        outcome = super().train_step(*arguments)
        if self.average is None:
            return outcome
        if keras.backend.backend() == "jax":
            figures, state = outcome
            return figures, self._with_average(self.average, state)
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
