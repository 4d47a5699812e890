"""A trained network with its answer: probabilities, or values in the target's own units."""

import logging
import warnings
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor, nn

from aimass_core.domain.algorithms.networks import NetworkHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InternalError
from batch_jobs.algorithms.export.builder import OPSET, GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES, Examples, FitContext, Problem
from batch_jobs.algorithms.torch.batches import predict_scores, to_batches
from batch_jobs.algorithms.torch.loop import Augment, Mix, train_network


@runtime_checkable
class Written(Protocol):
    """A network that writes its own graph: torch's exporter takes seconds, also for what is a few products."""

    def write(self, graph: GraphBuilder, features: str) -> str:
        """Adds what `forward` computes, and answers its value."""


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
    """Two rows of features, for tracing."""
    has_variable_length: bool = False
    """Whether the second dimension of the features, too, is any size."""

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """See `Fitted.predict`."""
        scores = predict_scores(self.answer, features)
        is_single = self.answer.is_regression and not self.answer.is_forecast
        return np.asarray(scores[:, 0] if is_single else scores)

    def to_onnx(self) -> onnx.ModelProto:
        """See `Fitted.to_onnx`."""
        if isinstance(self.answer.network, Written):
            return self._write(self.answer.network)
        dimensions = {0: torch.export.Dim("rows")}
        if self.has_variable_length:
            dimensions[1] = torch.export.Dim("steps")
        # NOTE: torch 2.13 exports recurrent layers with loops that it registers for the time of an export. What it
        # cached in the one before hides them, and the length of the example would be that of every series.
        for operator in (torch.ops.aten.lstm.input, torch.ops.aten.gru.input):
            operator._dispatch_cache.clear()
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # What torch's exporter warns about are its own deprecated calls.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                self.answer.eval(),
                (torch.from_numpy(self.example),),
                input_names=[FEATURES],
                output_names=[SCORES],
                dynamic_shapes=(dimensions,),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        if program is None:
            raise InternalError("torch.onnx answered no graph")
        return program.model_proto

    def _write(self, network: Written) -> onnx.ModelProto:
        width = self.example.shape[1]
        graph = GraphBuilder("network")
        output = network.write(graph, graph.input(FEATURES, TensorProto.FLOAT, ["rows", width]))
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
    example: NDArray[Any] | None = None,
    has_variable_length: bool = False,
) -> FittedNetwork:
    """Trains a network that was built after `start`. Without an `example`, it is the first two rows."""
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
        example=train.known[:2] if example is None else example,
        has_variable_length=has_variable_length,
    )
