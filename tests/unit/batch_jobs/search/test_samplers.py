"""Samplers are chosen by what trials cost, and repeat themselves with their seeds."""

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from batch_jobs.search.samplers import SamplerName, build_sampler, choose_sampler

NUMERIC: dict[str, BaseDistribution] = {"x": FloatDistribution(-1.0, 1.0), "depth": IntDistribution(1, 9)}
MIXED: dict[str, BaseDistribution] = {**NUMERIC, "kind": CategoricalDistribution(["a", "b"])}


@pytest.mark.parametrize(
    ("space", "max_trials", "trial_seconds", "expected"),
    [
        (NUMERIC, 150, 30.0, SamplerName.GP),
        (NUMERIC, 40, None, SamplerName.GP),
        (NUMERIC, 151, 30.0, SamplerName.TPE),
        (NUMERIC, None, 30.0, SamplerName.TPE),
        (NUMERIC, 40, 0.1, SamplerName.TPE),
        (MIXED, 40, 30.0, SamplerName.TPE),
        ({}, 40, 30.0, SamplerName.TPE),
    ],
)
def test_few_costly_continuous_trials_get_a_gaussian_process(
    space: dict[str, BaseDistribution], max_trials: int | None, trial_seconds: float | None, expected: SamplerName
) -> None:
    assert choose_sampler(space, max_trials=max_trials, trial_seconds=trial_seconds) is expected


@pytest.mark.parametrize("name", SamplerName)
def test_a_seed_repeats_a_study(name: SamplerName) -> None:
    one, other = (_points(name) for _ in range(2))
    assert one == other
    assert len(set(one)) == len(one)


def _points(name: SamplerName) -> list[float]:
    study = optuna.create_study(sampler=build_sampler(name, seed=3))
    for _ in range(12):
        trial = study.ask(NUMERIC)
        study.tell(trial, trial.params["x"] ** 2 + trial.params["depth"])
    return [trial.params["x"] for trial in study.trials]
