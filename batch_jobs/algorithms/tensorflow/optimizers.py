"""Optimizers by their name in the hyperparameters."""

import keras

from aimass_core.domain.algorithms.networks import NetworkHyperparameters, Optimizer
from batch_jobs.algorithms.learning import Listener


def build_optimizer(hyperparameters: NetworkHyperparameters, listener: Listener) -> keras.optimizers.Optimizer:
    """Nesterov's momentum needs some, so without any it is plain descent."""
    chosen = hyperparameters
    common = {
        "learning_rate": chosen.learning_rate,
        "weight_decay": chosen.weight_decay or None,
        "global_clipnorm": chosen.max_gradient_norm,
        "gradient_accumulation_steps": chosen.accumulation if chosen.accumulation > 1 else None,
    }
    if chosen.weight_decay and chosen.optimizer is not Optimizer.ADAMW:
        listener.message(
            f"in TensorFlow the weight_decay of {chosen.optimizer} leaves the gradient alone, as adamw's does: in "
            "torch it is added to the gradient"
        )
    match chosen.optimizer:
        case Optimizer.ADAM:
            return keras.optimizers.Adam(**common)
        case Optimizer.ADAMW:
            return keras.optimizers.AdamW(**common | {"weight_decay": chosen.weight_decay})
        case Optimizer.SGD:
            return keras.optimizers.SGD(**common, momentum=chosen.momentum, nesterov=chosen.momentum > 0)
