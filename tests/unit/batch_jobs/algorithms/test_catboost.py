"""CatBoost's trees: fits that stop and go on, its own learning rates, and its questions as nodes in ONNX."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import onnx
import onnxruntime
import pytest

from aimass_core.domain.algorithms import trees
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.trees import BoostingType, CatBoostHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError
from batch_jobs.algorithms.catboost.pools import MAX_NATIVE_CATEGORIES
from batch_jobs.algorithms.catboost.trees import FittedTrees, Trees, usual_rate
from batch_jobs.algorithms.export.builder import finish
from batch_jobs.algorithms.export.trees import reading
from batch_jobs.algorithms.export.trees.arrays import Mode
from batch_jobs.algorithms.learning import SCORES, Checkpoint, Examples, FitContext, Problem
from tests.unit.batch_jobs.algorithms.surroundings import KilledError, Listener, Memory

NUM_OUTPUTS = {Task.BINARY: 2, Task.MULTICLASS: 3, Task.MULTILABEL: 3, Task.REGRESSION: 1}
CARDINALITY = 5
TASKS = pytest.mark.parametrize("task", trees.CATBOOST.tasks)


@dataclass
class Stops(Memory):
    """It is time for a checkpoint every so many questions."""

    every: int = 7
    num_asked: int = 0

    def is_due(self) -> bool:
        self.num_asked += 1
        return self.num_asked % self.every == 0

    def is_leaving(self) -> bool:
        return False


def _problem(task: Task) -> Problem:
    return Problem(
        task=task,
        kind=DataKind.TABLE,
        num_outputs=NUM_OUTPUTS[task],
        num_numeric=3,
        cardinalities=(CARDINALITY,),
        seed=0,
        num_threads=1,
    )


def _features(seed: int, num_rows: int = 300) -> np.ndarray:
    """The first column is never missing in training, the second sometimes is; the last has codes."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num_rows, 4)).astype(np.float32)
    features[rng.random(num_rows) < 0.2, 1] = np.nan
    features[:, 3] = rng.integers(0, CARDINALITY, num_rows)
    return features


def _examples(task: Task, seed: int) -> Examples:
    features = _features(seed)
    signal = features[:, 0] - np.nan_to_num(features[:, 1], nan=2.0) + np.isin(features[:, 3], (1, 4))
    targets: Any = {
        Task.BINARY: (signal > 0).astype(np.int64),
        Task.MULTICLASS: np.digitize(signal, [-0.5, 1.0]),
        Task.MULTILABEL: np.stack([signal > 0, features[:, 2] > 0, features[:, 3] == 2], axis=1).astype(np.uint8),
        Task.REGRESSION: signal.astype(np.float64),
    }[task]
    return Examples(features=features, targets=targets)


def _fit(
    task: Task, *, context: FitContext | None = None, train: Examples | None = None, **hyperparameters: Any
) -> FittedTrees:
    chosen = {"num_rounds": 60, "early_stopping_rounds": 60} | hyperparameters
    return Trees(CatBoostHyperparameters(**chosen)).fit(
        _problem(task),
        train or _examples(task, 0),
        _examples(task, 1),
        context=context or FitContext(listener=Listener()),
    )


def _answer(model: onnx.ModelProto, features: np.ndarray) -> np.ndarray:
    (found,) = onnxruntime.InferenceSession(finish(model).SerializeToString()).run([SCORES], {"features": features})
    return np.asarray(found)


@TASKS
@pytest.mark.parametrize("changed", [{}, {"num_rounds": 1}, {"max_depth": 1}, {"boosting_type": BoostingType.ORDERED}])
def test_the_graph_answers_what_the_model_answers(task: Task, changed: dict[str, Any]) -> None:
    fitted = _fit(task, **changed)
    asked = _features(2)
    asked[:30, 0] = np.nan
    expected = fitted.predict(asked)
    np.testing.assert_allclose(_answer(fitted.to_onnx(), asked).reshape(expected.shape), expected, atol=2e-6)


def test_each_category_of_many_has_tests_of_its_own_and_beyond_them_codes_are_quantities() -> None:
    rng = np.random.default_rng(0)
    sizes = MAX_NATIVE_CATEGORIES, MAX_NATIVE_CATEGORIES + 1
    codes = np.stack([np.arange(6000) % size for size in sizes], axis=1).astype(np.float32)
    targets = rng.normal(size=sizes[0])[codes[:, 0].astype(int)] + (codes[:, 1] > 100)
    problem = Problem(
        task=Task.REGRESSION, kind=DataKind.TABLE, num_outputs=1, cardinalities=sizes, seed=0, num_threads=1
    )
    learner = Trees(CatBoostHyperparameters(num_rounds=400, learning_rate=0.5))
    fitted = learner.fit(
        problem, Examples(features=codes, targets=targets), None, context=FitContext(listener=Listener())
    )
    assert np.corrcoef(fitted.predict(codes), targets)[0, 1] > 0.9
    model = fitted.to_onnx()
    np.testing.assert_allclose(_answer(model, codes)[:, 0], fitted.predict(codes), atol=5e-6)
    (found,) = reading.find(model.graph)
    grown = found.ensemble.trees
    assert {*grown.mode[grown.feature == 0]} == {Mode.EQ}
    assert {*grown.mode[grown.feature == 1]} == {Mode.LEQ}


