"""The algorithms and their hyperparameters: what may be asked for, with ranges and defaults.

The API validates a request with these classes and the container builds its configuration from the same ones.
"""

from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field

from aimass_core.domain.common import Contract, Request
from aimass_core.domain.schemas import DatasetKind


class Algorithm(StrEnum):
    """Names of the built-in algorithms."""

    XGBOOST = "xgboost"
    LINEAR = "linear"
    MLP = "mlp"
    CNN = "cnn"


class _Hyperparameters(Request):
    """A figure in quotes is refused, not guessed at."""

    model_config = ConfigDict(strict=True)


class XGBoostHyperparameters(_Hyperparameters):
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


class LinearHyperparameters(_Hyperparameters):
    """Logistic or ridge regression on imputed, scaled and one-hot encoded columns."""

    l2: float = Field(default=1.0, gt=0, le=1e6, description="Strength of the L2 penalty.")
    max_iterations: int = Field(default=1000, ge=10, le=100_000)


class MlpHyperparameters(_Hyperparameters):
    """Multilayer perceptron with category embeddings, trained by AdamW with a one-cycle learning rate."""

    hidden: list[int] = Field(default=[256, 128], min_length=1, max_length=8)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    weight_decay: float = Field(default=1e-4, ge=0, le=1)
    batch_size: int = Field(default=256, ge=1, le=65_536)
    epochs: int = Field(default=40, ge=1, le=10_000)
    patience: int = Field(default=8, ge=1, le=1_000, description="Epochs without a better validation loss.")


class CnnHyperparameters(_Hyperparameters):
    """Convolutional network for images: blocks of convolution, batch normalisation and pooling."""

    channels: list[int] = Field(default=[32, 64, 128], min_length=1, max_length=6)
    hidden: int = Field(default=128, ge=1, le=4096)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    weight_decay: float = Field(default=1e-4, ge=0, le=1)
    batch_size: int = Field(default=128, ge=1, le=4096)
    epochs: int = Field(default=8, ge=1, le=1_000)
    patience: int = Field(default=4, ge=1, le=1_000)
    image_size: int | None = Field(default=None, ge=8, le=512, description="Null: that of the images, at most 64.")
    flip: bool = Field(default=False, description="Augment with left-right flips.")
    shift: int = Field(default=2, ge=0, le=32, description="Augment with random shifts of up to this many pixels.")


AlgorithmHyperparameters = XGBoostHyperparameters | LinearHyperparameters | MlpHyperparameters | CnnHyperparameters

HYPERPARAMETERS: dict[Algorithm, type[AlgorithmHyperparameters]] = {
    Algorithm.XGBOOST: XGBoostHyperparameters,
    Algorithm.LINEAR: LinearHyperparameters,
    Algorithm.MLP: MlpHyperparameters,
    Algorithm.CNN: CnnHyperparameters,
}

FRAMEWORKS: dict[Algorithm, Literal["xgboost", "sklearn", "torch"]] = {
    Algorithm.XGBOOST: "xgboost",
    Algorithm.LINEAR: "sklearn",
    Algorithm.MLP: "torch",
    Algorithm.CNN: "torch",
}

DATASET_KINDS: dict[Algorithm, DatasetKind] = {
    Algorithm.XGBOOST: DatasetKind.TABLE,
    Algorithm.LINEAR: DatasetKind.TABLE,
    Algorithm.MLP: DatasetKind.TABLE,
    Algorithm.CNN: DatasetKind.IMAGES,
}


class AlgorithmInfo(Contract):
    """One algorithm as GET /v1/algorithms answers it; `hyperparameters` is a JSON Schema."""

    name: Algorithm
    description: str
    framework: str
    dataset_kind: DatasetKind
    hyperparameters: dict[str, object]


def list_algorithms() -> list[AlgorithmInfo]:
    """All of them, with their schemas."""
    return [
        AlgorithmInfo(
            name=name,
            description=(cls.__doc__ or "").strip(),
            framework=FRAMEWORKS[name],
            dataset_kind=DATASET_KINDS[name],
            hyperparameters=cls.model_json_schema(),
        )
        for name, cls in HYPERPARAMETERS.items()
    ]
