"""LightGBM's trees of numbers as one ONNX operator."""

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


def test_a_tree_without_a_split_is_its_one_leaf() -> None:
    data = lightgbm.Dataset(np.zeros((30, 3)), label=np.arange(30) % 2)
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 3)
    np.testing.assert_allclose(_answer(booster, Task.BINARY, _features(0)), 0.5, atol=1e-6)


def _answer(booster: lightgbm.Booster, task: Task, features: np.ndarray) -> np.ndarray:
    graph = to_graph(booster, task=task, num_outputs=NUM_OUTPUTS[task], width=3)
    assert graph is not None
    (found,) = onnxruntime.InferenceSession(graph.SerializeToString()).run([SCORES], {"features": features})
    return np.asarray(found)
