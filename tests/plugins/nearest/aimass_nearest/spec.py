"""What the algorithm declares. Read by the API too: nothing heavy is imported here."""

from pydantic import Field

from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind, Implementation
from aimass_core.domain.common import Request
from aimass_core.domain.distributions import FloatDistribution
from aimass_core.domain.signatures import Task


class NearestHyperparameters(Request):
    """Each class is the mean of its rows; the nearer it is, the likelier."""

    sharpness: float = Field(default=1.0, gt=0, le=100, description="How fast likelihood falls with distance.")


NEAREST = AlgorithmSpec(
    name="nearest",
    kinds=(DataKind.TABLE,),
    tasks=(Task.BINARY, Task.MULTICLASS),
    hyperparameters=NearestHyperparameters,
    implementations={"numpy": Implementation(learner="aimass_nearest.learner:Nearest", libraries=("numpy",))},
    space={"sharpness": FloatDistribution(type="float", low=0.1, high=10.0, log=True)},
)
