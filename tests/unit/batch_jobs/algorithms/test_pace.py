"""Fits that come to their end in the time that they have."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.trees import (
    CatBoostHyperparameters,
    LightGBMHyperparameters,
    XGBoostHyperparameters,
)
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.catboost.trees import Trees as CatBoost
from batch_jobs.algorithms.learning import Examples, FitContext, Learner, Problem
from batch_jobs.algorithms.lightgbm.trees import Trees as LightGbm
from batch_jobs.algorithms.pace import BestRound, BoostingPace, plan_epochs
from batch_jobs.algorithms.xgboost.trees import Trees as XGBoost
from tests.unit.batch_jobs.algorithms.surroundings import Listener
from tests.unit.batch_jobs.algorithms.test_trees import _examples, _problem


class Clock:
    """Every question costs what ten rounds take: boosters ask after every tenth."""

    def __init__(self, *, seconds: float, round_seconds: float) -> None:
        self.left, self.round_seconds = seconds, round_seconds

    def __call__(self) -> float:
        self.left -= 10 * self.round_seconds
        return self.left


def _boost(context: FitContext, *, rate: float, num_rounds: int, possible: int) -> list[float]:
    pace = BoostingPace(context=context, rate=rate, num_rounds=num_rounds)
    rates = []
    for _ in range(min(possible, num_rounds)):
        rates.append(pace.rate)
        pace.after_round()
    pace.finish(len(rates))
    return rates


def test_a_booster_with_time_enough_keeps_its_rate() -> None:
    told: dict[str, Any] = {}
    clock = Clock(seconds=1_000, round_seconds=1)
    context = FitContext(listener=Listener(), find_seconds_left=clock, adapt=told.update)
    assert set(_boost(context, rate=0.05, num_rounds=500, possible=500)) == {0.05}
    assert not told


def test_slow_rounds_are_made_larger_ones_that_add_up_to_a_model() -> None:
    told: dict[str, Any] = {}
    listener = Listener()
    context = FitContext(listener=listener, find_seconds_left=Clock(seconds=200, round_seconds=1), adapt=told.update)
    rates = _boost(context, rate=0.02, num_rounds=1_000, possible=200)
    assert rates == sorted(rates)
    assert max(rates) <= 0.3
    assert sum(rates) == pytest.approx(20, rel=0.2)
    assert told["learning_rate"] == pytest.approx(sum(rates) / len(rates), rel=1e-3)
    assert "learning_rate was raised" in listener.messages[0]


def test_few_rounds_that_were_asked_for_stay_small() -> None:
    context = FitContext(listener=Listener(), find_seconds_left=Clock(seconds=200, round_seconds=1))
    assert set(_boost(context, rate=0.01, num_rounds=50, possible=50)) == {0.01}


@pytest.mark.parametrize(
    "learner",
    [
        XGBoost(XGBoostHyperparameters(learning_rate=0.01, num_rounds=80, early_stopping_rounds=80)),
        LightGbm(LightGBMHyperparameters(learning_rate=0.01, num_rounds=80, early_stopping_rounds=80)),
        CatBoost(CatBoostHyperparameters(learning_rate=0.01, num_rounds=80, early_stopping_rounds=80)),
    ],
    ids=["xgboost", "lightgbm", "catboost"],
)
def test_in_little_time_a_booster_learns_more_than_it_would_by_small_steps(learner: Any) -> None:
    def fit(find_seconds_left: Callable[[], float]) -> tuple[float, dict[str, Any]]:
        told: dict[str, Any] = {}
        # Time is up by the clock after forty rounds.
        listener = Listener()
        context = FitContext(
            listener=listener,
            find_seconds_left=find_seconds_left,
            is_time_up=lambda: len(listener.curves.get("validation/log_loss", ())) > 4,
            adapt=told.update,
        )
        learner.fit(_problem(Task.BINARY), _examples(Task.BINARY, 0), _examples(Task.BINARY, 1), context=context)
        return min(listener.curves["validation/log_loss"]), told

    hurried, told = fit(Clock(seconds=50, round_seconds=1))
    unhurried, nothing = fit(lambda: float("inf"))
    assert hurried < unhurried
    assert told["learning_rate"] > 0.01
    assert not nothing


@pytest.mark.parametrize(
    ("done", "seconds_done", "seconds_left", "planned"),
    [
        (0.5, 5.0, 95.0, 9),  # ten seconds an epoch
        (2.0, 10.0, 1_000.0, 20),
        (0.5, 10.0, 1.0, 1),
        (3.0, 30.0, 0.0, 3),
        (1.0, 1.0, float("inf"), 20),
    ],
)
def test_epochs_are_as_many_as_there_is_time_for(
    done: float, seconds_done: float, seconds_left: float, planned: int
) -> None:
    assert plan_epochs(num_done=done, seconds_done=seconds_done, seconds_left=seconds_left, num_epochs=20) == planned


def test_the_best_round_is_by_accuracy_where_there_is_one_and_patience_is_for_either() -> None:
    by_loss, by_accuracy = BestRound(), BestRound()
    rounds = [(0.5, 0.7), (0.4, 0.8), (0.45, 0.9), (0.44, 0.9), (0.5, 0.8), (0.39, 0.6)]
    since = [
        (
            by_loss.keep(number, {"validation/log_loss": loss}),
            by_accuracy.keep(number, {"validation/log_loss": loss, "validation/accuracy": accuracy}),
        )
        for number, (loss, accuracy) in enumerate(rounds, start=1)
    ]
    assert since == [(0, 0), (0, 0), (1, 0), (2, 0), (3, 1), (0, 0)]
    assert (by_loss.best_round, by_accuracy.best_round) == (6, 4)


def _draw(seed: int) -> Examples:
    """A third of the labels is drawn at random: trees that go on become too sure of them, and yet right more often."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(300, 5)).astype(np.float32)
    truth = np.where(features[:, 0] * features[:, 1] > 0, 2, features[:, 2] > 0).astype(np.int64)
    return Examples(features=features, targets=np.where(rng.random(300) < 0.3, 1, truth))


@pytest.mark.parametrize(
    "learner",
    [
        LightGbm(LightGBMHyperparameters(num_rounds=150, early_stopping_rounds=150, learning_rate=0.3)),
        XGBoost(XGBoostHyperparameters(num_rounds=150, early_stopping_rounds=150, learning_rate=0.3)),
        CatBoost(CatBoostHyperparameters(num_rounds=150, early_stopping_rounds=150, learning_rate=0.3)),
    ],
    ids=["lightgbm", "xgboost", "catboost"],
)
def test_where_accuracy_is_wanted_the_round_that_is_right_most_often_is_the_model(learner: Learner) -> None:
    problem = Problem(task=Task.MULTICLASS, kind=DataKind.TABLE, num_outputs=3, num_numeric=5, seed=0, num_threads=1)
    validation = _draw(1)
    accuracy, loss = {}, {}
    for wants_accuracy in (False, True):
        listener = Listener()
        context = FitContext(listener=listener, wants_accuracy=wants_accuracy)
        scores = learner.fit(problem, _draw(0), validation, context=context).predict(validation.features)
        accuracy[wants_accuracy] = float((scores.argmax(axis=1) == validation.targets).mean())
        loss[wants_accuracy] = float(-np.log(scores[np.arange(300), validation.targets]).mean())
        assert ("validation/accuracy" in listener.curves) is wants_accuracy
    assert accuracy[True] > accuracy[False]
    assert loss[True] > loss[False]
