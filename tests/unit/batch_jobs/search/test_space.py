"""Candidates' spaces as Optuna sees them, on its own studies and samplers."""

from typing import Any

import optuna
import pytest
from optuna.samplers import GridSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from aimass_core.domain.study_specs import Candidate, SearchSpec
from aimass_core.errors import InvalidRequestError
from batch_jobs.search.space import StudySpace

RECIPES: list[Any] = [None, {"default": "auto"}, {"ratios": [["a", "b"]]}]


def _space(*candidates: dict[str, Any]) -> StudySpace:
    return StudySpace([Candidate.model_validate(each) for each in candidates])


def _study(sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
    return optuna.create_study(sampler=sampler or RandomSampler(seed=0))


def test_one_candidate_has_plain_names() -> None:
    space, study = _space({"algorithm": "xgboost", "hyperparameters": {"subsample": 0.8}}), _study()
    trial = study.ask()
    candidate, chosen = space.suggest(trial)
    assert candidate.name == "xgboost"
    assert trial.params == chosen
    assert "max_depth" in chosen
    assert "subsample" not in chosen
    assert not space.is_conditional
    assert space.distributions() == trial.distributions


def test_several_candidates_are_a_choice_of_algorithm() -> None:
    space = _space({"algorithm": "linear"}, {"algorithm": "mlp"}, {"algorithm": "mlp", "framework": "tensorflow"})
    study = _study()
    for _ in range(20):
        trial = study.ask()
        candidate, chosen = space.suggest(trial)
        assert trial.params["algorithm"] == candidate.name
        assert set(trial.params) == {"algorithm", *(f"{candidate.name}.{name}" for name in chosen)}
        assert ("augmentation" in chosen) == (candidate.name == "mlp")
    assert {trial.params["algorithm"] for trial in study.trials} == {"linear", "mlp", "mlp-tensorflow"}
    assert space.is_conditional
    assert set(space.distributions()) == {"algorithm"}


def test_what_is_no_scalar_is_json_to_optuna_and_itself_to_the_trial() -> None:
    own = {
        "hidden": {"type": "categorical", "choices": [[64], [128, 64]]},
        "features": {"type": "categorical", "choices": RECIPES},
        "patience": {"type": "categorical", "choices": [None, 4]},
    }
    space, study, seen = _space({"algorithm": "mlp", "space": own}), _study(), []
    for _ in range(30):
        trial = study.ask()
        seen.append(space.suggest(trial)[1])
        assert trial.params["hidden"] in ("[64]", "[128,64]")
        assert trial.params["features"] in ("null", '{"default":"auto"}', '{"ratios":[["a","b"]]}')
    assert all(any(each["features"] == recipe for each in seen) for recipe in RECIPES)
    assert {each["patience"] for each in seen} == {None, 4}


def test_a_condition_decides_in_each_trial() -> None:
    space, study = _space({"algorithm": "rnn"}), _study()
    depths = set()
    for _ in range(30):
        _, chosen = space.suggest(study.ask())
        depths.add(chosen["layers"])
        assert ({"cell", "hidden", "bidirectional"} <= set(chosen)) == (chosen["layers"] > 0)
    assert depths == {0, 1, 2}
    assert space.is_conditional
    assert "cell" not in space.distributions()


def test_a_finished_trial_says_what_was_suggested() -> None:
    space, study = _space({"algorithm": "fcn"}, {"algorithm": "rnn"}), _study()
    for _ in range(10):
        trial = study.ask()
        suggested = space.suggest(trial)
        study.tell(trial, 0.0)
        assert space.suggest(study.trials[-1]) == suggested


def test_every_trial_is_a_training_that_passes_its_checks() -> None:
    names = ["xgboost", "lightgbm", "catboost", "random_forest", "linear", "mlp", "cnn", "rnn", "fcn"]
    candidates = [{"algorithm": name} for name in names]
    spec = SearchSpec.model_validate({"kind": "search", "dataset": "d", "candidates": candidates})
    space, study, seen = StudySpace(spec.candidates), _study(), set()
    for _ in range(200):
        candidate, chosen = space.suggest(study.ask())
        candidate.to_train_spec(spec, chosen).check()
        seen.add(candidate.name)
    assert seen == set(names)


@pytest.mark.parametrize(
    "algorithm", ["xgboost", "lightgbm", "catboost", "random_forest", "mlp", "cnn", "rnn", "fcn", "nlinear"]
)
def test_the_default_can_be_enqueued(algorithm: str) -> None:
    space, study = _space({"algorithm": algorithm}, {"algorithm": "linear"}), _study()
    params = space.to_params(Candidate(algorithm=algorithm), {})
    study.enqueue_trial(params)
    trial = study.ask()
    candidate, chosen = space.suggest(trial)
    assert candidate.algorithm == algorithm
    assert trial.params == params
    assert {f"{algorithm}.{name}" for name in chosen} == set(params) - {"algorithm"}


def test_what_is_enqueued_comes_back_and_numbers_outside_become_the_nearest() -> None:
    own = {
        "max_depth": {"type": "int", "low": 2, "high": 10, "step": 4},
        "learning_rate": {"type": "float", "low": 0.1, "high": 0.3, "step": 0.1},
        "reg_alpha": {"type": "float", "low": 0.01, "high": 1.0, "log": True},
        "max_bin": {"type": "categorical", "choices": [64, 128]},
        "resample": {"type": "categorical", "choices": [None, "smote"]},
    }
    candidate = Candidate.model_validate({"algorithm": "xgboost", "hyperparameters": {"subsample": 0.7}, "space": own})
    space, study = StudySpace([candidate]), _study()
    params = space.to_params(candidate, {"max_depth": 9, "learning_rate": 5, "resample": "smote", "subsample": 0.7})
    assert params == {"max_depth": 10, "learning_rate": 0.3, "reg_alpha": 0.01, "resample": "smote"}
    study.enqueue_trial(params)
    trial = study.ask()
    _, chosen = space.suggest(trial)
    assert chosen.pop("max_bin") in (64, 128)  # 256, the default, is no choice: the sampler's turn
    assert chosen == params
    study.tell(trial, 1.0)
    assert study.trials[0].state is TrialState.COMPLETE


def test_what_no_trial_can_have_is_not_enqueued() -> None:
    candidate = Candidate.model_validate({"algorithm": "linear", "hyperparameters": {"max_iterations": 50}})
    space = StudySpace([candidate])
    assert space.to_params(candidate, {"max_iterations": 50, "max_tokens": 512}) == {"l2": 1.0}
    for wrong in ({"max_iterations": 60}, {"max_tokens": 100}, {"resample": "smote"}):
        with pytest.raises(InvalidRequestError, match="the study varies l2"):
            space.to_params(candidate, wrong)
    with pytest.raises(InvalidRequestError, match="no hyperparameter 'l1'"):
        space.to_params(candidate, {"l1": 1.0})


def test_a_condition_that_does_not_hold_is_not_enqueued() -> None:
    candidate = Candidate(algorithm="rnn")
    params = StudySpace([candidate]).to_params(candidate, {"layers": 0, "cell": "gru"})
    assert params["layers"] == 0
    assert "cell" not in params


def test_a_grid_is_tried_whole() -> None:
    own = {
        "max_depth": {"type": "int", "low": 2, "high": 6, "step": 2},
        "learning_rate": {"type": "float", "low": 0.1, "high": 0.3, "step": 0.1},
        "resample": {"type": "categorical", "choices": [None, "smote"]},
    }
    space = _space({"algorithm": "xgboost", "space": own})
    grid = space.grid()
    assert grid == {"max_depth": [2, 4, 6], "learning_rate": [0.1, 0.2, 0.3], "resample": ["null", "smote"]}
    study, seen = _study(GridSampler(grid, seed=0)), []
    study.optimize(lambda trial: float(seen.append(space.suggest(trial)[1]) or 0.0), n_trials=18)
    assert len({str(sorted(each.items())) for each in seen}) == 18
    with pytest.raises(InvalidRequestError, match="no grid"):
        _space({"algorithm": "xgboost"}).grid()


def test_a_seed_repeats_a_conditional_study() -> None:
    def names() -> list[dict[str, Any]]:
        space = _space({"algorithm": "rnn"}, {"algorithm": "fcn"})
        study = _study(TPESampler(seed=1, n_startup_trials=4))
        study.optimize(lambda trial: float(len(str(space.suggest(trial)))), n_trials=12)
        return [trial.params for trial in study.trials]

    assert names() == names()


def test_two_candidates_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="a name of its own, and these are: mlp, mlp"):
        _space({"algorithm": "mlp"}, {"algorithm": "mlp"})
