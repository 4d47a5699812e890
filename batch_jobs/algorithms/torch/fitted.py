"""A trained network with its answer: probabilities, or values in the target's own units."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from aimass_core.domain.algorithms.networks import NetworkHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES, Examples, FitContext, Problem
from batch_jobs.algorithms.torch.batches import predict_scores, to_batches
from batch_jobs.algorithms.torch.loop import Augment, Mix, train_network
from batch_jobs.algorithms.torch.written import Written


class Answer(nn.Module):
    """The network, followed by a softmax where there are classes, and by a sigmoid where there are labels."""

    def __init__(self, network: nn.Module, problem: Problem) -> None:
        super().__init__()
        self.network = network
        self.is_regression = not problem.task.is_classification
        self.is_multilabel = problem.task is Task.MULTILABEL
        self.is_forecast = problem.task is Task.FORECASTING

    def forward(self, features: Tensor) -> Tensor:
        """Probabilities [rows, classes or labels], or standardised values [rows, 1 or horizon]."""
        output: Tensor = self.network(features)
        if self.is_multilabel:
            return torch.sigmoid(output)
        return output if self.is_regression else torch.softmax(output, dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedNetwork:
    """A network that has been trained."""

    answer: Answer
    num_steps: int
    example: NDArray[Any]
    """Some rows of features, for their type and size."""
    has_variable_length: bool = False
    """Whether the second dimension of the features, too, is any size."""

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """See `Fitted.predict`."""
        scores = predict_scores(self.answer, features)
        is_single = self.answer.is_regression and not self.answer.is_forecast
        return np.asarray(scores[:, 0] if is_single else scores)

    def to_onnx(self) -> onnx.ModelProto:
        """See `Fitted.to_onnx`."""
        network = self.answer.network
        assert isinstance(network, Written)  # noqa: S101  as all of ours are
        sizes = self.example.shape[2:] if self.has_variable_length else self.example.shape[1:]
        shape = ["rows", *(["steps"] if self.has_variable_length else []), *sizes]
        graph = GraphBuilder("network")
        features = graph.input(FEATURES, helper.np_dtype_to_tensor_dtype(self.example.dtype), shape)
        with torch.no_grad():
            output = network.write(graph, features)
        if self.answer.is_multilabel:
            output = graph.node("Sigmoid", output)
        elif not self.answer.is_regression:
            output = graph.node("Softmax", output, axis=1)
        graph.output(output, SCORES, TensorProto.FLOAT, ["rows", None])
        return graph.build()


def start(problem: Problem) -> None:
    """The same seed and threads give the same weights."""
    torch.manual_seed(problem.seed)
    torch.set_num_threads(problem.num_threads)


def fit_network(
    network: nn.Module,
    hyperparameters: NetworkHyperparameters,
    problem: Problem,
    train: Examples,
    validation: Examples | None,
    *,
    context: FitContext,
    augment: Augment | None = None,
    mix: Mix | None = None,
    has_variable_length: bool = False,
) -> FittedNetwork:
    """Trains a network that was built after `start`."""
    epochs = train_network(
        network,
        hyperparameters,
        problem,
        to_batches(train),
        None if validation is None else to_batches(validation),
        context=context,
        augment=augment,
        mix=mix,
    )
    return FittedNetwork(
        answer=Answer(network, problem),
        num_steps=epochs,
        example=train.known[:2],
        has_variable_length=has_variable_length,
    )
