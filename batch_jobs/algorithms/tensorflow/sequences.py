"""Sequences of different lengths in one batch: padding never changes an answer; see `algorithms.torch.sequences`.

The layers with weights have names: the ONNX graph is written from them, by `recurrent_graph`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from keras import initializers, layers
from numpy.typing import NDArray

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.recurrent import Cell, Pooling
from batch_jobs.algorithms.channels import fit_channels
from batch_jobs.algorithms.learning import Problem

FRONT, SCALER = "front", "scaler"
KEYS, SCORES_OF_STEPS = "attention_keys", "attention_scores"
_EPSILON = 1e-6


def forth(index: int) -> str:
    """The name of what reads forward in a recurrent layer."""
    return f"forth_{index}"


def back(index: int) -> str:
    """The name of what reads backward."""
    return f"back_{index}"


class SeriesScaler(layers.Layer):  # type: ignore[misc]
    """Standardises each channel by the training rows; a missing value becomes the mean.

    With `by_series`, each series is brought to mean 0 and deviation 1 by its own values on top.
    """

    def __init__(self, series: NDArray[np.float32], *, by_series: bool = False, name: str | None = None) -> None:
        super().__init__(dtype="float32", trainable=False, name=name)
        self.means, self.inverse_deviations = fit_channels(series)
        self._by_series = by_series

    def call(self, series: Any) -> Any:
        """[rows, steps, channels]."""
        scaled = (series - self.means) * self.inverse_deviations
        # NOTE: tf2onnx writes a choice by anything but `is_nan` itself as products, in which NaN times 0 is NaN.
        scaled = tf.where(tf.math.is_nan(series), tf.zeros_like(scaled), scaled)
        if not self._by_series:
            return scaled
        is_present = tf.logical_not(tf.math.is_nan(series))
        counts = tf.maximum(tf.reduce_sum(tf.cast(is_present, tf.float32), axis=1, keepdims=True), 1.0)
        centred = scaled - tf.reduce_sum(scaled, axis=1, keepdims=True) / counts
        centred = tf.where(is_present, centred, tf.zeros_like(centred))
        variances = tf.reduce_sum(tf.square(centred), axis=1, keepdims=True) / counts
        return centred / (tf.sqrt(variances) + _EPSILON)


class _Steps(layers.Layer):  # type: ignore[misc]
    """The features without the steps that are padding in all rows, and the length of each row [rows]."""

    def call(self, features: Any) -> tuple[Any, Any]:
        """Token ids [rows, length], where 0 is padding, or values [rows, length, channels], where NaN at the end is."""
        if features.dtype.is_integer:
            lengths = tf.reduce_sum(tf.cast(features != 0, tf.int32), axis=1)
        else:
            is_step = tf.reduce_any(tf.logical_not(tf.math.is_nan(features)), axis=2)
            lengths = tf.reduce_max(tf.cast(is_step, tf.int32) * tf.range(1, tf.shape(features)[1] + 1), axis=1)
        return features[:, : tf.maximum(tf.reduce_max(lengths), 1)], lengths


def read_steps(source: Any, problem: Problem, features: NDArray[Any], *, width: int, policy: str) -> tuple[Any, Any]:
    """The vectors of the steps [rows, length, width], and the length of each row [rows]."""
    kept, lengths = _Steps(dtype="float32")(source)
    if problem.kind is DataKind.TEXT:
        start = initializers.RandomNormal(stddev=0.1)
        words = layers.Embedding(
            problem.cardinalities[0], width, embeddings_initializer=start, dtype=policy, name=FRONT
        )
        return words(kept), lengths
    scaled = SeriesScaler(features, name=SCALER)(kept)
    return layers.Dense(width, dtype=policy, name=FRONT)(scaled), lengths


class _Turn(layers.Layer):  # type: ignore[misc]
    """Every row from its end to its beginning; the padding stays where it is."""

    def call(self, vectors: Any, lengths: Any) -> Any:
        """[rows, length, width]."""
        return tf.reverse_sequence(vectors, lengths, seq_axis=1)


def recur(
    vectors: Any, lengths: Any, index: int, *, cell: Cell, hidden: int, is_bidirectional: bool, policy: str
) -> Any:
    """One recurrent layer: [rows, length, width] to [rows, length, directions * hidden].

    States beyond a row's length are of no meaning.
    """
    build: Callable[..., Any] = layers.LSTM if cell is Cell.LSTM else layers.GRU
    states = build(hidden, return_sequences=True, dtype=policy, name=forth(index))(vectors)
    if not is_bidirectional:
        return states
    turned = _Turn(dtype=policy)(vectors, lengths)
    turned = build(hidden, return_sequences=True, dtype=policy, name=back(index))(turned)
    return layers.Concatenate(dtype=policy)([states, _Turn(dtype=policy)(turned, lengths)])


class _Weigh(layers.Layer):  # type: ignore[misc]
    """The sum of the states by weights of which padding has none; zeros for a sequence of no length."""

    def __init__(self, pooling: Pooling, *, directions: int) -> None:
        super().__init__(dtype="float32")
        self._pooling, self._directions = pooling, directions

    def call(self, states: Any, lengths: Any, scores: Any = None) -> Any:
        """[rows, length, width] and, with attention, [rows, length, 1] to [rows, width]."""
        steps, lengths = tf.range(tf.shape(states)[1])[None, :, None], lengths[:, None, None]
        is_step = tf.cast(steps < lengths, tf.float32)
        if scores is not None:
            weights = tf.nn.softmax(tf.where(is_step > 0, scores, -1e9), axis=1) * is_step
        elif self._pooling is Pooling.MEAN:
            weights = is_step / tf.cast(tf.maximum(lengths, 1), tf.float32)
        else:
            weights = tf.cast(tf.equal(steps, lengths - 1), tf.float32)
            if self._directions == 2:
                # The state of the second half that has read all is the one at the beginning.
                is_first = tf.cast(tf.equal(steps, 0), tf.float32) * is_step
                half = tf.ones(states.shape[2] // 2)
                weights = tf.concat([weights * half, is_first * half], axis=2)
        return tf.reduce_sum(states * weights, axis=1)


def pool(states: Any, lengths: Any, pooling: Pooling, *, directions: int, policy: str) -> Any:
    """States [rows, length, width] to one vector [rows, width]."""
    weigh = _Weigh(pooling, directions=directions)
    if pooling is not Pooling.ATTENTION:
        return weigh(states, lengths)
    keys = layers.Dense(states.shape[2], activation="tanh", dtype=policy, name=KEYS)(states)
    return weigh(states, lengths, layers.Dense(1, use_bias=False, dtype=policy, name=SCORES_OF_STEPS)(keys))
