"""What a study is asked to try."""

import optuna
from optuna.trial import TrialState

from batch_jobs.search import opening


def test_a_trial_is_asked_for_again_before_those_that_wait() -> None:
    study = optuna.create_study()
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        "x": optuna.distributions.FloatDistribution(0, 1)
    }
    first = study.ask(distributions)
    study.tell(first, 1.0)
    study.enqueue_trial({"x": 0.25})
    again = opening.ask_again(study, study.trials[0])
    assert again.suggest_float("x", 0, 1) == first.params["x"]
    assert study.trials[again.number].state == TrialState.RUNNING
    study.tell(again, 0.5)
    assert study.ask(distributions).params["x"] == 0.25
    assert study.best_trial.number == again.number
