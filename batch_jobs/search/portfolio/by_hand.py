"""What is tried first where nothing was measured: the algorithms' defaults and their neighbours, cheap ones first.

Tables of many rows are among them: what was measured on 2,000 rows regularises too much there.
"""

from typing import Any

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.signatures import Task
from batch_jobs.search.portfolio.document import Entry, Group

_ALL = [Task.BINARY, Task.MULTICLASS, Task.MULTILABEL, Task.REGRESSION]


# Beyond, defaults come before what did well on few rows.
_MANY_ROWS = 5_000


def _group(kind: DataKind, tasks: list[Task], *configurations: tuple[str, dict[str, Any]], min_rows: int = 0) -> Group:
    entries = [Entry(algorithm=algorithm, hyperparameters=given) for algorithm, given in configurations]
    return Group(kind=kind, tasks=tasks, is_measured=False, min_rows=min_rows, configurations=entries)


BY_HAND = (
    _group(
        DataKind.TABLE,
        [Task.BINARY],
        ("lightgbm", {}),
        ("xgboost", {"learning_rate": 0.1, "max_depth": 5, "colsample_bytree": 0.6}),
        ("mlp", {}),
        ("lightgbm", {"learning_rate": 0.08, "num_leaves": 16, "colsample_bytree": 0.6, "reg_lambda": 5.0}),
        ("linear", {}),
        ("catboost", {}),
        ("extra_trees", {}),
        ("lightgbm", {"learning_rate": 0.03, "num_leaves": 128, "min_child_samples": 3, "colsample_bytree": 0.9}),
        ("mlp", {"hidden": [512, 256, 128], "dropout": 0.3}),
        ("random_forest", {}),
        min_rows=_MANY_ROWS,
    ),
    _group(
        DataKind.TABLE,
        [Task.MULTICLASS, Task.MULTILABEL],
        ("lightgbm", {}),
        ("extra_trees", {"min_samples_leaf": 1}),
        ("lightgbm", {"learning_rate": 0.03, "num_leaves": 128, "min_child_samples": 3, "colsample_bytree": 0.9}),
        ("mlp", {}),
        ("xgboost", {}),
        ("random_forest", {"min_samples_leaf": 1}),
        ("mlp", {"hidden": [512, 256, 128], "dropout": 0.3}),
        ("catboost", {}),
        ("linear", {}),
        ("xgboost", {"learning_rate": 0.05, "max_depth": 9, "colsample_bytree": 0.6, "min_child_weight": 2.0}),
        min_rows=_MANY_ROWS,
    ),
    _group(
        DataKind.TABLE,
        [Task.REGRESSION],
        ("lightgbm", {}),
        ("extra_trees", {}),
        ("mlp", {}),
        ("catboost", {"max_depth": 8}),
        ("lightgbm", {"learning_rate": 0.03, "num_leaves": 128, "min_child_samples": 3, "colsample_bytree": 0.9}),
        ("xgboost", {}),
        ("random_forest", {"min_samples_leaf": 2}),
        ("mlp", {"hidden": [512, 256, 128], "dropout": 0.1}),
        ("lightgbm", {"learning_rate": 0.05, "num_leaves": 64, "colsample_bytree": 0.6}),
        ("linear", {}),
        min_rows=_MANY_ROWS,
    ),
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
