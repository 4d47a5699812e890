"""Neural networks, and how every one of them is trained."""

from enum import StrEnum

from pydantic import Field

from aimass_core.domain.algorithms.augmentation.images import Augmentation, Preset
from aimass_core.domain.algorithms.augmentation.steps import Strength
from aimass_core.domain.algorithms.augmentation.tables import TableAugmentation
from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind, Implementation
from aimass_core.domain.common import Request
from aimass_core.domain.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from aimass_core.domain.signatures import Task

BATCH_SIZE = (
    "Rows of a step, of all machines together: N machines take batch_size / N each and make the steps that one would "
    "make, so that learning_rate means the same on any number of them."
)
_TORCH_LIBRARIES = ("torch",)
_TENSORFLOW_LIBRARIES = ("tensorflow-cpu", "keras", "tf2onnx")


class Optimizer(StrEnum):
    """Kingma & Ba 2015; Loshchilov & Hutter 2019, whose weight decay leaves the gradient alone; momentum."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"


class Schedule(StrEnum):
    """How the learning rate goes. ONE_CYCLE: Smith & Topin 2018. COSINE: Loshchilov & Hutter 2017, once."""

    CONSTANT = "constant"
    EXPONENTIAL = "exponential"
    STEP = "step"
    COSINE = "cosine"
    ONE_CYCLE = "one_cycle"
    PLATEAU = "plateau"


class ClassWeights(StrEnum):
    """Whether rare classes count more in the loss."""

    NONE = "none"
    BALANCED = "balanced"


class Precision(StrEnum):
    """Numbers in which forward and backward pass compute. Weights and validation are float32 always."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Sharding(StrEnum):
    """What each of several machines holds. FULL: a part of weights, gradients and moments (FSDP, Zhao et al. 2023)."""

    NONE = "none"
    FULL = "full"


class NetworkHyperparameters(Request):
    """What the training loop of every network takes."""

    optimizer: Optimizer = Optimizer.ADAMW
    learning_rate: float = Field(
        default=2e-3, gt=0, le=1, description="The highest of the schedule. Without one: 1e-3 to 1e-4, sgd 0.1 to 0.01."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Of sgd, in Nesterov's form.")
    weight_decay: float = Field(default=1e-4, ge=0, le=1)
    schedule: Schedule = Schedule.ONE_CYCLE
    warmup: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Part of all steps in which the rate rises; plateau has none. Null: one_cycle 0.25, cosine 0.05, "
        "others 0.",
    )
    decay: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Factor of the rate: exponential, each epoch (null: 0.95); step, each decay_epochs (0.1); plateau, "
        "after decay_epochs without a better loss (0.5).",
    )
    decay_epochs: int = Field(default=5, ge=1, le=10_000, description="Of the schedules step and plateau.")
    batch_size: int = Field(
        default=256,
        ge=1,
        le=65_536,
        description=BATCH_SIZE,
    )
    accumulation: int = Field(default=1, ge=1, le=1_024, description="Batches whose gradients make one step.")
    epochs: int = Field(default=40, ge=1, le=10_000)
    patience: int | None = Field(
        default=8, ge=1, le=10_000, description="Epochs without a better validation loss. Null: all epochs are done."
    )
    class_weights: ClassWeights = Field(default=ClassWeights.NONE, description="balanced: every class counts alike.")
    max_gradient_norm: float | None = Field(default=5.0, gt=0, description="Longer gradients are cut. Null: none is.")
    precision: Precision = Precision.FLOAT32
    ema_decay: float = Field(
        default=0.0, ge=0, lt=1, description="Above 0 the model is the moving average of the weights: 0.99 to 0.9999."
    )
    deterministic: bool = Field(
        default=False,
        description="Only operations that repeat bit for bit; processors do anyway.",
    )
    compile: bool = Field(
        default=False,
        description="torch.compile, in TensorFlow XLA: begins later, is then faster where the network is large.",
    )
    sharding: Sharding = Field(
        default=Sharding.NONE,
        description="full: several machines hold the network in parts, for one that is too large for each. Torch only.",
    )


class MlpHyperparameters(NetworkHyperparameters):
    """Multilayer perceptron with category embeddings, trained by AdamW on a one-cycle schedule."""

    hidden: list[int] = Field(default=[256, 128], min_length=1, max_length=8)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    augmentation: TableAugmentation = Field(
        default=Strength.NONE,
        description="What is done to training rows (torch): none, light, standard, strong; or a list of steps, such as "
        '{"name": "noise", "deviation": 0.1}.',
    )


