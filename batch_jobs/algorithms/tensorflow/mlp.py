"""Multilayer perceptron for tables; the network of `algorithms.torch.mlp` in Keras."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from aimass_core.domain.algorithms.networks import MlpHyperparameters
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.quantities import CLIP, Scaling, embedding_width, fit_scaling
from batch_jobs.algorithms.tensorflow.fitted import FittedNetwork, fit_network
from batch_jobs.algorithms.tensorflow.start import initial_weights


class Quantities(layers.Layer):  # type: ignore[misc]
    """Standardised, clipped and binned numbers, and an indicator of what is missing (which is encoded as zeros)."""

    def __init__(self, scaling: Scaling) -> None:
        super().__init__(dtype="float32", trainable=False)
        self._scaling = scaling

    def call(self, numeric: Any) -> Any:
        """[rows, columns] to [rows, num_outputs]."""
        scaling = self._scaling
        is_missing = ops.isnan(numeric)
        filled = ops.where(is_missing, scaling.means, numeric)
        scaled = ops.clip((filled - scaling.means) * scaling.inverse_deviations, -CLIP, CLIP)
        bins = ops.clip((ops.expand_dims(filled, 2) - scaling.left) * scaling.inverse_widths, 0.0, 1.0)
        present = ops.cast(ops.logical_not(is_missing), "float32")
        bins = ops.reshape(bins * ops.expand_dims(present, 2), (-1, scaling.left.size))
        return ops.concatenate([scaled, 1.0 - present, bins], axis=1)


@dataclass(frozen=True, slots=True)
class Mlp:
    """The algorithm `mlp`."""

    hyperparameters: MlpHyperparameters

    def fit(
        self, problem: Problem, train: Examples, validation: Examples | None, *, context: FitContext
    ) -> FittedNetwork:
        """See `Learner.fit`; a step is an epoch."""
        chosen = self.hyperparameters
        scaling = fit_scaling(train.features[:, : problem.num_numeric]) if problem.num_numeric else None
        fitted = fit_network(
            lambda policy: _build(problem, chosen, scaling, policy),
            chosen,
            problem,
            train,
            validation,
            context=context,
        )
        _settle_unknowns(fitted.answer, problem, train.features)
        return fitted


def _build(problem: Problem, chosen: MlpHyperparameters, scaling: Scaling | None, policy: str) -> keras.Model:
    width = problem.num_numeric + len(problem.cardinalities)
    features = keras.Input((width,), dtype="float32")
    parts = [] if scaling is None else [Quantities(scaling)(features[:, : problem.num_numeric])]
    for index, size in enumerate(problem.cardinalities):
        codes = ops.cast(features[:, problem.num_numeric + index], "int32")
        parts.append(layers.Embedding(size, embedding_width(size), name=_embedding(index), dtype=policy)(codes))
    hidden = ops.concatenate([ops.cast(part, "float32") for part in parts], axis=1)
    for inner in chosen.hidden:
        hidden = layers.Dense(inner, activation="relu", kernel_initializer=initial_weights(), dtype=policy)(hidden)
        hidden = layers.Dropout(chosen.dropout, dtype=policy)(hidden)
    return keras.Model(
        features, layers.Dense(problem.num_outputs, kernel_initializer=initial_weights(), dtype="float32")(hidden)
    )


def _embedding(index: int) -> str:
    return f"embedding_{index}"


def _settle_unknowns(network: keras.Model, problem: Problem, features: NDArray[np.float32]) -> None:
    """An unknown category that training never saw gets the mean of the known ones, weighted by frequency."""
    for index, size in enumerate(problem.cardinalities):
        codes = features[:, problem.num_numeric + index].astype(np.int64)
        counts = np.bincount(codes, minlength=size).astype(np.float32)
        if counts[0] == 0:
            layer = network.get_layer(_embedding(index))
            (weights,) = layer.get_weights()
            weights[0] = (counts[:, None] * weights).sum(axis=0) / counts.sum()
            layer.set_weights([weights])
