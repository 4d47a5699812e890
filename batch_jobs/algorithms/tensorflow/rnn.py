"""Recurrent network for texts, series and forecasts; the network of `algorithms.torch.rnn` in Keras."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.recurrent import RnnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.tensorflow.fitted import FittedNetwork, fit_network
from batch_jobs.algorithms.tensorflow.forecasts import Differences, to_differences
from batch_jobs.algorithms.tensorflow.recurrent_graph import ANSWER, build_graph
from batch_jobs.algorithms.tensorflow.sequences import pool, read_steps, recur
from batch_jobs.encoding.vocabulary import UNKNOWN


def build_network(
    problem: Problem, chosen: RnnHyperparameters, features: NDArray[Any], *, policy: str = "float32"
) -> keras.Model:
    """Vectors of the steps, recurrent layers over them, one pooled vector, a linear layer.

    A forecast is read as differences from the latest values, and the target's is added to the answer.
    """
    is_forecast = problem.task is Task.FORECASTING
    source = keras.Input((None, *features.shape[2:]), dtype=features.dtype.name)
    steps, level = Differences(problem)(source) if is_forecast else (source, None)
    seen = to_differences(features) if is_forecast else features
    states, lengths = read_steps(steps, problem, seen, width=chosen.embedding, policy=policy)
    states = layers.Dropout(chosen.dropout, dtype=policy)(states)
    for index in range(chosen.layers):
        states = recur(
            states,
            lengths,
            index,
            cell=chosen.cell,
            hidden=chosen.hidden,
            is_bidirectional=chosen.bidirectional,
            policy=policy,
        )
        states = layers.Dropout(chosen.dropout, dtype=policy)(states)
    directions = 2 if chosen.bidirectional and chosen.layers else 1
    pooled = pool(states, lengths, chosen.pooling, directions=directions, policy=policy)
    answer = layers.Dense(problem.num_outputs, dtype="float32", name=ANSWER)(pooled)
    return keras.Model(source, layers.Add(dtype="float32")([answer, level]) if is_forecast else answer)


@dataclass(frozen=True, slots=True)
class _DropWords:
    """Takes some words as unknown: the unknown word is learned, and no single word is relied on."""

    part: float

    def __call__(self, ids: Any, seed: Any) -> Any:
        is_dropped = (tf.random.stateless_uniform(tf.shape(ids), seed) < self.part) & (ids > UNKNOWN)
        return tf.where(is_dropped, tf.constant(UNKNOWN, ids.dtype), ids)


@dataclass(frozen=True, slots=True)
class Rnn:
    """The algorithm `rnn`."""

    hyperparameters: RnnHyperparameters

    def fit(
        self, problem: Problem, train: Examples, validation: Examples | None, *, context: FitContext
    ) -> FittedNetwork:
        """See `Learner.fit`; a step is an epoch."""
        chosen = self.hyperparameters
        drops_words = problem.kind is DataKind.TEXT and chosen.word_dropout > 0
        fitted = fit_network(
            lambda policy: build_network(problem, chosen, train.features, policy=policy),
            chosen,
            problem,
            train,
            validation,
            context=context,
            augment=_DropWords(chosen.word_dropout) if drops_words else None,
        )
        return replace(
            fitted,
            is_forecast=problem.task is Task.FORECASTING,
            export=partial(build_graph, problem=problem, chosen=chosen),
        )
