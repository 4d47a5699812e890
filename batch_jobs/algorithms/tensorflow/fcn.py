"""Convolutional networks for series; the FCN and the ResNet of `algorithms.torch.fcn` in Keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from aimass_core.domain.algorithms.series import FcnHyperparameters
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.tensorflow.fitted import FittedNetwork, fit_network
from batch_jobs.algorithms.tensorflow.sequences import SeriesScaler
from batch_jobs.algorithms.tensorflow.start import initial_weights


class _IsStep(layers.Layer):  # type: ignore[misc]
    """Which steps have a value."""

    def call(self, series: Any) -> Any:
        """[rows, steps, channels] to [rows, steps]."""
        return tf.reduce_any(tf.logical_not(tf.math.is_nan(series)), axis=2)


class _MaskedNorm(layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalisation by the steps that exist.

    NOTE: they are no argument named `mask`, which Keras would hand on to the layers that follow.
    """

    def build(self, values_shape: Any, is_step_shape: Any) -> None:  # noqa: ARG002  Keras's signature
        super().build(values_shape)

    def compute_output_shape(self, values_shape: Any, is_step_shape: Any) -> Any:  # noqa: ARG002
        """That of the values."""
        return values_shape

    def call(self, values: Any, is_step: Any, training: bool | None = None) -> Any:
        """[rows, steps, channels], and [rows, steps]."""
        return super().call(values, training=training, mask=is_step)


class _Keep(layers.Layer):  # type: ignore[misc]
    """ReLU, and zeros where there is no step."""

    def call(self, values: Any, is_step: Any) -> Any:
        """[rows, steps, channels]."""
        return tf.nn.relu(values) * tf.cast(is_step, values.dtype)[:, :, None]


class _Mean(layers.Layer):  # type: ignore[misc]
    """The mean over the steps that exist."""

    def call(self, values: Any, is_step: Any) -> Any:
        """[rows, steps, channels] to [rows, channels]."""
        counts = tf.reduce_sum(tf.cast(is_step, values.dtype), axis=1, keepdims=True)
        return tf.reduce_sum(values, axis=1) / tf.maximum(counts, 1.0)


def build_network(
    problem: Problem, chosen: FcnHyperparameters, series: NDArray[Any], *, policy: str = "float32"
) -> keras.Model:
    """Blocks of convolutions, the mean over time, and one linear layer."""
    source = keras.Input((None, series.shape[2]), dtype="float32")
    is_step = _IsStep(dtype="float32")(source)
    values = SeriesScaler(series, by_series=chosen.normalise_series)(source)
    widths = chosen.resolve_channels()
    if chosen.residual:
        for width in widths:
            outer = [width] * len(chosen.kernels)
            values = _block(values, is_step, outer, chosen.kernels, is_residual=True, policy=policy)
    else:
        values = _block(values, is_step, widths, chosen.kernels, is_residual=False, policy=policy)
    mean = _Mean(dtype="float32")(values, is_step)
    return keras.Model(
        source, layers.Dense(problem.num_outputs, kernel_initializer=initial_weights(), dtype="float32")(mean)
    )


def _block(
    values: Any, is_step: Any, widths: Sequence[int], kernels: Sequence[int], *, is_residual: bool, policy: str
) -> Any:
    """Convolutions with ReLU, and around them a shortcut where it is a residual block."""
    output = values
    for position, (width, kernel) in enumerate(zip(widths, kernels, strict=True)):
        output = _convolve(output, is_step, width, kernel, policy)
        if is_residual and position == len(kernels) - 1:
            output = layers.Add(dtype=policy)([output, _convolve(values, is_step, width, 1, policy)])
        output = _Keep(dtype=policy)(output, is_step)
    return output


def _convolve(values: Any, is_step: Any, width: int, kernel: int, policy: str) -> Any:
    """Convolution of the same length, and batch normalisation."""
    output = layers.Conv1D(
        width, kernel, padding="same", use_bias=False, kernel_initializer=initial_weights(), dtype=policy
    )(values)
    return _MaskedNorm(momentum=0.9, epsilon=1e-5, dtype=policy)(output, is_step)


@dataclass(frozen=True, slots=True)
class Fcn:
    """The algorithm `fcn`."""

    hyperparameters: FcnHyperparameters

    def fit(
        self, problem: Problem, train: Examples, validation: Examples | None, *, context: FitContext
    ) -> FittedNetwork:
        """See `Learner.fit`; a step is an epoch."""
        chosen = self.hyperparameters
        return fit_network(
            lambda policy: build_network(problem, chosen, train.features, policy=policy),
            chosen,
            problem,
            train,
            validation,
            context=context,
        )
