"""From an algorithm's declaration to its code; a framework is imported when one of its algorithms is asked for."""

from importlib import import_module

from aimass_core.domain.jobs import TrainSpec
from batch_jobs.algorithms.learning import Learner


def build_learner(spec: TrainSpec) -> Learner:
    """The learner that a job asks for, with its hyperparameters."""
    implementation = spec.resolve_algorithm().implementations[spec.resolve_framework()]
    module, _, name = implementation.learner.partition(":")
    learner: Learner = getattr(import_module(module), name)(spec.resolve_hyperparameters())
    return learner
