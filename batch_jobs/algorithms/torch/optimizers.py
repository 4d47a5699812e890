"""Optimizers by their name in the hyperparameters."""

import torch
from torch import nn

from aimass_core.domain.algorithms.networks import NetworkHyperparameters, Optimizer


def build_optimizer(network: nn.Module, hyperparameters: NetworkHyperparameters) -> torch.optim.Optimizer:
    """Over all weights of the network. Nesterov's momentum needs some, so without any it is plain descent."""
    chosen = hyperparameters
    weights = list(network.parameters())
    # One kernel instead of several for each step. None: torch chooses among the others.
    is_fused = True if all(weight.is_cuda for weight in weights) else None
    match chosen.optimizer:
        case Optimizer.ADAM:
            return torch.optim.Adam(weights, lr=chosen.learning_rate, weight_decay=chosen.weight_decay, fused=is_fused)
        case Optimizer.ADAMW:
            return torch.optim.AdamW(weights, lr=chosen.learning_rate, weight_decay=chosen.weight_decay, fused=is_fused)
        case Optimizer.SGD:
            return torch.optim.SGD(
                weights,
                lr=chosen.learning_rate,
                momentum=chosen.momentum,
                nesterov=chosen.momentum > 0,
                weight_decay=chosen.weight_decay,
                fused=is_fused,
            )
