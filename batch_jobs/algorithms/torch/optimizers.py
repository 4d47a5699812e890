"""Optimizers by their name in the hyperparameters."""

import torch
from torch import nn

from aimass_core.domain.algorithms.networks import NetworkHyperparameters, Optimizer


def build_optimizer(network: nn.Module, hyperparameters: NetworkHyperparameters) -> torch.optim.Optimizer:
    """Over all weights of the network. Nesterov's momentum needs some, so without any it is plain descent.

    Fused: one pass over the weights, where torch's default on processors makes ten. Torch has no fused sgd for a
    network in parts.
    """
    chosen = hyperparameters
    weights = network.parameters()
    match chosen.optimizer:
        case Optimizer.ADAM:
            return torch.optim.Adam(weights, lr=chosen.learning_rate, weight_decay=chosen.weight_decay, fused=True)
        case Optimizer.ADAMW:
            return torch.optim.AdamW(weights, lr=chosen.learning_rate, weight_decay=chosen.weight_decay, fused=True)
        case Optimizer.SGD:
            return torch.optim.SGD(
                weights,
                lr=chosen.learning_rate,
                momentum=chosen.momentum,
                nesterov=chosen.momentum > 0,
                weight_decay=chosen.weight_decay,
            )
