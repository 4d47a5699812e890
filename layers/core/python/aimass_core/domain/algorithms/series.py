"""Algorithms for series: values over time."""

from typing import Self

from pydantic import Field, model_validator

from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind, Implementation
from aimass_core.domain.algorithms.networks import BATCH_SIZE, NetworkHyperparameters
from aimass_core.domain.signatures import Task


class FcnHyperparameters(NetworkHyperparameters):
    """Fully convolutional network for series, or the ResNet of the same paper (Wang, Yan and Oates 2017)."""

    residual: bool = Field(default=False, description="The ResNet: blocks of convolutions with shortcuts around them.")
    channels: list[int] | None = Field(
        default=None,
        min_length=1,
        max_length=8,
        description="Of each convolution, or residual block. Null: 128, 256, 128, or 64, 128, 128 with residual.",
    )
    kernels: list[int] = Field(
        default=[8, 5, 3], min_length=1, max_length=8, description="Of each convolution, or of those of each block."
    )
    normalise_series: bool = Field(
        default=False, description="Bring every series to mean 0 and deviation 1: what counts is its shape alone."
    )
    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    batch_size: int = Field(default=16, ge=1, le=4096, description=BATCH_SIZE)
    epochs: int = Field(default=150, ge=1, le=10_000)
    patience: int | None = Field(default=50, ge=1, le=10_000)
    # Without it, the weights of the one epoch that a small validation set likes best are luck.
    ema_decay: float = Field(default=0.99, ge=0, lt=1)

    def resolve_channels(self) -> list[int]:
        """The channels, with the default filled in."""
        return self.channels or ([64, 128, 128] if self.residual else [128, 256, 128])

    @model_validator(mode="after")
    def _check(self) -> Self:
        widths = self.resolve_channels()
        if not self.residual and len(widths) != len(self.kernels):
            raise ValueError(f"channels has {len(widths)} entries and kernels {len(self.kernels)}: give one each")
        if not all(1 <= width <= 4096 for width in widths) or not all(1 <= size <= 1024 for size in self.kernels):
            raise ValueError("channels must be from 1 to 4096, and kernels from 1 to 1024")
        return self


FCN = AlgorithmSpec(
    name="fcn",
    kinds=(DataKind.SERIES,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.REGRESSION),
    hyperparameters=FcnHyperparameters,
    implementations={
        "torch": Implementation(
            learner="batch_jobs.algorithms.torch.fcn:Fcn", libraries=("torch", "onnxscript"), is_distributed=True
        ),
        "tensorflow": Implementation(
            learner="batch_jobs.algorithms.tensorflow.fcn:Fcn", libraries=("tensorflow-cpu", "keras", "tf2onnx")
        ),
    },
)


class NlinearHyperparameters(NetworkHyperparameters):
    """Linear forecaster on what differs from the latest value (NLinear: Zeng, Chen, Zhang and Xu 2023)."""

    hidden: list[int] = Field(
        default=[], max_length=4, description="Hidden layers, which make it a perceptron. Empty: it is linear."
    )
    all_columns: bool = Field(
        default=False, description="Look at every numeric column. Default: at the past of the target alone."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1)
    batch_size: int = Field(default=32, ge=1, le=4096, description=BATCH_SIZE)
    epochs: int = Field(default=100, ge=1, le=10_000)
    patience: int | None = Field(default=15, ge=1, le=10_000)


NLINEAR = AlgorithmSpec(
    name="nlinear",
    kinds=(DataKind.SERIES,),
    tasks=(Task.FORECASTING,),
    hyperparameters=NlinearHyperparameters,
    implementations={
        "torch": Implementation(
            learner="batch_jobs.algorithms.torch.nlinear:Nlinear",
            libraries=("torch", "onnxscript"),
            is_distributed=True,
        )
    },
)
