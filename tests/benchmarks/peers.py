"""What training is measured beside: the same networks and the same steps, written by hand as a practitioner would.

Everything that a job adds is left out: no validation, checkpoints, clipping, deadline, or a second look at the loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aimass_core.domain.algorithms.trees import LightGBMHyperparameters, XGBoostHyperparameters
from batch_jobs.algorithms.learning import Examples

LEARNING_RATE, WEIGHT_DECAY = 2e-3, 1e-4
TREES = {"num_rounds": 100, "early_stopping_rounds": 100, "learning_rate": 0.1}
"""Of both libraries: so many rounds, none left out by early stopping."""


def build_cnn(num_classes: int) -> nn.Module:
    """The network of `cnn` with its defaults, for images of 28 x 28."""
    blocks: list[nn.Module] = []
    for depth, outer in ((1, 32), (32, 64), (64, 128)):
        blocks += [nn.Conv2d(depth, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(), nn.MaxPool2d(2)]
    head = [nn.Linear(1152, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, num_classes)]
    return nn.Sequential(*blocks, nn.Flatten(), *head)


class BiLstm(nn.Module):
    """The network of `rnn` with its defaults. Packed, it answers as ours does; padded, it reads the padding too."""

    def __init__(self, num_ids: int, num_classes: int, *, is_packed: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_ids, 128, padding_idx=0)
        self.lstm = nn.LSTM(128, 128, batch_first=True, bidirectional=True)
        self.dropout, self.answer = nn.Dropout(0.5), nn.Linear(256, num_classes)
        self.is_packed = is_packed

    def forward(self, ids: Tensor) -> Tensor:
        """Token ids [rows, length] to logits."""
        lengths = (ids != 0).sum(1)
        vectors = self.dropout(self.embedding(ids))
        if self.is_packed:
            packed = nn.utils.rnn.pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
            states, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        else:
            states, _ = self.lstm(vectors)
        is_step = (torch.arange(states.shape[1]) < lengths[:, None]).unsqueeze(2)
        pooled = (self.dropout(states) * is_step).sum(1) / lengths[:, None]
        answer: Tensor = self.answer(pooled)
        return answer


def to_images(images: np.ndarray, *, channels_last: bool) -> Tensor:
    """uint8 [rows, height, width, channels] to standardised float32 [rows, channels, height, width]."""
    values = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return ((values - values.mean()) / values.std()).contiguous(memory_format=layout)


def train_torch(
    network: nn.Module, features: Tensor, targets: Tensor, *, batch_size: int, epochs: int, num_threads: int
) -> None:
    """Rows are copied by index, which is faster than a DataLoader over tensors in memory."""
    torch.set_num_threads(num_threads)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    compute_loss = nn.CrossEntropyLoss()
    network.train()
    for _ in range(epochs):
        for index in torch.randperm(len(targets)).split(batch_size):
            optimizer.zero_grad()
            loss = compute_loss(network(features[index]), targets[index])
            loss.backward()
            optimizer.step()


def train_keras(network: Any, features: np.ndarray, targets: np.ndarray, *, batch_size: int, epochs: int) -> None:
    """`keras.fit` on arrays."""
    import keras

    network.compile(
        optimizer=keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    network.fit(features, targets, batch_size=batch_size, epochs=epochs, verbose=0)


def build_keras_cnn(num_classes: int) -> Any:
    """As `build_cnn`."""
    from keras import Sequential, layers

    blocks: list[Any] = [layers.Input((28, 28, 1))]
    for outer in (32, 64, 128):
        blocks += [layers.Conv2D(outer, 3, padding="same", use_bias=False), layers.BatchNormalization(momentum=0.9)]
        blocks += [layers.ReLU(), layers.MaxPooling2D(2)]
    head = [layers.Dense(128, activation="relu"), layers.Dropout(0.2), layers.Dense(num_classes)]
    return Sequential([*blocks, layers.Flatten(), *head])


def build_keras_bilstm(num_ids: int, num_classes: int) -> Any:
    """As `BiLstm`, by Keras's own masks."""
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Embedding(num_ids, 128, mask_zero=True),
            layers.Dropout(0.5),
            layers.Bidirectional(layers.LSTM(128, return_sequences=True)),
            layers.Dropout(0.5),
            layers.GlobalAveragePooling1D(),
            layers.Dense(num_classes),
        ]
    )


def train_xgboost(train: Examples, validation: Examples, *, num_threads: int) -> Any:
    """`xgboost.train` with the parameters of the algorithm's defaults."""
    import xgboost

    matrix, judge = (
        xgboost.DMatrix(part.features, label=part.targets, nthread=num_threads) for part in (train, validation)
    )
    chosen = XGBoostHyperparameters(**TREES).model_dump(exclude={"num_rounds", "early_stopping_rounds"})
    parameters = {"objective": "binary:logistic", "tree_method": "hist", "nthread": num_threads, **chosen}
    evals = [(matrix, "train"), (judge, "validation")]
    return xgboost.train(parameters, matrix, TREES["num_rounds"], evals=evals, verbose_eval=False)


def train_lightgbm(train: Examples, validation: Examples, *, categories: list[int], num_threads: int) -> Any:
    """`lightgbm.train`, likewise."""
    import lightgbm

    data = lightgbm.Dataset(train.features, label=train.targets, categorical_feature=categories)
    judge = lightgbm.Dataset(validation.features, label=validation.targets, reference=data)
    unnamed = {"num_rounds", "early_stopping_rounds", "max_depth"}
    chosen = LightGBMHyperparameters(**TREES).model_dump(exclude=unnamed)
    parameters = {"objective": "binary", "num_threads": num_threads, "verbosity": -1, "bagging_freq": 1, **chosen}
    return lightgbm.train(parameters, data, TREES["num_rounds"], valid_sets=[data, judge])
