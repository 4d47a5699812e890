"""The one table from an algorithm's name to its code; the frameworks are imported when one is asked for."""

from typing import assert_never

from aimass_core.domain.algorithms import (
    AlgorithmHyperparameters,
    CnnHyperparameters,
    LinearHyperparameters,
    MlpHyperparameters,
    XGBoostHyperparameters,
)
from batch_jobs.algorithms.learning import Learner


def build_learner(hyperparameters: AlgorithmHyperparameters) -> Learner:
    """The algorithm that these hyperparameters belong to."""
    match hyperparameters:
        case XGBoostHyperparameters():
            from batch_jobs.algorithms.xgboost.trees import Trees

            return Trees(hyperparameters)
        case LinearHyperparameters():
            from batch_jobs.algorithms.sklearn.linear import Linear

            return Linear(hyperparameters)
        case MlpHyperparameters():
            from batch_jobs.algorithms.torch.mlp import Mlp

            return Mlp(hyperparameters)
        case CnnHyperparameters():
            from batch_jobs.algorithms.torch.cnn import Cnn

            return Cnn(hyperparameters)
    assert_never(hyperparameters)
