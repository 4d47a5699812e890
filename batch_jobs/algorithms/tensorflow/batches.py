"""Examples as tf.data, in an order that follows from seed and epoch alone: a training can be resumed anywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from batch_jobs.algorithms.evaluation import evaluation_size
from batch_jobs.algorithms.learning import Examples

Augment = Callable[[Any, Any], Any]
"""A batch of features and a seed of two integers to the features changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Rows in memory with their weights in the loss."""

    features: Any
    targets: Any
    weights: Any

    @property
    def num_rows(self) -> int:
        """How many."""
        return int(self.targets.shape[0])

    def shuffled(self, size: int, *, seed: int, epoch: int, skip: int, augment: Augment | None) -> tf.data.Dataset:
        """The batches of an epoch after the first `skip`. A last batch of one row has no variance, and is left out."""
        order = np.random.default_rng((seed, epoch)).permutation(self.num_rows)
        if len(order) % size == 1 and len(order) > 1:
            order = order[:-1]
        starts = tf.data.Dataset.from_tensor_slices(order).batch(size).enumerate().skip(skip)

        def take(number: Any, rows: Any) -> tuple[Any, Any, Any]:
            features = tf.gather(self.features, rows)
            if augment is not None:
                features = augment(features, tf.stack([tf.constant(seed + epoch * 1_000_003, tf.int64), number]))
            return features, tf.gather(self.targets, rows), tf.gather(self.weights, rows)

        return starts.map(take).prefetch(2)

    def in_order(self) -> tf.data.Dataset:
        """All rows."""
        rows = tf.data.Dataset.from_tensor_slices((self.features, self.targets, self.weights))
        return rows.batch(evaluation_size(self.features.shape)).prefetch(2)


def to_batches(examples: Examples, class_weights: NDArray[np.float32] | None) -> Batches:
    """Class indices stay int64; values become float32 as the network's own."""
    targets = examples.targets.astype(np.float32) if examples.targets.dtype.kind == "f" else examples.targets
    weights = np.ones(len(targets), np.float32) if class_weights is None else class_weights[targets]
    with tf.device("CPU"):
        return Batches(
            features=tf.constant(examples.features), targets=tf.constant(targets), weights=tf.constant(weights)
        )
