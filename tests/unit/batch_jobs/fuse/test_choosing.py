"""Which way to combine is preferred, and when it is worth more than its members."""

import pytest

from aimass_core.domain.model_jobs import Score
from batch_jobs.fuse.choosing import is_gain, to_preference


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
