"""Boosting that is interrupted, runs out of time, or loses patience."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.trees import XGBoostHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.xgboost.trees import FittedTrees, Trees
from tests.unit.batch_jobs.algorithms.surroundings import KilledError, Memory


@dataclass
class Listener:
    messages: list[str] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def step(self, step: int, num_steps: int, losses: Mapping[str, float]) -> None:
        assert set(losses) == {"train/log_loss", "validation/log_loss"}
        self.steps.append(step)

    def message(self, text: str) -> None:
        self.messages.append(text)


def _examples(seed: int, num_rows: int) -> Examples:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(num_rows, 5)).astype(np.float32)
    targets = (features[:, 0] - features[:, 1] ** 2 + generator.normal(size=num_rows) > -0.5).astype(np.int64)
    return Examples(features=features, targets=targets)


def _fit(memory: Memory, listener: Listener | None = None, **context: Any) -> FittedTrees:
    problem = Problem(task=Task.BINARY, kind=DataKind.TABLE, num_outputs=2, num_numeric=5, seed=4, num_threads=1)
    chosen = XGBoostHyperparameters(num_rounds=80, early_stopping_rounds=15, subsample=0.6, colsample_bytree=0.6)
    return Trees(chosen).fit(
        problem,
        _examples(0, 500),
        _examples(1, 300),
        context=FitContext(listener=listener or Listener(), checkpoints=memory, **context),
    )


@pytest.mark.parametrize("dies_after", [1, 16, 23, 40])
def test_resumed_boosting_ends_with_the_same_trees(dies_after: int) -> None:
    expected = _fit(Memory())
    assert 7 < expected.num_steps < 80
    memory, listener = Memory(dies_after=dies_after), Listener()
    with pytest.raises(KilledError):
        _fit(memory)
    memory.dies_after = math.inf
    found = _fit(memory, listener)
    assert found.num_steps == expected.num_steps
    assert found.booster.get_dump() == expected.booster.get_dump()
    assert listener.messages == [f"training goes on from a checkpoint after {dies_after // 16 * 16} rounds"]


def test_a_finished_fit_is_not_repeated() -> None:
    memory = Memory()
    expected = _fit(memory)
    listener = Listener()
    found = _fit(memory, listener)
    assert found.booster.get_dump() == expected.booster.get_dump()
    assert listener.steps == []


def test_patience_cuts_the_booster_at_its_best_round() -> None:
    listener = Listener()
    fitted = _fit(Memory(), listener)
    assert fitted.booster.num_boosted_rounds() == fitted.num_steps
    assert listener.steps[-1] == fitted.num_steps + 15


def test_when_the_time_is_up_the_best_so_far_is_the_model_and_it_says_so() -> None:
    asked, listener = count(1), Listener()
    fitted = _fit(Memory(), listener, is_time_up=lambda: next(asked) > 5)
    assert fitted.num_steps <= 5
    assert any("time was up after 5 of 80 rounds" in text for text in listener.messages)


def test_no_time_at_all_is_an_error_that_names_the_budget() -> None:
    with pytest.raises(InvalidRequestError, match="larger max_seconds"):
        _fit(Memory(), is_time_up=lambda: True)
