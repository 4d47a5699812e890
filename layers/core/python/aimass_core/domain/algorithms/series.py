"""Algorithms for series: values over time."""

from typing import Self

from pydantic import Field, model_validator

from aimass_core.domain.algorithms.augmentation.series import SeriesAugmentation
from aimass_core.domain.algorithms.augmentation.steps import Strength
from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind, Implementation
from aimass_core.domain.algorithms.networks import BATCH_SIZE, NetworkHyperparameters
from aimass_core.domain.distributions import CategoricalDistribution, Choice, FloatDistribution, IntDistribution
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
    augmentation: SeriesAugmentation = Field(
        default=Strength.NONE,
        description="What is done to training series (torch): none, light, standard, strong; or a list of steps, "
        'such as {"name": "jitter", "deviation": 0.1}.',
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
    tasks=(Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION),
    hyperparameters=FcnHyperparameters,
    implementations={
        "torch": Implementation(
            learner="batch_jobs.algorithms.torch.fcn:Fcn",
            libraries=("torch",),
            is_distributed=True,
            takes_soft_targets=True,
        ),
        "tensorflow": Implementation(
            learner="batch_jobs.algorithms.tensorflow.fcn:Fcn",
            libraries=("tensorflow-cpu", "keras", "tf2onnx"),
            is_distributed=True,
            lacks=("augmentation", "sharding"),
        ),
    },
    # Around Wang, Yan and Oates 2017; the longest kernels are those of InceptionTime (Fawaz et al. 2020).
    space={
        "residual": CategoricalDistribution(type="categorical", choices=[False, True]),
        "channels": CategoricalDistribution(
            type="categorical",
            choices=[None, [32, 64, 32], [64, 64, 64], [64, 128, 64], [128, 128, 128]],
        ),
        "kernels": CategoricalDistribution(
            type="categorical", choices=[[3, 3, 3], [8, 5, 3], [9, 9, 9], [15, 9, 5], [39, 19, 9]]
        ),
        "normalise_series": CategoricalDistribution(type="categorical", choices=[False, True]),
        "learning_rate": FloatDistribution(type="float", low=3e-4, high=1e-2, log=True),
        "weight_decay": FloatDistribution(type="float", low=1e-6, high=0.1, log=True),
        "batch_size": IntDistribution(type="int", low=8, high=64, log=True),
        "augmentation": CategoricalDistribution(type="categorical", choices=["none", "light", "standard", "strong"]),
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
    augmentation: SeriesAugmentation = Field(
        default=Strength.NONE,
        description="What is done to training windows: none, light, standard, strong; or a list of steps. Of a "
        "forecast: jitter, cutout and mixup alone.",
    )
    batch_size: int = Field(default=32, ge=1, le=4096, description=BATCH_SIZE)
    epochs: int = Field(default=100, ge=1, le=10_000)
    patience: int | None = Field(default=15, ge=1, le=10_000)


_PERCEPTRONS: list[Choice] = [[64], [256], [256, 256], [512, 512]]

NLINEAR = AlgorithmSpec(
    name="nlinear",
    kinds=(DataKind.SERIES,),
    tasks=(Task.FORECASTING,),
    hyperparameters=NlinearHyperparameters,
    implementations={
        "torch": Implementation(
            learner="batch_jobs.algorithms.torch.nlinear:Nlinear",
            libraries=("torch",),
            is_distributed=True,
        )
    },
    # Linear as in the paper, or a perceptron as in TiDE (Das et al. 2023), whose widths and rates these are.
    space={
        "hidden": CategoricalDistribution(type="categorical", choices=[[], *_PERCEPTRONS]),
        "dropout": FloatDistribution(type="float", low=0.0, high=0.5, when={"hidden": _PERCEPTRONS}),
        "all_columns": CategoricalDistribution(type="categorical", choices=[False, True]),
        "learning_rate": FloatDistribution(type="float", low=1e-4, high=1e-2, log=True),
        "weight_decay": FloatDistribution(type="float", low=1e-6, high=0.1, log=True),
        "batch_size": IntDistribution(type="int", low=16, high=256, log=True),
        "augmentation": CategoricalDistribution(type="categorical", choices=["none", "light"]),
    },
)
