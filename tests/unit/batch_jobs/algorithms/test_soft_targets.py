"""Learners that take probabilities for targets, and so learn what another classifier answers."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Examples, FitContext, Fitted, Problem

NUM_TRAIN = 1500


class _Silent:
    def step(self, step: int, num_steps: int, losses: Mapping[str, float]) -> None:
        """Nobody listens."""

    def message(self, text: str) -> None:
        """Nobody listens."""


def _fit(name: str, hyperparameters: dict[str, Any], task: Task, examples: Examples, num_outputs: int) -> Fitted:
    spec = registry.find(name)
    module, _, member = spec.implementations[spec.default_framework].learner.partition(":")
    learner = getattr(import_module(module), member)(spec.resolve_hyperparameters(hyperparameters))
    problem = Problem(task=task, kind=DataKind.TABLE, num_outputs=num_outputs, num_numeric=4, seed=0, num_threads=1)
    fitted: Fitted = learner.fit(problem, examples, None, context=FitContext(listener=_Silent()))
    return fitted


@pytest.mark.parametrize(
    ("name", "hyperparameters"),
    [("xgboost", {"num_rounds": 40}), ("mlp", {"hidden": [32], "epochs": 12, "batch_size": 64}), ("linear", {})],
)
@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS, Task.MULTILABEL])
def test_probabilities_are_learned_and_not_only_the_classes(
    name: str, hyperparameters: dict[str, Any], task: Task
) -> None:
    """Where classes are never certain, those who see the classes alone become too sure."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(NUM_TRAIN + 500, 4)).astype(np.float32)
    num_outputs = 2 if task is Task.BINARY else 3
    soft = softmax(features @ rng.normal(size=(4, num_outputs)) / 2, axis=1).astype(np.float32)
    hard: Any = (soft > 0.4).astype(np.uint8) if task is Task.MULTILABEL else soft.argmax(axis=1).astype(np.int64)
    errors = []
    for given in (soft[:NUM_TRAIN], None):
        examples = Examples(features=features[:NUM_TRAIN], targets=hard[:NUM_TRAIN], soft_targets=given)
        fitted = _fit(name, hyperparameters, task, examples, num_outputs)
        answers = fitted.predict(features[NUM_TRAIN:])
        assert answers.shape == (500, num_outputs)
        errors.append(float(np.abs(answers - soft[NUM_TRAIN:]).mean()))
    assert errors[0] < 0.06
    assert errors[0] < errors[1] / 2
