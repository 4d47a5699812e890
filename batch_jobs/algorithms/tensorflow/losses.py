"""What a Keras network is trained to make small; what `algorithms.torch.losses` is to torch."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from aimass_core.domain.signatures import Task


def build_loss(task: Task, label_weights: NDArray[np.float32] | None) -> Any:
    """Of rows: squared error, cross entropy of classes, or the mean of the labels' binary cross entropies.

    Args:
        task: What is learned.
        label_weights: How much a row that has a label counts beside one that has not; None: as much.
    """
    if task is Task.MULTILABEL:
        weights = np.float32(1.0) if label_weights is None else label_weights

        def binary_cross_entropy(targets: Any, logits: Any) -> Any:
            losses = tf.nn.weighted_cross_entropy_with_logits(targets, logits, tf.constant(weights))
            return tf.reduce_mean(losses, axis=-1)

        return binary_cross_entropy
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True) if task.is_classification else "mse"
