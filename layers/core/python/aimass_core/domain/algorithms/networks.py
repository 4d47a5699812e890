"""Neural networks."""

from pydantic import Field

from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind, Implementation
from aimass_core.domain.common import Request
from aimass_core.domain.signatures import Task

_TORCH_LIBRARIES = ("torch", "onnxscript")


class MlpHyperparameters(Request):
    """Multilayer perceptron with category embeddings, trained by AdamW with a one-cycle learning rate."""

    hidden: list[int] = Field(default=[256, 128], min_length=1, max_length=8)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    learning_rate: float = Field(default=2e-3, gt=0, le=1)
    weight_decay: float = Field(default=1e-4, ge=0, le=1)
    batch_size: int = Field(default=256, ge=1, le=65_536)
    epochs: int = Field(default=40, ge=1, le=10_000)
    patience: int = Field(default=8, ge=1, le=1_000, description="Epochs without a better validation loss.")


MLP = AlgorithmSpec(
    name="mlp",
    kinds=(DataKind.TABLE,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.REGRESSION),
    hyperparameters=MlpHyperparameters,
    implementations={
        "torch": Implementation(learner="batch_jobs.algorithms.torch.mlp:Mlp", libraries=_TORCH_LIBRARIES)
    },
)


class CnnHyperparameters(Request):
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


CNN = AlgorithmSpec(
    name="cnn",
    kinds=(DataKind.IMAGES,),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.REGRESSION),
    hyperparameters=CnnHyperparameters,
    implementations={
        "torch": Implementation(learner="batch_jobs.algorithms.torch.cnn:Cnn", libraries=(*_TORCH_LIBRARIES, "pillow"))
    },
)