MLP = AlgorithmSpec(
    name="mlp",
    kinds=(DataKind.TABLE,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION),
    hyperparameters=MlpHyperparameters,
    implementations={
        "torch": Implementation(
            learner="batch_jobs.algorithms.torch.mlp:Mlp",
            libraries=_TORCH_LIBRARIES,
            is_distributed=True,
            is_streamed=True,
            takes_soft_targets=True,
        ),
        "tensorflow": Implementation(
            learner="batch_jobs.algorithms.tensorflow.mlp:Mlp",
            libraries=_TENSORFLOW_LIBRARIES,
            is_distributed=True,
            lacks=("augmentation", "sharding"),
        ),
    },
    # Gorishniy et al. 2021 and TabZilla (McElfresh et al. 2023): one to four layers, dropout up to a half. The rate is
    # the highest of a one-cycle schedule, which bears more than their constant one.
    space={
        "hidden": CategoricalDistribution(
            type="categorical",
            choices=[
                [64],
                [256],
                [512],
                [128, 64],
                [256, 128],
                [512, 256],
                [128, 128, 128],
                [256, 256, 256],
                [512, 256, 128],
                [256, 256, 256, 256],
            ],
        ),
        "dropout": FloatDistribution(type="float", low=0.0, high=0.5),
        "learning_rate": FloatDistribution(type="float", low=3e-4, high=2e-2, log=True),
        "weight_decay": FloatDistribution(type="float", low=1e-6, high=0.1, log=True),
        "batch_size": IntDistribution(type="int", low=32, high=512, log=True),
        "augmentation": CategoricalDistribution(type="categorical", choices=["none", "light", "standard"]),
    },
)


class CnnHyperparameters(NetworkHyperparameters):
    """Convolutional network for images: blocks of convolution, batch normalisation and pooling."""

    channels: list[int] = Field(default=[32, 64, 128], min_length=1, max_length=6)
    hidden: int = Field(default=128, ge=1, le=4096)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    batch_size: int = Field(default=128, ge=1, le=4096, description=BATCH_SIZE)
    epochs: int = Field(default=8, ge=1, le=1_000)
    patience: int | None = Field(default=4, ge=1, le=1_000)
    image_size: int | None = Field(default=None, ge=8, le=512, description="Null: that of the images, at most 64.")
    flip: bool = Field(default=False, description="Augment with left-right flips.")
    shift: int = Field(default=2, ge=0, le=32, description="Augment with random shifts of up to this many pixels.")
    augmentation: Augmentation = Field(
        default=Preset.NONE,
        description="What else is done to training images (torch): none, light, standard, strong, randaugment; or a "
        'list of steps, such as {"name": "rotate", "degrees": 10}.',
    )


CNN = AlgorithmSpec(
    name="cnn",
    kinds=(DataKind.IMAGES,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION),
    hyperparameters=CnnHyperparameters,
    implementations={
        "torch": Implementation(
            learner="batch_jobs.algorithms.torch.cnn:Cnn",
            libraries=(*_TORCH_LIBRARIES, "pillow"),
            is_distributed=True,
            is_streamed=True,
            takes_soft_targets=True,
        ),
        "tensorflow": Implementation(
            learner="batch_jobs.algorithms.tensorflow.cnn:Cnn",
            libraries=(*_TENSORFLOW_LIBRARIES, "pillow"),
            is_distributed=True,
            lacks=("augmentation", "sharding"),
        ),
    },
    # As AutoGluon and Auto-PyTorch (Zimmer et al. 2021) vary networks for images: rates and decay by magnitude, depth
    # from two to four blocks, each pooled by two; augmentation needs the epochs that go with it.
    space={
        "channels": CategoricalDistribution(
            type="categorical",
            choices=[[16, 32], [32, 64], [16, 32, 64], [32, 64, 128], [64, 128, 256], [32, 64, 128, 256]],
        ),
        "hidden": IntDistribution(type="int", low=32, high=512, log=True),
        "dropout": FloatDistribution(type="float", low=0.0, high=0.6),
        "learning_rate": FloatDistribution(type="float", low=3e-4, high=2e-2, log=True),
        "weight_decay": FloatDistribution(type="float", low=1e-6, high=0.1, log=True),
        "batch_size": IntDistribution(type="int", low=32, high=256, log=True),
        "epochs": IntDistribution(type="int", low=5, high=40, log=True),
        "shift": IntDistribution(type="int", low=0, high=4),
        "augmentation": CategoricalDistribution(
            type="categorical", choices=["none", "light", "standard", "randaugment"]
        ),
    },
)
