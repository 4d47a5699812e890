"""What is tried first on data other than tables: the algorithms' defaults and their neighbours, cheap ones first."""

from typing import Any

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.signatures import Task
from batch_jobs.search.portfolio.document import Entry, Group

_ALL = [Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION]


def _group(kind: DataKind, tasks: list[Task], *configurations: tuple[str, dict[str, Any]]) -> Group:
    entries = [Entry(algorithm=algorithm, hyperparameters=given) for algorithm, given in configurations]
    return Group(kind=kind, tasks=tasks, is_measured=False, configurations=entries)


BY_HAND = (
    _group(
        DataKind.IMAGES,
        _ALL,
        ("cnn", {}),
        ("cnn", {"epochs": 20, "augmentation": "light"}),
        ("cnn", {"epochs": 30, "augmentation": "standard", "channels": [64, 128, 256]}),
        ("cnn", {"epochs": 15, "channels": [16, 32], "hidden": 64, "dropout": 0.1}),
    ),
    _group(
        DataKind.TEXT,
        _ALL,
        ("linear", {}),
        ("linear", {"l2": 0.1}),
        ("rnn", {}),
        ("rnn", {"layers": 0, "learning_rate": 5e-3}),
        ("rnn", {"cell": "gru", "pooling": "attention"}),
    ),
    _group(
        DataKind.SERIES,
        _ALL,
        ("fcn", {}),
        ("rnn", {"epochs": 40}),
        ("fcn", {"residual": True}),
        ("fcn", {"normalise_series": True, "augmentation": "light"}),
        ("fcn", {"kernels": [39, 19, 9], "channels": [32, 64, 32]}),
    ),
    _group(
        DataKind.SERIES,
        [Task.FORECASTING],
        ("nlinear", {}),
        ("nlinear", {"all_columns": True, "learning_rate": 5e-4}),
        ("nlinear", {"hidden": [256], "dropout": 0.2}),
        ("rnn", {"dropout": 0.1}),
        ("rnn", {"cell": "gru", "hidden": 64, "dropout": 0.1}),
    ),
)
