"""Recurrent networks."""

from enum import StrEnum

from pydantic import Field

from aimass_core.domain.algorithms.augmentation.sequences import SequenceAugmentation
from aimass_core.domain.algorithms.augmentation.steps import Strength
from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind, Implementation, TextReading
from aimass_core.domain.algorithms.networks import BATCH_SIZE, NetworkHyperparameters
from aimass_core.domain.distributions import CategoricalDistribution, Choice, FloatDistribution, IntDistribution
from aimass_core.domain.signatures import Task


class Cell(StrEnum):
    """Hochreiter & Schmidhuber 1997; Cho et al. 2014."""

    LSTM = "lstm"
    GRU = "gru"


class Pooling(StrEnum):
    """How the states of all steps become one vector. ATTENTION: Bahdanau et al. 2015, Yang et al. 2016."""

    LAST = "last"
    MEAN = "mean"
    ATTENTION = "attention"


class RnnHyperparameters(NetworkHyperparameters, TextReading):
    """Recurrent network for texts, series, forecasts: LSTM or GRU in one direction or both, pooled over the steps."""

    cell: Cell = Cell.LSTM
    bidirectional: bool = Field(default=True, description="A second network reads from the end to the beginning.")
    layers: int = Field(default=1, ge=0, le=8, description="0: the mean of the words themselves, as in fastText.")
    hidden: int = Field(default=128, ge=1, le=2048, description="Size of the state, in each direction.")
    embedding: int = Field(default=128, ge=1, le=2048, description="Size of a word's vector, or of a step's.")
    pooling: Pooling = Pooling.MEAN
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Of the words' vectors, of states and of the answer.")
    word_dropout: float = Field(
        default=0.1, ge=0, lt=1, description="Part of the words that each step takes as unknown."
    )
    augmentation: SequenceAugmentation = Field(
        default=Strength.NONE,
        description="What else is done to training data (torch): none, light, standard, strong; or a list of steps, "
        'such as {"name": "jitter"}. Of texts: drop and swap; of series: the others.',
    )
    batch_size: int = Field(default=64, ge=1, le=65_536, description=BATCH_SIZE)
    epochs: int = Field(default=10, ge=1, le=10_000)
    patience: int | None = Field(default=4, ge=1, le=10_000)


_IS_RECURRENT: dict[str, list[Choice]] = {"layers": [1, 2]}

RNN = AlgorithmSpec(
    name="rnn",
    kinds=(DataKind.TEXT, DataKind.SERIES),
    tasks=(Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION, Task.FORECASTING),
    hyperparameters=RnnHyperparameters,
    implementations={
        "torch": Implementation(
            learner="batch_jobs.algorithms.torch.rnn:Rnn",
            libraries=("torch",),
            is_distributed=True,
            takes_soft_targets=True,
        ),
        "tensorflow": Implementation(
            learner="batch_jobs.algorithms.tensorflow.rnn:Rnn",
            libraries=("tensorflow-cpu", "keras"),
            is_distributed=True,
            lacks=("augmentation", "sharding"),
        ),
    },
    # What counts in recurrent networks is the rate, then the width (Greff et al. 2017); of layers none (fastText,
    # Joulin et al. 2017) to two.
    space={
        "layers": IntDistribution(type="int", low=0, high=2),
        "cell": CategoricalDistribution(type="categorical", choices=["lstm", "gru"], when=_IS_RECURRENT),
        "bidirectional": CategoricalDistribution(type="categorical", choices=[True, False], when=_IS_RECURRENT),
        "hidden": IntDistribution(type="int", low=32, high=256, log=True, when=_IS_RECURRENT),
        "embedding": IntDistribution(type="int", low=32, high=256, log=True),
        "pooling": CategoricalDistribution(type="categorical", choices=["last", "mean", "attention"]),
        "dropout": FloatDistribution(type="float", low=0.0, high=0.6),
        "learning_rate": FloatDistribution(type="float", low=3e-4, high=2e-2, log=True),
        "weight_decay": FloatDistribution(type="float", low=1e-6, high=0.1, log=True),
        "batch_size": IntDistribution(type="int", low=16, high=128, log=True),
        "epochs": IntDistribution(type="int", low=5, high=40, log=True),
        "augmentation": CategoricalDistribution(type="categorical", choices=["none", "light", "standard"]),
    },
)
