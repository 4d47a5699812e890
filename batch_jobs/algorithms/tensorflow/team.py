"""The processes of a fit, connected by TensorFlow's MultiWorkerMirroredStrategy: a ring by gRPC between processors.

Keras 3 cannot fit within the scope of this strategy: already its first batch fails, as the strategy deals out values of
replicas where Keras takes tensors (tried with Keras 3.15, TensorFlow 2.21; keras-team/keras#20585). So networks are
plain ones, the same in every process, and their gradients are summed by the strategy.
"""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from batch_jobs.algorithms.meeting import find_free_port, meet
from batch_jobs.algorithms.sharing import WAIT_SECONDS, Alone, lost
from batch_jobs.runtime.cluster import Cluster

Value = TypeVar("Value")

_CONNECTION = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
)
_ABORTED = "Collective ops is aborted by: "


class TensorFlowTeam:
    """Satisfies `Team`."""

    def __init__(self, strategy: tf.distribute.Strategy, cluster: Cluster) -> None:
        self._strategy = strategy
        self.rank, self.num_processes = cluster.rank, cluster.num_processes

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """See Team."""
        (raised,) = self.total(tf.constant(flags, tf.float32))
        return [bool(flag) for flag in raised.numpy()]

    def from_main(self, value: Value) -> Value:
        """See Team."""
        data = pickle.dumps(value) if self.rank == 0 else b""
        (size,) = self.total(tf.constant([len(data)]))
        words = np.zeros(int(size[0]) // 4 + 1, np.int32)
        words.view(np.uint8)[: len(data)] = np.frombuffer(data, np.uint8)
        (sent,) = self.total(tf.constant(words))
        found: Value = pickle.loads(sent.numpy().tobytes())  # noqa: S301 - from the main process of the same job
        return found

    @tf.function  # type: ignore[untyped-decorator]
    def total(self, *tensors: Any) -> Any:
        """Of each tensor, the sum over all processes. They have one type."""
        return self._strategy.run(_total, args=tensors)


def _total(*tensors: Any) -> Any:
    # NOTE: only what is made here has the device that the strategy asks for.
    return tf.distribute.get_replica_context().all_reduce("SUM", [tf.identity(tensor) for tensor in tensors])


@contextmanager
def joined(cluster: Cluster) -> Iterator[Alone | TensorFlowTeam]:
    """Within it the processes of the cluster are a team. They stay connected for the process's next fit.

    NOTE: they are connected before TensorFlow's first operation, or cannot be any more.

    Raises:
        UnavailableError: One of them was lost.
    """
    if cluster.is_alone:
        yield Alone()
        return
    try:
        yield _connect(cluster)
    except tf.errors.OpError as error:
        cause = str(error).partition(_ABORTED)[2] or error.message
        if isinstance(error, _CONNECTION) or _ABORTED in str(error):
            raise lost(ConnectionError(cause)) from error
        raise


@cache
def _connect(cluster: Cluster) -> TensorFlowTeam:
    try:
        addresses = meet(cluster, find_free_port(), wait_seconds=WAIT_SECONDS)
    except OSError as error:
        raise lost(error) from error
    workers = [f"{host}:{port}" for host, port in addresses]
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": workers}), task_type="worker", task_id=cluster.rank, num_accelerators={}
    )
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=tf.distribute.experimental.CommunicationImplementation.RING, timeout_seconds=WAIT_SECONDS
    )
    return TensorFlowTeam(tf.distribute.MultiWorkerMirroredStrategy(resolver, options), cluster)


class Replica(keras.Model):  # type: ignore[misc]
    """A network that every process of a team has, each with its part of a batch, whose gradients are the sum of theirs.

    The parts' rows are weighted so that the sum is the mean over the batch.
    """

    def __init__(self, network: keras.Model, team: TensorFlowTeam) -> None:
        super().__init__(network.inputs, network.outputs)
        self._team = team

    def train_step(self, data: Any) -> dict[str, Any]:
        """Keras's own, with the exchange between gradients and optimizer."""
        features, targets, weights = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(features, targets, self(features, training=True), weights)
        gradients = tape.gradient(loss, self.trainable_weights)
        num_rows = tf.cast(tf.shape(targets)[0], tf.float32)
        *summed, loss, num_rows = self._team.total(*map(tf.convert_to_tensor, gradients), loss, num_rows)
        self.optimizer.apply_gradients(zip(summed, self.trainable_weights, strict=True))
        self._loss_tracker.update_state(loss, sample_weight=num_rows)
        return dict(self.get_metrics_result())
