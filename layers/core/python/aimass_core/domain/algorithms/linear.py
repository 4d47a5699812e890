"""Linear models."""

from pydantic import Field

from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind, Implementation
from aimass_core.domain.common import Request
from aimass_core.domain.signatures import Task


class LinearHyperparameters(Request):
    """Logistic or ridge regression on imputed, scaled and one-hot encoded columns."""

    l2: float = Field(default=1.0, gt=0, le=1e6, description="Strength of the L2 penalty.")
    max_iterations: int = Field(default=1000, ge=10, le=100_000)


LINEAR = AlgorithmSpec(
    name="linear",
    kinds=(DataKind.TABLE,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.REGRESSION),
    hyperparameters=LinearHyperparameters,
    implementations={
        "sklearn": Implementation(learner="batch_jobs.algorithms.sklearn.linear:Linear", libraries=("scikit-learn",))
    },
)
