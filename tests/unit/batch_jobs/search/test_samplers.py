"""Samplers are chosen by what trials cost, and repeat themselves with their seeds."""

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from aimass_core.domain.study_specs import Candidate, SamplerName
from batch_jobs.search.samplers import build_sampler, choose_sampler
from batch_jobs.search.space import StudySpace

NUMERIC: dict[str, BaseDistribution] = {"x": FloatDistribution(-1.0, 1.0), "depth": IntDistribution(1, 9)}
SPACE = {
    "reg_alpha": {"type": "float", "low": 0.0, "high": 1.0, "step": 0.01},
    "max_depth": {"type": "int", "low": 2, "high": 9},
}
MIXED: dict[str, BaseDistribution] = {**NUMERIC, "kind": CategoricalDistribution(["a", "b"])}


@pytest.mark.parametrize(
    ("space", "max_trials", "trial_seconds", "expected"),
    [
        (NUMERIC, 150, 30.0, SamplerName.GP),
        (NUMERIC, 40, None, SamplerName.GP),
        (NUMERIC, 151, 30.0, SamplerName.TPE),
        (NUMERIC, None, 30.0, SamplerName.TPE),
        (NUMERIC, 40, 0.1, SamplerName.TPE),
        (MIXED, 40, 30.0, SamplerName.GP),
        ({}, 40, 30.0, SamplerName.TPE),
    ],
)
def test_few_costly_trials_get_a_gaussian_process(
    space: dict[str, BaseDistribution], max_trials: int | None, trial_seconds: float | None, expected: SamplerName
) -> None:
    assert choose_sampler(space, max_trials=max_trials, trial_seconds=trial_seconds) is expected


@pytest.mark.parametrize("reason", ["is_conditional", "is_pruned"])
def test_a_gaussian_process_that_would_see_too_little_is_not_chosen(reason: str) -> None:
    assert choose_sampler(NUMERIC, max_trials=40, trial_seconds=30.0, **{reason: True}) is SamplerName.TPE


@pytest.mark.parametrize("name", SamplerName)
def test_a_seed_repeats_a_study(name: SamplerName) -> None:
    one, other = (_points(name) for _ in range(2))
    assert one == other
    assert len(set(one)) == len(one)


def _points(name: SamplerName) -> list[tuple[float, int]]:
    space = StudySpace([Candidate.model_validate({"algorithm": "xgboost", "space": SPACE})])
    study = optuna.create_study(sampler=build_sampler(name, space, seed=3))
    for _ in range(12):
        trial = study.ask()
        _, chosen = space.suggest(trial)
        study.tell(trial, chosen["reg_alpha"] ** 2 + chosen["max_depth"])
    return [(trial.params["reg_alpha"], trial.params["max_depth"]) for trial in study.trials]
