"""LightGBM's trees as one ONNX operator."""

import lightgbm
import numpy as np
import onnxruntime
import pytest

from aimass_core.domain.algorithms import trees
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.trees import LightGBMHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import SCORES, Examples, FitContext, Problem
from batch_jobs.algorithms.lightgbm.graph import to_graph
from batch_jobs.algorithms.lightgbm.single_precision import to_single_precision
from batch_jobs.algorithms.lightgbm.trees import Trees
from tests.unit.batch_jobs.algorithms.surroundings import Listener

NUM_OUTPUTS = {Task.BINARY: 2, Task.MULTICLASS: 3, Task.REGRESSION: 1}


def _features(seed: int) -> np.ndarray:
    """The first column is never missing in training, the second sometimes is."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(300, 3)).astype(np.float32)
    features[rng.random(300) < 0.2, 1] = np.nan
    return features


@pytest.mark.parametrize("num_rounds", [1, 40])
@pytest.mark.parametrize("task", trees.LIGHTGBM.tasks)
def test_it_answers_what_the_booster_answers_also_where_values_are_missing_that_never_were(
    task: Task, num_rounds: int
) -> None:
    features = _features(0)
    signal = features[:, 0] - np.nan_to_num(features[:, 1], nan=2.0)
    targets = signal if task is Task.REGRESSION else np.digitize(signal, [0.0] if task is Task.BINARY else [-1.0, 1.0])
    problem = Problem(
        task=task, kind=DataKind.TABLE, num_outputs=NUM_OUTPUTS[task], num_numeric=3, seed=0, num_threads=1
    )
    fitted = Trees(LightGBMHyperparameters(num_rounds=num_rounds)).fit(
        problem, Examples(features=features, targets=targets), None, context=FitContext(listener=Listener())
    )
    asked = _features(1)
    asked[:30, 0] = np.nan
    found = _answer(fitted.booster, task, asked)
    expected = fitted.predict(asked)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=2e-6)


@pytest.mark.parametrize("task", trees.LIGHTGBM.tasks)
def test_splits_by_sets_of_categories_send_every_value_where_the_booster_sends_it(task: Task) -> None:
    rng = np.random.default_rng(2)
    codes, numbers = rng.integers(0, 80, 2000), rng.normal(size=2000)
    features = np.stack([numbers, codes, np.where(rng.random(2000) < 0.1, np.nan, codes % 3)], axis=1)
    signal = rng.normal(size=80)[codes] + numbers
    targets = signal if task is Task.REGRESSION else np.digitize(signal, [0.0] if task is Task.BINARY else [-1.0, 1.0])
    objective = {Task.BINARY: "binary", Task.MULTICLASS: "multiclass", Task.REGRESSION: "regression"}[task]
    settings = {"objective": objective, "num_class": 3 if task is Task.MULTICLASS else 1, "cat_smooth": 1.0}
    settings |= {"verbosity": -1, "num_threads": 1, "min_data_per_group": 5, "max_cat_to_onehot": 2}
    data = lightgbm.Dataset(features.astype(np.float32), label=targets, categorical_feature=[1, 2])
    booster = to_single_precision(lightgbm.train(settings, data, 30), num_rounds=30)
    # Codes that were never seen, and none, among them.
    asked = np.stack([rng.normal(size=600), rng.integers(-1, 200, 600), rng.integers(0, 4, 600)], axis=1)
    asked[::7, 1], asked[::5, 2] = np.nan, np.nan
    expected = np.asarray(booster.predict(asked.astype(np.float32)))
    expected = np.stack([1 - expected, expected], axis=1) if task is Task.BINARY else expected
    found = _answer(booster, task, asked.astype(np.float32))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=2e-6)


def test_a_tree_without_a_split_is_its_one_leaf() -> None:
    data = lightgbm.Dataset(np.zeros((30, 3)), label=np.arange(30) % 2)
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 3)
    np.testing.assert_allclose(_answer(booster, Task.BINARY, _features(0)), 0.5, atol=1e-6)


def _answer(booster: lightgbm.Booster, task: Task, features: np.ndarray) -> np.ndarray:
    graph = to_graph(booster, task=task, num_outputs=NUM_OUTPUTS[task], width=3)
    (found,) = onnxruntime.InferenceSession(graph.SerializeToString()).run([SCORES], {"features": features})
    return np.asarray(found)
