"""Networks that learn from changed series, texts and rows: after an interruption they end with the same weights."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.data.targets import TargetScale
from tests.unit.batch_jobs.algorithms.surroundings import KilledError, Listener, Memory

NUM_ROWS = 40


def _series(rng: np.random.Generator) -> NDArray[Any]:
    series = rng.normal(10, 2, (NUM_ROWS, 12, 2)).astype(np.float32)
    series[::3, 7:] = np.nan
    series[1::3, 2, 0] = np.nan
    return series


def _texts(rng: np.random.Generator) -> NDArray[Any]:
    return np.where(np.arange(12) < rng.integers(1, 12, (NUM_ROWS, 1)), rng.integers(1, 9, (NUM_ROWS, 12)), 0)


def _table(rng: np.random.Generator) -> NDArray[Any]:
    numbers = rng.normal(0, 1, (NUM_ROWS, 2))
    numbers[::5, 0] = np.nan
    return np.concatenate([numbers, rng.integers(0, 9, (NUM_ROWS, 1))], axis=1, dtype=np.float32)


Build = Callable[[np.random.Generator], NDArray[Any]]
CASES: dict[str, tuple[str, DataKind, Build, dict[str, Any]]] = {
    "fcn": ("fcn", DataKind.SERIES, _series, {"channels": [4], "kernels": [3], "ema_decay": 0}),
    "rnn of series": ("rnn", DataKind.SERIES, _series, {"hidden": 4, "embedding": 4}),
    "rnn of texts": ("rnn", DataKind.TEXT, _texts, {"hidden": 4, "embedding": 4}),
    "mlp": ("mlp", DataKind.TABLE, _table, {"hidden": [4]}),
    "nlinear": ("nlinear", DataKind.SERIES, _series, {}),
}


def _fit(case: str, augmentation: Any, memory: Memory) -> NDArray[np.float32]:
    algorithm, kind, build, sizes = CASES[case]
    is_forecast = algorithm == "nlinear"
    rng = np.random.default_rng(0)
    features = build(rng)
    targets = rng.normal(0, 1, (NUM_ROWS, 2)) if is_forecast else rng.integers(0, 2, NUM_ROWS)
    problem = Problem(
        task=Task.FORECASTING if is_forecast else Task.BINARY,
        kind=kind,
        num_outputs=2,
        num_numeric=2,
        cardinalities=() if kind is DataKind.SERIES else (9,),
        target_channel=0 if is_forecast else None,
        target_scale=TargetScale(mean=10, deviation=2),
        seed=3,
        num_threads=1,
    )
    chosen = {"epochs": 2, "batch_size": 16, "augmentation": augmentation} | sizes
    spec = TrainSpec.model_validate({"dataset": "some", "algorithm": algorithm, "hyperparameters": chosen})
    examples = Examples(features=features, targets=targets)
    context = FitContext(listener=Listener(), checkpoints=memory)
    return build_learner(spec).fit(problem, examples, examples, context=context).predict(features)


@pytest.mark.parametrize("case", CASES)
def test_resumed_training_on_changed_data_ends_with_the_same_weights(case: str) -> None:
    expected = _fit(case, "strong", Memory())
    assert not np.array_equal(expected, _fit(case, "none", Memory()))
    for dies_after in (2, 5):
        memory = Memory(dies_after=dies_after)
        with pytest.raises(KilledError):
            _fit(case, "strong", memory)
        memory.dies_after = math.inf
        assert np.array_equal(_fit(case, "strong", memory), expected)
