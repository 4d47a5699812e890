"""Convolutional network for images; the network of `algorithms.torch.cnn` in Keras."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from aimass_core.domain.algorithms.networks import CnnHyperparameters
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.pixels import MAX_FLAT_PIXELS, fit_pixels
from batch_jobs.algorithms.tensorflow.fitted import FittedNetwork, fit_network
from batch_jobs.algorithms.tensorflow.start import initial_weights


class Pixels(layers.Layer):  # type: ignore[misc]
    """uint8 to float32 of zero mean and unit deviation in each channel."""

    def __init__(self, means: NDArray[np.float32], inverse_deviations: NDArray[np.float32]) -> None:
        super().__init__(dtype="float32", trainable=False)
        self._means, self._inverse_deviations = means, inverse_deviations

    def call(self, images: Any) -> Any:
        """[rows, height, width, channels]."""
        return (ops.cast(images, "float32") - self._means) * self._inverse_deviations


@dataclass(frozen=True, slots=True)
class Cnn:
    """The algorithm `cnn`."""

    hyperparameters: CnnHyperparameters

    def fit(
        self, problem: Problem, train: Examples, validation: Examples | None, *, context: FitContext
    ) -> FittedNetwork:
        """See `Learner.fit`; a step is an epoch."""
        chosen = self.hyperparameters
        means, inverse_deviations = fit_pixels(train.features)
        return fit_network(
            lambda policy: _build(problem, chosen, train.features.shape[1:], Pixels(means, inverse_deviations), policy),
            chosen,
            problem,
            train,
            validation,
            context=context,
            augment=_Augment(chosen.shift, chosen.flip) if chosen.shift or chosen.flip else None,
        )


def _build(
    problem: Problem, chosen: CnnHyperparameters, shape: tuple[int, ...], pixels: Pixels, policy: str
) -> keras.Model:
    images = keras.Input(shape, dtype="uint8")
    hidden, (height, width, _) = pixels(images), shape
    for outer in chosen.channels:
        hidden = layers.Conv2D(
            outer, 3, padding="same", use_bias=False, kernel_initializer=initial_weights(), dtype=policy
        )(hidden)
        hidden = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=policy)(hidden)
        hidden = layers.ReLU(dtype=policy)(hidden)
        if min(height, width) > 1:
            hidden = layers.MaxPooling2D(2, dtype=policy)(hidden)
            height, width = height // 2, width // 2
    is_averaged = height * width > MAX_FLAT_PIXELS
    hidden = layers.GlobalAveragePooling2D(dtype=policy)(hidden) if is_averaged else layers.Flatten()(hidden)
    hidden = layers.Dense(chosen.hidden, activation="relu", kernel_initializer=initial_weights(), dtype=policy)(hidden)
    hidden = layers.Dropout(chosen.dropout, dtype=policy)(hidden)
    return keras.Model(
        images, layers.Dense(problem.num_outputs, kernel_initializer=initial_weights(), dtype="float32")(hidden)
    )


@dataclass(frozen=True, slots=True)
class _Augment:
    """Random shifts, repeating the border, and left-right flips."""

    shift: int
    flip: bool

    def __call__(self, images: Any, seed: Any) -> Any:
        num_rows, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
        ys = self._positions(num_rows, height, seed)
        xs = self._positions(num_rows, width, seed + tf.constant([1, 0], tf.int64))
        if self.flip:
            is_flipped = tf.random.stateless_uniform((num_rows, 1), seed + tf.constant([2, 0], tf.int64)) < 0.5
            xs = tf.where(is_flipped, tf.reverse(xs, [1]), xs)
        return tf.gather(tf.gather(images, ys, axis=1, batch_dims=1), xs, axis=2, batch_dims=1)

    def _positions(self, num_rows: Any, size: int, seed: Any) -> Any:
        offsets = tf.random.stateless_uniform((num_rows, 1), seed, -self.shift, self.shift + 1, tf.int32)
        return tf.clip_by_value(tf.range(size)[None, :] + offsets, 0, size - 1)
