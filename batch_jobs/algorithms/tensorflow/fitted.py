"""A trained Keras network with its answer: probabilities, or standardised values."""

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

from aimass_core.domain.algorithms.networks import NetworkHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.evaluation import evaluation_size
from batch_jobs.algorithms.learning import FEATURES, SCORES, Examples, FitContext, Problem
from batch_jobs.algorithms.tensorflow.batches import Augment
from batch_jobs.algorithms.tensorflow.loop import Build, train_network
from batch_jobs.algorithms.tensorflow.start import start

_EXPORT_OPSET = 18
"""The newest that tf2onnx, Keras's way to ONNX, writes."""


def export_by_keras(answer: keras.Model) -> onnx.ModelProto:
    """Keras's own way to ONNX."""
    (source,) = answer.inputs
    signature = [tf.TensorSpec(source.shape, source.dtype, name=FEATURES)]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # What the exporter warns about are its own deprecated calls.
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        answer.export(str(path), format="onnx", input_signature=signature, opset_version=_EXPORT_OPSET, verbose=False)
        model = onnx.load(path)
    _rename(model, model.graph.input[0].name, FEATURES)
    _rename(model, model.graph.output[0].name, SCORES)
    return model


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedNetwork:
    """A network that has been trained."""

    answer: keras.Model
    is_regression: bool
    is_forecast: bool = False
    num_steps: int
    export: Callable[[keras.Model], onnx.ModelProto] = export_by_keras

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """See `Fitted.predict`."""
        scores = self.answer.predict(features, batch_size=evaluation_size(features.shape), verbose=0)
        scores = np.asarray(scores, dtype=np.float32)
        return scores[:, 0] if self.is_regression and not self.is_forecast else scores

    def to_onnx(self) -> onnx.ModelProto:
        """See `Fitted.to_onnx`."""
        return self.export(self.answer)


def to_fitted(network: keras.Model, problem: Problem, *, num_steps: int) -> FittedNetwork:
    """The network followed by a softmax where there are classes, and by a sigmoid where there are labels."""
    is_regression = not problem.task.is_classification
    outputs = network.outputs[0]
    if problem.task is Task.MULTILABEL:
        outputs = keras.layers.Activation("sigmoid", dtype="float32")(outputs)
    elif not is_regression:
        outputs = keras.layers.Softmax(dtype="float32")(outputs)
    answer = keras.Model(network.inputs, outputs)
    return FittedNetwork(answer=answer, is_regression=is_regression, num_steps=num_steps)


def fit_network(
    build: Build,
    hyperparameters: NetworkHyperparameters,
    problem: Problem,
    train: Examples,
    validation: Examples | None,
    *,
    context: FitContext,
    augment: Augment | None = None,
) -> FittedNetwork:
    """Trains the network that `build` makes."""
    start(problem, deterministic=hyperparameters.deterministic)
    network, num_steps = train_network(
        build, hyperparameters, problem, train, validation, context=context, augment=augment
    )
    return to_fitted(network, problem, num_steps=num_steps)


def _rename(model: onnx.ModelProto, old: str, new: str) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.name = new if value.name == old else value.name
    for node in model.graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name == old:
                    names[position] = new
