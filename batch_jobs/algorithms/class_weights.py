"""How much the rows of each class, or of each label, count in the loss, for every framework."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.algorithms.networks import ClassWeights, NetworkHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Problem


def build_class_weights(
    problem: Problem, hyperparameters: NetworkHyperparameters, targets: NDArray[Any]
) -> NDArray[np.float32] | None:
    """One weight for each class, or None where all rows count alike.

    Balanced: rows / (classes x rows of the class); a class without rows has no say. Of a multi-label task the weight of
    the rows that have a label beside those that have not: as much as makes both sides equal.

    Raises:
        InvalidRequestError: Balanced values.
    """
    if hyperparameters.class_weights is not ClassWeights.BALANCED:
        return None
    if not problem.task.is_classification:
        raise InvalidRequestError(
            "class_weights is 'balanced', and a regression has no classes: leave class_weights out"
        )
    if problem.task is Task.MULTILABEL:
        counts = targets.sum(axis=0, dtype=np.float32)
        return np.where(counts % len(targets) > 0, len(targets) / np.maximum(counts, 1) - 1, 1).astype(np.float32)
    counts = np.bincount(targets, minlength=problem.num_outputs).astype(np.float32)
    shares = len(targets) / (problem.num_outputs * np.maximum(counts, 1))
    return np.where(counts > 0, shares, 0).astype(np.float32)
