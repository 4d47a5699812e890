"""Trees in ONNX take every row down the branch that their framework takes it."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

from aimass_core.domain.algorithms import registry, trees
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.catboost.trees import Trees as CatBoostTrees
from batch_jobs.algorithms.export.builder import finish
from batch_jobs.algorithms.learning import SCORES, Examples, FitContext, Learner, Problem
from batch_jobs.algorithms.lightgbm.trees import MAX_NATIVE_CATEGORIES, FittedTrees
from batch_jobs.algorithms.lightgbm.trees import Trees as LightGBMTrees
from batch_jobs.algorithms.sklearn.forest import ExtraTrees, RandomForest

BOOSTED = ("lightgbm", "catboost")
NUM_ROWS = 4000
CARDINALITIES = (6, MAX_NATIVE_CATEGORIES, MAX_NATIVE_CATEGORIES + 30)


class _Listener:
    def __init__(self) -> None:
        self.steps: list[int] = []
        self.losses: list[dict[str, float]] = []
        self.messages: list[str] = []

    def step(self, step: int, num_steps: int, losses: Any) -> None:
        self.steps.append(step)
        self.losses.append(dict(losses))

    def message(self, text: str) -> None:
        self.messages.append(text)


def _features(seed: int, num_rows: int = NUM_ROWS) -> Any:
    """Neighbouring float32 values, rounded ones, a column with gaps, categories of three sizes."""
    rng = np.random.default_rng(seed)
    close = np.float32(1) + rng.integers(0, 4, num_rows).astype(np.float32) * np.finfo(np.float32).eps
    numbers = rng.normal(size=(num_rows, 3)).astype(np.float32)
    numbers[:, 1] = numbers[:, 1].round(1)
    numbers[rng.random(num_rows) < 0.2, 2] = np.nan
    codes = [rng.integers(0, size, num_rows) for size in CARDINALITIES]
    return np.column_stack([close, numbers, *codes]).astype(np.float32)


def _problem(task: Task) -> Problem:
    outputs = {Task.BINARY: 2, Task.MULTICLASS: 4, Task.REGRESSION: 1}[task]
    return Problem(
        task=task,
        kind=DataKind.TABLE,
        num_outputs=outputs,
        num_numeric=4,
        cardinalities=CARDINALITIES,
        seed=0,
        num_threads=1,
    )


def _examples(task: Task, seed: int) -> Examples:
    features = _features(seed)
    effects = [np.random.default_rng(9).normal(size=size) for size in CARDINALITIES]
    signal = (features[:, 0] > 1) * 1.0 + features[:, 1] + np.nan_to_num(features[:, 3])
    signal += sum(effect[features[:, 4 + i].astype(int)] for i, effect in enumerate(effects))
    if task is Task.REGRESSION:
        return Examples(features=features, targets=(signal - signal.mean()) / signal.std())
    edges = [0.0] if task is Task.BINARY else [-1.0, 0.0, 1.0]
    return Examples(features=features, targets=np.digitize(signal, edges))


def _learner(algorithm: str, **hyperparameters: Any) -> Learner:
    resolved: Any = registry.find(algorithm).resolve_hyperparameters(hyperparameters)
    kinds: dict[str, Any] = {
        "lightgbm": LightGBMTrees,
        "catboost": CatBoostTrees,
        "random_forest": RandomForest,
        "extra_trees": ExtraTrees,
    }
    return kinds[algorithm](resolved)  # type: ignore[no-any-return]


@pytest.mark.parametrize("task", trees.LIGHTGBM.tasks)
@pytest.mark.parametrize("algorithm", ["lightgbm", "catboost", "random_forest", "extra_trees"])
def test_the_graph_repeats_the_framework_also_where_values_are_missing_that_never_were(
    algorithm: str, task: Task
) -> None:
    learner = _learner(algorithm, **({"num_rounds": 80} if algorithm in BOOSTED else {"num_trees": 30}))
    context = FitContext(listener=_Listener())
    fitted = learner.fit(_problem(task), _examples(task, 0), _examples(task, 1), context=context)
    features = _features(2)
    features[np.random.default_rng(3).random(features.shape) < 0.1] = np.nan
    # A category is never missing: it has a code.
    features[:, 4:] = np.nan_to_num(features[:, 4:])
    session = onnxruntime.InferenceSession(finish(fitted.to_onnx()).SerializeToString())
    (found,) = session.run([SCORES], {"features": features})
    expected = fitted.predict(features)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=2e-6)


def test_lightgbm_in_single_precision_is_the_same_model() -> None:
    task = Task.REGRESSION
    listener = _Listener()
    fitted = _learner("lightgbm", num_rounds=40).fit(
        _problem(task), _examples(task, 0), None, context=FitContext(listener=listener)
    )
    assert isinstance(fitted, FittedTrees)
    text = fitted.booster.model_to_string()
    thresholds = [float(t) for line in text.split("\n") if line.startswith("threshold=") for t in line[10:].split()]
    assert thresholds
    assert all(float(np.float32(threshold)) == threshold for threshold in thresholds)
    loss = float(np.sqrt(np.mean((fitted.predict(_examples(task, 0).features) - _examples(task, 0).targets) ** 2)))
    assert loss == pytest.approx(listener.losses[-1]["train/rmse"], rel=1e-5)


@pytest.mark.parametrize("algorithm", ["lightgbm", "catboost", "random_forest", "extra_trees"])
def test_without_validation_as_many_steps_are_done_as_are_asked_for(algorithm: str) -> None:
    listener = _Listener()
    fitted = _learner(algorithm).fit(
        _problem(Task.BINARY),
        _examples(Task.BINARY, 0),
        None,
        context=FitContext(listener=listener, num_steps=13),
    )
    assert fitted.num_steps == listener.steps[-1] == 13


def test_lightgbm_stops_early_and_keeps_the_best_round() -> None:
    listener = _Listener()
    rng = np.random.default_rng(0)
    noise = Examples(features=_features(0), targets=rng.integers(0, 2, NUM_ROWS))
    other = Examples(features=_features(1), targets=rng.integers(0, 2, NUM_ROWS))
    learner = _learner("lightgbm", num_rounds=500, early_stopping_rounds=5, learning_rate=0.3)
    fitted = learner.fit(_problem(Task.BINARY), noise, other, context=FitContext(listener=listener))
    assert fitted.num_steps < 50
    assert isinstance(fitted, FittedTrees)
    assert fitted.booster.current_iteration() == fitted.num_steps


def test_lightgbm_says_that_there_are_too_few_rows_to_split() -> None:
    listener = _Listener()
    few = Examples(features=_features(0, 24), targets=np.arange(24) % 2)
    fitted = _learner("lightgbm").fit(_problem(Task.BINARY), few, few, context=FitContext(listener=listener))
    assert any("min_child_samples=20" in text for text in listener.messages)
    session = onnxruntime.InferenceSession(finish(fitted.to_onnx()).SerializeToString())
    (found,) = session.run([SCORES], {"features": few.features})
    np.testing.assert_allclose(found, fitted.predict(few.features), atol=1e-6)
