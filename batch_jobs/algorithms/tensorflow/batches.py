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

    def shuffled(
        self,
        size: int,
        *,
        seed: int,
        epoch: int,
        skip: int,
        augment: Augment | None,
        part: int = 0,
        num_parts: int = 1,
    ) -> tf.data.Dataset:
        """Of the batches of an epoch after the first `skip`, one part, whose weights count as in the whole batch.

        The parts of a batch are disjoint, and as equal as can be. A last batch of one row for each part, or less, is
        left out: one row has no variance to normalise by.
        """
        order = np.random.default_rng((seed, epoch)).permutation(self.num_rows)
        num_left = len(order) % size
        if 0 < num_left < 2 * num_parts and num_left < len(order):
            order = order[:-num_left]
        drawn = seed + epoch * 1_000_003 + part * 1_000_000_007
        starts = tf.data.Dataset.from_tensor_slices(order).batch(size).enumerate().skip(skip)

        def take(number: Any, rows: Any) -> tuple[Any, Any, Any]:
            num_rows = tf.shape(rows)[0]
            own = rows[part * num_rows // num_parts : (part + 1) * num_rows // num_parts]
            features = tf.gather(self.features, own)
            if augment is not None:
                features = augment(features, tf.stack([tf.constant(drawn, tf.int64), number]))
            share = tf.cast(tf.shape(own)[0] / num_rows, tf.float32)
            return features, tf.gather(self.targets, own), tf.gather(self.weights, own) * share

        return starts.map(take).prefetch(2)

    def in_order(self) -> tf.data.Dataset:
        """All rows."""
        rows = tf.data.Dataset.from_tensor_slices((self.features, self.targets, self.weights))
        return rows.batch(evaluation_size(self.features.shape)).prefetch(2)


def to_batches(examples: Examples, class_weights: NDArray[np.float32] | None) -> Batches:
    """Class indices stay int64; values and labels become float32 as the network's own."""
    targets = examples.targets if examples.targets.dtype == np.int64 else examples.targets.astype(np.float32)
    weights = np.ones(len(targets), np.float32) if class_weights is None else class_weights[targets]
    with tf.device("CPU"):
        return Batches(
            features=tf.constant(examples.features), targets=tf.constant(targets), weights=tf.constant(weights)
        )
