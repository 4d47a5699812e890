"""Settles TensorFlow before its first operation."""

import contextlib

import keras
import tensorflow as tf

from batch_jobs.algorithms.learning import Problem


def start(problem: Problem, *, deterministic: bool) -> None:
    """The same seed and threads give the same weights."""
    keras.utils.set_random_seed(problem.seed)
    with contextlib.suppress(RuntimeError):
        # Threads are settled once a process; later fits of the job find them as they were.
        tf.config.threading.set_intra_op_parallelism_threads(problem.num_threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def initial_weights() -> keras.initializers.Initializer:
    """As torch's layers begin, so that a learning rate means the same in both frameworks.

    What is normalised moves by the rate in relation to its size: weights 2.4 times as large (He et al. 2015) learn as
    much slower.
    """
    return keras.initializers.VarianceScaling(1 / 3, mode="fan_in", distribution="uniform")
