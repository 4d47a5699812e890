"""Studies to draw."""

import functools
from datetime import datetime, timedelta

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from batch_jobs.search.storage import FAILURE

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> $x_1$ \x1b\u202e色"
BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001  Optuna's times are local and naive


def pruned_study(num_trials: int = 40) -> optuna.Study:
    """One objective, curves, pruned and failed trials, four workers, and a hyperparameter that would be markup."""
    pruner = optuna.pruners.SuccessiveHalvingPruner()
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0), pruner=pruner)
    for number in range(num_trials):
        trial = study.ask()
        trial.set_user_attr("worker", number % 4)
        rate, kind = (
            trial.suggest_float("rate", 1e-5, 1.0, log=True),
            trial.suggest_categorical(HOSTILE, [HOSTILE, "a"]),
        )
        if number % 10 == 7:
            study._storage.set_trial_system_attr(trial._trial_id, FAILURE, f"It was {HOSTILE}.")
            study.tell(trial, state=TrialState.FAIL)
            continue
        value = float(-((np.log10(rate) + 2.5) ** 2) + (kind == "a"))
        for step in range(16):
            trial.report(value * (1 + 1 / (step + 1)), step)
            if trial.should_prune():
                break
        trial.set_user_attr("latency_ms", 0.01 + rate)
        trial.set_user_attr("model_bytes", 1000 + number)
        study.tell(trial, value, state=TrialState.PRUNED if trial.should_prune() else TrialState.COMPLETE)
    return study


def front_study(num_trials: int = 30) -> optuna.Study:
    """Two objectives."""
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=0))

    def objective(trial: optuna.Trial) -> tuple[float, float]:
        size = trial.suggest_int("size", 1, 64)
        return float(np.log(size)) + trial.suggest_float("luck", 0, 1), 1000.0 * size

    study.optimize(objective, n_trials=num_trials)
    return study


def conditional_study(num_trials: int = 40) -> optuna.Study:
    """Two algorithms with hyperparameters of their own; those of `slow` break a constraint."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def objective(trial: optuna.Trial) -> float:
        algorithm = trial.suggest_categorical("algorithm", ["fast", "slow"])
        trial.set_constraint("latency_ms", 1.0 if algorithm == "slow" else -1.0)
        value = trial.suggest_float(f"{algorithm}.rate", 0.0, 1.0)
        return value if algorithm == "fast" else value - 1

    study.optimize(objective, n_trials=num_trials)
    return study


@functools.cache
def long_study(num_trials: int = 3_000, num_hyperparameters: int = 40) -> optuna.Study:
    """As autotrain leaves it after hours: in two parts, a day apart. To be read only: it takes seconds to make."""
    rng = np.random.default_rng(0)
    space: dict[str, BaseDistribution] = {
        f"algorithm.a_rather_long_hyperparameter_{n}": FloatDistribution(0, 1) for n in range(num_hyperparameters)
    }
    study = optuna.create_study()
    study.add_trials([_long_trial(number, space, rng) for number in range(num_trials)])
    return study


def _long_trial(number: int, space: dict[str, BaseDistribution], rng: np.random.Generator) -> FrozenTrial:
    params = dict(zip(space, rng.random(len(space)).tolist(), strict=True))
    trial = create_trial(
        value=sum(value / (rank + 1) for rank, value in enumerate(params.values())),
        params=params,
        distributions=space,
        user_attrs={"worker": number % 16, "latency_ms": float(rng.random()), "model_bytes": int(rng.integers(10**6))},
        intermediate_values=dict(enumerate(rng.random(100).tolist())),
    )
    day = 86_400 if number > 2_000 else 0
    trial.datetime_start = BEGIN + timedelta(seconds=number // 16 * 30 + day)
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=float(29 * rng.random()))
    return trial


def study_of(*trials: FrozenTrial) -> optuna.Study:
    """With these trials."""
    study = optuna.create_study()
    study.add_trials(list(trials))
    return study


def trial_of(value: float | None, *, number: int = 0, choice: object = "a", **fields: object) -> FrozenTrial:
    """With one hyperparameter."""
    distribution = CategoricalDistribution(["a", "b", None, True, 1, HOSTILE, HOSTILE + "x"])
    state = TrialState.COMPLETE if value is not None else TrialState.FAIL
    trial = create_trial(state=state, value=value, params={"kind": choice}, distributions={"kind": distribution})
    for name, field in {"number": number, **fields}.items():
        setattr(trial, name, field)
    return trial
