"""What a study hears of a trial's fit, and how the fit is ended."""

import optuna
import pytest
from optuna.trial import TrialState

from aimass_core.domain.study_specs import Direction, PrunerName
from batch_jobs.search.goals import Goal
from batch_jobs.search.pruners import build_pruner
from batch_jobs.search.watching import LeftError, Watch

AREA = Goal(metric="roc_auc", direction=Direction.MAXIMIZE)
ERROR = Goal(metric="rmse", direction=Direction.MINIMIZE)
NUM_STEPS = 100


def _fit(study: optuna.Study, goal: Goal, loss: float, *, algorithm: str) -> int:
    """A fit of a hundred steps with always the same validation loss. Returns how many it did."""
    study.enqueue_trial({"algorithm": algorithm})
    trial = study.ask()
    trial.suggest_categorical("algorithm", ["xgboost", "mlp"])
    watch = Watch(trial, goal, on_step=lambda _: None)
    name = "rmse" if goal is ERROR else "log_loss"
    step = 0
    while step < NUM_STEPS and not watch.is_over():
        step += 1
        watch.progress("fit", step=step, num_steps=NUM_STEPS)
        watch.metrics(step, {f"train/{name}": 0.0, f"validation/{name}": loss})
    if watch.is_pruned:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, loss)
    return step


def test_a_loss_is_negative_where_the_objective_is_to_be_large() -> None:
    study = optuna.create_study(direction="maximize", pruner=build_pruner(PrunerName.NONE))
    _fit(study, AREA, 0.5, algorithm="xgboost")
    assert set(study.trials[0].intermediate_values.values()) == {-0.5}
    study = optuna.create_study(direction="minimize", pruner=build_pruner(PrunerName.NONE))
    _fit(study, ERROR, 0.5, algorithm="xgboost")
    assert set(study.trials[0].intermediate_values.values()) == {0.5}


def test_the_study_hears_of_the_first_fit_alone() -> None:
    study = optuna.create_study()
    watch = Watch(study.ask(), ERROR, on_step=lambda _: None)
    for fit, loss in (("fold 1 of 2", 1.0), ("fold 2 of 2", 2.0)):
        watch.progress(fit, step=1, num_steps=5)
        watch.metrics(1 if loss == 1.0 else 2, {"validation/rmse": loss})
    assert study.trials[0].intermediate_values == {1: 1.0}


def test_a_bad_trial_is_ended_at_a_rung_of_its_own_algorithm() -> None:
    study = optuna.create_study(direction="maximize", pruner=build_pruner(PrunerName.ASHA))
    assert [_fit(study, AREA, 0.3, algorithm="xgboost") for _ in range(3)] == [NUM_STEPS] * 3
    # Nothing is known of the other algorithm yet, however bad it is beside this one.
    assert _fit(study, AREA, 0.9, algorithm="mlp") == NUM_STEPS
    assert _fit(study, AREA, 0.8, algorithm="xgboost") < NUM_STEPS // 5
    assert _fit(study, AREA, 0.1, algorithm="xgboost") == NUM_STEPS


def _cross_validate(study: optuna.Study, error: float) -> int:
    """A trial of five folds that are all worth the same. Returns how many it came to."""
    trial = study.ask()
    watch, count = Watch(trial, ERROR, on_step=lambda _: None), 0
    try:
        for _ in range(5):
            count += 1
            watch.fold({"rmse": error, "mae": 0.0})
    except LeftError:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, error)
    return count


def test_a_trial_ends_with_the_fold_after_which_too_many_are_better() -> None:
    study = optuna.create_study(pruner=build_pruner(PrunerName.ASHA))
    assert [_cross_validate(study, error) for error in (5.0, 4.0, 3.0, 2.0)] == [5] * 4
    assert _cross_validate(study, 6.0) == 1
    assert _cross_validate(study, 4.5) == 5  # of five that are known three are better
    assert _cross_validate(study, 1.0) == 5


@pytest.mark.parametrize("error", [6.0, 1.0])
def test_without_a_pruner_all_folds_are_carried_out(error: float) -> None:
    study = optuna.create_study(pruner=build_pruner(PrunerName.NONE))
    assert [_cross_validate(study, each) for each in (5.0, 4.0, 3.0, 2.0, error)] == [5] * 5
