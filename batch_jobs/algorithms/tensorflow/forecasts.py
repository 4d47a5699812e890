"""Forecasts of what is added to the latest value; see `algorithms.torch.nlinear.FromLastValue`."""

from typing import Any

import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from batch_jobs.algorithms.learning import Problem


def last_values(series: Any) -> Any:
    """The latest value that is not missing, of each row and channel: [rows, 1, channels], NaN where there is none."""
    places = tf.range(tf.shape(series)[1])[None, :, None]
    latest = tf.reduce_max(tf.where(tf.math.is_nan(series), 0, places), axis=1)
    return tf.gather(tf.transpose(series, [0, 2, 1]), latest[:, :, None], axis=2, batch_dims=2)[:, None, :, 0]


def to_differences(series: NDArray[np.float32]) -> NDArray[np.float32]:
    """What training rows become for the network within."""
    return np.asarray(series - last_values(tf.constant(series)).numpy())


class Differences(layers.Layer):  # type: ignore[misc]
    """Differences from the latest values, and the target's latest value on the scale of the answers [rows, 1]."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(dtype="float32", trainable=False)
        assert problem.target_channel is not None and problem.target_scale is not None  # noqa: S101, PT018  a forecast
        self._channel, self._scale = problem.target_channel, problem.target_scale

    def call(self, series: Any) -> tuple[Any, Any]:
        """[rows, window, channels]."""
        last = last_values(series)
        level = (last[:, :, self._channel] - self._scale.mean) / self._scale.deviation
        return series - last, tf.where(tf.math.is_nan(level), tf.zeros_like(level), level)
