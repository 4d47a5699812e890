"""Which way to combine is preferred, and when it is worth more than its members."""

import numpy as np
import pytest
from scipy.special import expit

from aimass_core.domain.fusion import FusionMethod
from aimass_core.domain.model_jobs import Score
from aimass_core.domain.signatures import Task
from batch_jobs.data.targets import Target
from batch_jobs.fuse.answers import Answered
from batch_jobs.fuse.choosing import Ground, is_gain, judge_methods, to_preference
from batch_jobs.fuse.methods import METHODS, Settings


def _score(value: float, log_loss: float, metric: str = "accuracy") -> Score:
    return Score(metric=metric, value=value, metrics={metric: value, "log_loss": log_loss}, num_rows=3201)


def test_by_labels_alone_the_better_probabilities_are_preferred() -> None:
    convex, stacked = _score(0.8791, 0.3376), _score(0.8750, 0.3305)
    assert min(convex, stacked, key=to_preference) is stacked
    of_ranks = [_score(each.value, each.metrics["log_loss"], "roc_auc") for each in (convex, stacked)]
    assert min(of_ranks, key=to_preference) is of_ranks[0]
    # What is equally likely is told apart by labels.
    assert min(_score(0.87, 0.33), _score(0.88, 0.33), key=to_preference).value == 0.88


@pytest.mark.parametrize(
    ("value", "log_loss", "expected"),
    [
        (0.8750, 0.3305, True),
        # A standard error of 3,201 rows is .0058.
        (0.8720, 0.3305, False),
        (0.8900, 0.3400, False),
        (0.8785, 0.3371, False),
    ],
)
def test_a_gain_is_one_of_probabilities_and_no_loss_of_labels(value: float, log_loss: float, expected: bool) -> None:
    members = [_score(0.8682, 0.3530), _score(0.8785, 0.3371)]
    assert is_gain(_score(value, log_loss), members) is expected


def test_a_metric_of_values_is_held_against_the_best_member() -> None:
    members = [Score(metric="rmse", value=value, metrics={"rmse": value}, num_rows=100) for value in (2.0, 1.5)]
    assert is_gain(Score(metric="rmse", value=1.49, metrics={"rmse": 1.49}, num_rows=100), members)
    assert not is_gain(Score(metric="rmse", value=1.5, metrics={"rmse": 1.5}, num_rows=100), members)


def test_of_ways_that_order_rows_alike_the_better_probabilities_are_preferred() -> None:
    """By the ROC AUC alone votes would be chosen here, whose probabilities are nearly all 0 or 1."""
    generator, target = np.random.default_rng(6), Target(column="paid", task=Task.BINARY, labels=("no", "yes"))
    logits = generator.normal(scale=1.5, size=2_000)
    truth = (generator.random(2_000) < expit(logits)).astype(np.int64)
    positive = expit(logits + generator.normal(scale=0.7, size=(2, 2_000)))
    answered = Answered(scores=np.stack([1 - positive, positive], axis=2), truth=truth, target=target)
    judged, unfit = judge_methods(
        METHODS, Ground(judge=answered, metric="roc_auc"), settings=Settings(metric="roc_auc", seed=0, num_threads=1)
    )
    found = {one.method.method: one.score for one in judged}
    assert max(found, key=lambda method: found[method].value) is FusionMethod.HARD_VOTING
    first, *others = (one.score for one in judged)
    assert first.value > max(one.value for one in others) - 0.003
    assert first.metrics["log_loss"] == min(score.metrics["log_loss"] for score in found.values())
    assert found[FusionMethod.HARD_VOTING].metrics["log_loss"] > 1.5 * first.metrics["log_loss"]
    assert list(map(str, (method.method for method in unfit))) == ["blending"]
