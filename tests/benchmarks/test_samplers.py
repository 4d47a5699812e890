"""The sampler that we choose beside Optuna's TPE and Gaussian processes, with as many trials of the same problems.

AIMASS_BENCH_SEEDS (5) says how many runs each figure is the mean of, two at least.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from statistics import fmean, stdev

import optuna
import pytest
import torch
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from batch_jobs.search.samplers import build_sampler, choose_sampler
from tests.benchmarks.hpo_problems import TUNINGS, Tuning
from tests.benchmarks.report import print_table

NUM_TRIALS = 30
SEEDS = range(int(os.environ.get("AIMASS_BENCH_SEEDS", "5")))
OURS, RANDOM = "AI Mass", "random"


def _ours(tuning: Tuning, seed: int) -> BaseSampler:
    space = tuning.space
    name = choose_sampler(
        space.distributions(), max_trials=NUM_TRIALS, trial_seconds=None, is_conditional=space.is_conditional
    )
    return build_sampler(name, space, seed=seed)


SAMPLERS: Mapping[str, Callable[[Tuning, int], BaseSampler]] = {
    RANDOM: lambda _, seed: RandomSampler(seed=seed),
    "Optuna TPE": lambda _, seed: TPESampler(seed=seed),
    "Optuna GP": lambda _, seed: GPSampler(seed=seed),
    OURS: _ours,
}


@pytest.mark.timeout(14_400)
@pytest.mark.filterwarnings("ignore")
def test_regret_at_equal_trials() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows, shares = [], {name: list[float]() for name in SAMPLERS}
    seconds = dict.fromkeys(SAMPLERS, 0.0)
    for tuning in TUNINGS:
        best: dict[str, list[float]] = {}
        for name, build in SAMPLERS.items():
            started = time.perf_counter()
            best[name] = [_search(tuning, build(tuning, seed)) for seed in SEEDS]
            seconds[name] += time.perf_counter() - started
        known = min(map(min, best.values()))
        unit = fmean(best[RANDOM]) - known
        regrets = {name: (fmean(losses) - known) / unit for name, losses in best.items()}
        for name, regret in regrets.items():
            shares[name].append(regret)
        errors = {name: stdev(losses) / len(losses) ** 0.5 / unit for name, losses in best.items()}
        figures = [f"{regret:.2f} ± {errors[name]:.2f}" for name, regret in regrets.items()]
        rows.append([tuning.name, *figures, type(_ours(tuning, 0)).__name__])
    torch.set_num_threads(num_threads)
    rows.append(["mean", *(f"{fmean(each):.2f}" for each in shares.values()), ""])
    rows.append(["time, fits that were known included", *(f"{each:.0f} s" for each in seconds.values()), ""])
    title = f"Regret after {NUM_TRIALS} trials, mean of {len(SEEDS)} seeds and its error; of random search 1"
    print_table(title, ["", *SAMPLERS, "we chose"], rows)


def _search(tuning: Tuning, sampler: BaseSampler) -> float:
    study = optuna.create_study(sampler=sampler)
    study.optimize(tuning.evaluate, n_trials=NUM_TRIALS)
    return study.best_value
