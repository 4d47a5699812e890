"""Convolutional network for images: uint8 pixels in, normalisation inside the graph."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor, nn

from aimass_core.domain.algorithms.networks import CnnHyperparameters
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.pixels import MAX_FLAT_PIXELS, fit_pixels
from batch_jobs.algorithms.torch.fitted import FittedNetwork, fit_network, start
from batch_jobs.algorithms.torch.written import write_convolution, write_layers, write_tensor
from batch_jobs.data.augmentation.building import build_augmentation


class Network(nn.Module):
    """Blocks of convolution, batch normalisation, pooling and ReLU, then two linear layers.

    What the blocks leave is flattened where it is at most 4 x 4 pixels, and averaged where it is more.
    """

    means: Tensor
    inverse_deviations: Tensor

    def __init__(self, problem: Problem, hyperparameters: CnnHyperparameters, images: NDArray[np.uint8]) -> None:
        super().__init__()
        _, height, width, depth = images.shape
        means, scales = fit_pixels(images)
        self.register_buffer("means", torch.from_numpy(means))
        self.register_buffer("inverse_deviations", torch.from_numpy(scales))
        blocks: list[nn.Module] = []
        for outer in hyperparameters.channels:
            blocks += [nn.Conv2d(depth, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer)]
            depth = outer
            if min(height, width) > 1:
                blocks.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            # After the pooling it is the same, and a quarter of the work.
            blocks.append(nn.ReLU())
        self.blocks = nn.Sequential(*blocks)
        self.is_averaged = height * width > MAX_FLAT_PIXELS
        self.layers = nn.Sequential(
            nn.Linear(depth if self.is_averaged else depth * height * width, hyperparameters.hidden),
            nn.ReLU(),
            nn.Dropout(hyperparameters.dropout),
            nn.Linear(hyperparameters.hidden, problem.num_outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        """uint8 [rows, height, width, channels] to logits, or to standardised values [rows, 1]."""
        scaled = (images.float() - self.means) * self.inverse_deviations
        # A permuted view of such images is in channels-last memory already, which the convolutions like best.
        output: Tensor = self.blocks(scaled.permute(0, 3, 1, 2))
        output = output.mean(dim=(2, 3)) if self.is_averaged else output.flatten(1)
        return self.layers(output)  # type: ignore[no-any-return]

    def write(self, graph: GraphBuilder, features: str) -> str:
        """See `Written`."""
        values = graph.node("Cast", features, to=TensorProto.FLOAT)
        values = graph.node("Sub", values, write_tensor(graph, self.means))
        values = graph.node("Mul", values, write_tensor(graph, self.inverse_deviations))
        values = graph.node("Transpose", values, perm=[0, 3, 1, 2])
        for layer, after in pairwise(self.blocks):
            if isinstance(layer, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                values = write_convolution(graph, values, layer, after, pads=[1, 1, 1, 1])
            elif isinstance(layer, nn.MaxPool2d):
                values = graph.node("MaxPool", values, kernel_shape=[2, 2], strides=[2, 2])
            if isinstance(after, nn.ReLU):
                values = graph.node("Relu", values)
        if self.is_averaged:
            values = graph.node("GlobalAveragePool", values)
        return write_layers(graph, graph.node("Flatten", values, axis=1), self.layers)


@dataclass(frozen=True, slots=True)
class Cnn:
    """The algorithm `cnn`."""

    hyperparameters: CnnHyperparameters

    def fit(
        self,
        problem: Problem,
        train: Examples,
        validation: Examples | None,
        *,
        context: FitContext,
    ) -> FittedNetwork:
        """See `Learner.fit`; a step is an epoch."""
        start(problem)
        network = Network(problem, self.hyperparameters, train.known)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        augmentation = build_augmentation(self.hyperparameters, problem, train.features)
        return fit_network(
            network,
            self.hyperparameters,
            problem,
            train,
            validation,
            context=context,
            augment=augmentation.augment,
            mix=augmentation.mix,
        )
