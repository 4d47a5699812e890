"""Moving average of a network's weights; see `algorithms.torch.ema`, whose formula it repeats."""

from typing import Any

import tensorflow as tf


class Average:
    """Of all float variables of a model, running means of normalisation included."""

    def __init__(self, variables: list[Any], decay: float) -> None:
        self._variables = [variable.value for variable in variables]
        self._averages = [tf.Variable(variable, trainable=False) for variable in self._variables]
        self._decay, self.num_updates = decay, 0

    def update(self) -> None:
        """After a step of the optimizer."""
        self._move(tf.constant(1 - min(self._decay, (1 + self.num_updates) / (10 + self.num_updates)), tf.float32))
        self.num_updates += 1

    @tf.function  # type: ignore[untyped-decorator]
    def _move(self, share: Any) -> None:
        for average, value in zip(self._averages, self._variables, strict=True):
            if average.dtype.is_floating:
                average.assign_add(tf.cast(share, average.dtype) * (value - average))
            else:
                average.assign(value)

    def swap(self) -> None:
        """Averages into the model, and the model's own into here; once more undoes it."""
        for average, value in zip(self._averages, self._variables, strict=True):
            own = value.numpy()
            value.assign(average)
            average.assign(own)

    def to_arrays(self) -> list[Any]:
        """The averages."""
        return [average.numpy() for average in self._averages]

    def load(self, arrays: list[Any], *, num_updates: int) -> None:
        """Goes on from there."""
        for average, array in zip(self._averages, arrays, strict=True):
            average.assign(array)
        self.num_updates = num_updates
