"""Which whole is handed over, and what a smaller expert is."""

from typing import Any

import numpy as np
import pytest

from aimass_core.domain.decomposition import PartSpec
from aimass_core.domain.model_jobs import Cost, Score
from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Signature, Task
from batch_jobs.data.targets import Target
from batch_jobs.decompose.measuring import Tried, choose
from batch_jobs.decompose.methods.feature_groups import _fit
from batch_jobs.decompose.sizes import quicken, shrink

TARGET = Target(column="target", task=Task.BINARY, labels=("no", "yes"))
TRUTH = np.arange(400) % 2
SIGNATURE = Signature(kind=DatasetKind.TABLE, task=Task.BINARY, target="target", inputs=[], outputs=[])


def _tried(name: str, num_wrong: int, num_operations: int, *, missed: list[str] | None = None) -> Tried:
    """Wrong in so many rows, and each in others."""
    order = np.random.default_rng(ord(name[0])).permutation(len(TRUTH))
    says_yes = np.where(order < num_wrong, 1 - TRUTH, TRUTH)
    return Tried(
        name=name,
        whole=None,
        model=b"",
        signature=SIGNATURE,
        scores=np.eye(2)[says_yes],
        score=Score(metric="accuracy", value=1 - num_wrong / len(TRUTH), num_rows=len(TRUTH)),
        cost=Cost(latency_p50_ms=1, latency_p95_ms=1, model_bytes=1, num_operations=num_operations),
        missed=missed or [],
    )


@pytest.mark.parametrize(
    ("wholes", "expected"),
    [
        # One row in 400 is noise, forty are not.
        ([("a", 20, 900), ("b", 21, 300), ("c", 60, 100)], "b"),
        # More operations than the single model are not wanted, save where there is nothing else.
        ([("a", 0, 2000), ("b", 30, 900)], "b"),
        ([("a", 0, 3000), ("b", 40, 2000)], "a"),
    ],
)
def test_the_cheapest_of_the_best_is_chosen(wholes: list[tuple[str, int, int]], expected: str) -> None:
    tried = [_tried("single", 20, 1000), *(_tried(*each) for each in wholes)]
    chosen = choose(tried, TRUTH, TARGET, seed=0)
    assert chosen is not None
    assert chosen.name == expected


def test_a_whole_that_misses_a_limit_is_not_chosen() -> None:
    tried = [_tried("single", 20, 1000), _tried("a", 0, 10, missed=["model_bytes 2 > 1"]), _tried("b", 90, 900)]
    chosen = choose(tried, TRUTH, TARGET, seed=0)
    assert chosen is not None
    assert chosen.name == "b"
    assert choose(tried[:2], TRUTH, TARGET, seed=0) is None


@pytest.mark.parametrize(
    ("algorithm", "resolved", "expected"),
    [
        ("xgboost", {"learning_rate": 0.1}, {"learning_rate": 0.2}),
        ("xgboost", {"learning_rate": 0.5}, None),
        ("catboost", {"learning_rate": None}, {"learning_rate": 0.1}),
        ("mlp", {"hidden": [256, 12]}, {"hidden": [128, 8]}),
        ("random_forest", {"num_trees": 200}, {"num_trees": 100}),
        ("cnn", {"channels": [32, 4], "hidden": 64}, {"channels": [16, 4], "hidden": 32}),
        ("linear", {"penalty": 1.0}, None),
    ],
)
def test_a_smaller_expert_has_half_the_size(
    algorithm: str, resolved: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    found = shrink(PartSpec(algorithm=algorithm), resolved)
    assert (None if found is None else found.hyperparameters) == expected


@pytest.mark.parametrize(
    ("algorithm", "resolved", "expected"),
    [
        ("xgboost", {"learning_rate": 0.1}, {"num_rounds": 15, "learning_rate": 0.5}),
        ("lightgbm", {"learning_rate": 0.7}, {"num_rounds": 15, "learning_rate": 0.7}),
        ("catboost", {"learning_rate": None}, {"num_rounds": 15, "learning_rate": 0.5}),
        ("mlp", {"hidden": [240, 12]}, {"hidden": [98, 8]}),
        ("random_forest", {"num_trees": 300}, {"num_trees": 50}),
        ("linear", {"penalty": 1.0}, None),
    ],
)
def test_a_quick_expert_has_a_sixth_of_the_operations(
    algorithm: str, resolved: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    found = quicken(PartSpec(algorithm=algorithm), resolved, num_steps=90, times=6)
    assert (None if found is None else found.hyperparameters) == expected


def test_one_round_of_boosting_cannot_be_quicker() -> None:
    assert quicken(PartSpec(algorithm="xgboost"), {"learning_rate": 0.1}, num_steps=1, times=6) is None


def test_weights_are_those_of_the_better_experts() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=500)
    answers = np.stack([truth + generator.normal(0, noise, 500) for noise in (0.1, 0.1, 2.0)])
    weights = _fit(answers, truth, is_values=True)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] + weights[1] > 0.95
    shares = np.array([[0.9, 0.1], [0.5, 0.5]])[:, None].repeat(500, axis=1)
    assert _fit(shares, np.zeros(500, dtype=int), is_values=False)[0] > 0.99
