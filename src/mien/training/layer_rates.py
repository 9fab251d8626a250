"""Learning rates that fall from the heads towards the input, for networks that know something.

The layers near the input have learnt what holds for every picture, those near the heads what holds
for another task (discriminative fine-tuning, Howard and Ruder 2018, arXiv 1801.06146). At first the
heads learn alone, so that their random weights do not spoil the rest.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def falling_rates(model: keras.Model, input_factor: float) -> list[float]:
    """Return the factor on the learning rate of each of the model's trainable variables.

    It is 1 at the last layer that has weights, a head, and `input_factor` at the first one, and
    falls geometrically from layer to layer between them; a second head is one layer below the last.
    """
    layers = [layer for layer in model.layers if layer.trainable_variables]
    steps = max(len(layers) - 1, 1)
    return [
        input_factor ** ((steps - number) / steps)
        for number, layer in enumerate(layers)
        for _ in layer.trainable_variables
    ]


def are_of_heads(model: keras.Model) -> list[bool]:
    """Say of each of the model's trainable variables whether it is a softmax head's."""
    return [
        getattr(layer, "activation", None) is keras.activations.softmax
        for layer in model.layers
        for _ in layer.trainable_variables
    ]


NOT_DECAYED = ("bias", "gamma", "beta")
"""Names of the variables that weight decay spares."""


def is_decayed(variable: Any) -> bool:
    """Say whether weight decay shrinks a variable: all but biases and normalization."""
    return not any(name in variable.name for name in NOT_DECAYED)


class _LayerRates:
    """An optimizer's mixin that scales the rate of each variable, the heads' alone at first."""

    def follow(
        self, factors: list[float], of_heads: list[bool], head_steps: int, decay: float
    ) -> None:
        """Take what holds for each variable.

        Args:
            factors: Each variable's factor on the learning rate.
            of_heads: Which ones are a head's.
            head_steps: For how many steps these learn alone.
            decay: Share of a kernel that a step takes away, times its rate.
        """
        self._factors = factors
        self._of_heads = of_heads
        self._head_steps = head_steps
        self._decay = decay

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change a variable by its gradient, and let it decay, at its own rate."""
        index = self._get_variable_index(variable)  # type: ignore[attr-defined]
        factor = self._factors[index]
        if self._head_steps and not self._of_heads[index]:
            alone = ops.less(self.iterations, self._head_steps)  # type: ignore[attr-defined]
            factor = ops.where(alone, 0.0, factor)
        rate = learning_rate * factor
        if self._decay and is_decayed(variable):
            # Keras' own decay knows one rate, and would shrink layers that are not to learn yet.
            shrunk = ops.multiply(variable, ops.cast(rate * self._decay, variable.dtype))
            self.assign_sub(variable, shrunk)  # type: ignore[attr-defined]
        super().update_step(gradient, variable, rate)  # type: ignore[misc]


class LayerRateAdam(_LayerRates, keras.optimizers.Adam):
    """`keras.optimizers.Adam` with a learning rate for each layer."""


class LayerRateSGD(_LayerRates, keras.optimizers.SGD):
    """`keras.optimizers.SGD` with a learning rate for each layer."""
