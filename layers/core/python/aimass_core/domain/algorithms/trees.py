"""Trees."""

from pydantic import Field

from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind, Implementation
from aimass_core.domain.common import Request
from aimass_core.domain.signatures import Task


class XGBoostHyperparameters(Request):
    """Gradient-boosted trees (Chen & Guestrin 2016), early-stopped on the validation channel."""

    num_rounds: int = Field(default=1000, ge=1, le=20_000, description="At most; early stopping chooses.")
    early_stopping_rounds: int = Field(default=50, ge=1, le=1_000)
    learning_rate: float = Field(default=0.1, gt=0, le=1)
    max_depth: int = Field(default=6, ge=1, le=16)
    min_child_weight: float = Field(default=1.0, ge=0, le=1_000)
    subsample: float = Field(default=0.9, gt=0, le=1)
    colsample_bytree: float = Field(default=0.8, gt=0, le=1)
    reg_alpha: float = Field(default=0.0, ge=0, le=1_000)
    reg_lambda: float = Field(default=1.0, ge=0, le=1_000)
    max_bin: int = Field(default=256, ge=16, le=4096)


XGBOOST = AlgorithmSpec(
    name="xgboost",
    kinds=(DataKind.TABLE,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.REGRESSION),
    hyperparameters=XGBoostHyperparameters,
    implementations={
        "xgboost": Implementation(
            learner="batch_jobs.algorithms.xgboost.trees:Trees", libraries=("xgboost-cpu", "onnxmltools")
        )
    },
)