def test_questions_that_are_decided_above_are_no_nodes() -> None:
    """A column of eight values: whatever a tree asks about it, eight leaves are enough."""
    column = np.repeat(np.arange(8, dtype=np.float32), 20)[:, None]
    problem = Problem(task=Task.REGRESSION, kind=DataKind.TABLE, num_outputs=1, num_numeric=1, seed=0, num_threads=1)
    train = Examples(features=column, targets=np.sin(column[:, 0] * 3).astype(np.float64))
    fitted = Trees(CatBoostHyperparameters(num_rounds=20, max_depth=8)).fit(
        problem, train, None, context=FitContext(listener=Listener())
    )
    model = fitted.to_onnx()
    (found,) = reading.find(model.graph)
    grown = found.ensemble.trees
    assert 2 < max(grown.keep(np.array([tree])).num_leaves for tree in range(len(grown.roots))) <= 8
    np.testing.assert_allclose(_answer(model, column)[:, 0], fitted.predict(column), atol=2e-6)


@TASKS
def test_a_fit_that_is_killed_goes_on_to_the_same_model(task: Task) -> None:
    whole = _fit(task)
    stored: Checkpoint | None = None
    for _ in range(2):
        memory = Stops(dies_after=2, stored=stored)
        with pytest.raises(KilledError):
            _fit(task, context=FitContext(listener=Listener(), checkpoints=memory))
        assert memory.stored is not None
        assert memory.stored.document["num_done"] == 14 + (stored.document["num_done"] if stored else 0)
        stored = memory.stored
    memory, listener = Stops(stored=stored), Listener()
    resumed = _fit(task, context=FitContext(listener=listener, checkpoints=memory))
    assert "goes on from a checkpoint after 28 rounds" in listener.messages[0]
    finished = _fit(task, context=FitContext(listener=Listener(), checkpoints=Memory(stored=memory.stored)))
    features = _features(3)
    for fitted in (resumed, finished):
        assert fitted.num_steps == whole.num_steps
        np.testing.assert_array_equal(fitted.predict(features), whole.predict(features))


def test_the_same_seed_makes_the_same_model() -> None:
    features = _features(3)
    one, other = (_fit(Task.BINARY, subsample=0.6, colsample_bylevel=0.6).predict(features) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@TASKS
@pytest.mark.parametrize("num_rounds", [1000, 300])
def test_the_usual_rate_is_the_one_that_catboost_takes(task: Task, num_rounds: int) -> None:
    loss = {"binary": "Logloss", "multiclass": "MultiClass", "multilabel": "MultiLogloss", "regression": "RMSE"}[task]
    rows = _examples(task, 0)
    pool = catboost.Pool(rows.features, rows.targets)
    settings = {"loss_function": loss, "iterations": num_rounds, "use_best_model": True, "logging_level": "Silent"}
    model = catboost.CatBoost(settings | {"allow_writing_files": False, "thread_count": 1})

    class Stop:
        def after_iteration(self, info: Any) -> bool:
            return False

    model.fit(pool, eval_set=pool, callbacks=[Stop()])
    assert usual_rate(task, len(rows.features), num_rounds) == pytest.approx(model.learning_rate_, rel=0.01)


@TASKS
def test_it_stops_early_and_keeps_the_best_round(task: Task) -> None:
    listener = Listener()
    fitted = _fit(
        task, context=FitContext(listener=listener), num_rounds=500, early_stopping_rounds=5, learning_rate=0.5
    )
    assert fitted.num_steps < 400
    assert fitted.model.tree_count_ == fitted.num_steps


def test_when_time_is_up_the_model_is_the_best_so_far() -> None:
    listener = Listener()
    context = FitContext(listener=listener, is_time_up=lambda: bool(listener.curves))
    fitted = _fit(Task.BINARY, context=context)
    assert fitted.num_steps == 1
    assert "time was up after 1 of at most 60 rounds" in listener.messages[0]


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS])
def test_a_class_without_rows_is_not_expected(task: Task) -> None:
    rows = _examples(task, 0)
    kept = rows.targets == 1
    only = Examples(features=rows.features[kept], targets=rows.targets[kept])
    fitted = _fit(task, train=only)
    scores = fitted.predict(rows.features)
    assert scores.shape == (300, NUM_OUTPUTS[task])
    assert (scores[:, 1] >= scores.max(axis=1)).all()
    np.testing.assert_allclose(_answer(fitted.to_onnx(), rows.features), scores, atol=2e-6)


def test_a_constant_target_is_answered() -> None:
    rows = _examples(Task.REGRESSION, 0)
    fitted = _fit(Task.REGRESSION, train=Examples(features=rows.features, targets=np.zeros(300)))
    np.testing.assert_array_equal(_answer(fitted.to_onnx(), rows.features), np.zeros((300, 1)))


def test_columns_that_are_all_constant_are_refused() -> None:
    rows = _examples(Task.BINARY, 0)
    same = Examples(features=np.zeros((300, 4), dtype=np.float32), targets=rows.targets)
    with pytest.raises(InvalidDataError, match="CatBoost cannot learn from these rows: All features are either const"):
        _fit(Task.BINARY, train=same)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path)
    _fit(Task.BINARY, context=FitContext(listener=Listener(), scratch_path=tmp_path / "scratch"))
    assert list(tmp_path.rglob("*")) == [tmp_path / "scratch"]
