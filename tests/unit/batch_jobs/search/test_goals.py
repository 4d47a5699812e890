"""Which trial is the best."""

from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, create_trial

from aimass_core.domain.study_specs import Direction
from batch_jobs.search.goals import Goal, rank

ACCURACY = Goal(metric="accuracy", direction=Direction.MAXIMIZE)


def _trial(number: int, accuracy: float, **metrics: float) -> FrozenTrial:
    trial = create_trial(
        value=accuracy,
        params={"x": 0.5},
        distributions={"x": FloatDistribution(0, 1)},
        user_attrs={"metrics": {"accuracy": accuracy, **metrics}},
    )
    trial.number = number
    return trial


def test_of_several_with_as_many_rows_right_the_surest_is_the_best() -> None:
    trials = [_trial(0, 0.9, log_loss=0.01), _trial(1, 1.0, log_loss=0.03), _trial(2, 1.0, log_loss=0.004)]
    assert [trial.number for trial in rank(trials, [ACCURACY])] == [2, 1, 0]


def test_of_several_that_are_alike_the_earlier_one_is_the_best() -> None:
    trials = [_trial(2, 0.9), _trial(1, 0.9), _trial(0, 0.8)]
    assert [trial.number for trial in rank(trials, [ACCURACY])] == [1, 2, 0]
