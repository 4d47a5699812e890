"""Linear models."""

from pydantic import Field

from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind, Implementation, TextReading
from aimass_core.domain.distributions import FloatDistribution
from aimass_core.domain.signatures import Task


class LinearHyperparameters(TextReading):
    """Logistic or ridge regression: on imputed, scaled and one-hot encoded columns, or on words and word pairs."""

    max_tokens: int = Field(default=512, ge=1, le=2048, description="Of each text: words and marks that are read.")
    l2: float = Field(default=1.0, gt=0, le=1e6, description="Strength of the L2 penalty.")
    max_iterations: int = Field(default=1000, ge=10, le=100_000)


LINEAR = AlgorithmSpec(
    name="linear",
    kinds=(DataKind.TABLE, DataKind.TEXT),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION),
    hyperparameters=LinearHyperparameters,
    implementations={
        "sklearn": Implementation(
            learner="batch_jobs.algorithms.sklearn.linear:Linear", libraries=("scikit-learn",), takes_soft_targets=True
        )
    },
    # C from 1e-4 to 1e4, as in auto-sklearn (Feurer et al. 2015) and around it.
    space={"l2": FloatDistribution(type="float", low=1e-4, high=1e4, log=True)},
)
