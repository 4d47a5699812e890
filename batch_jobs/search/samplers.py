"""Which sampler proposes the trials of a study."""

from collections.abc import Mapping
from enum import StrEnum

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler

# Beyond, one ask of a Gaussian process takes seconds (12 at 1,000 trials), one of TPE milliseconds.
_MAX_GP_TRIALS = 150
_MIN_GP_TRIAL_SECONDS = 1.0


class SamplerName(StrEnum):
    """Samplers by the names that users give."""

    RANDOM = "random"
    GP = "gp"
    TPE = "tpe"
    NSGA2 = "nsga2"


def choose_sampler(
    space: Mapping[str, BaseDistribution], *, max_trials: int | None, trial_seconds: float | None
) -> SamplerName:
    """`gp` where trials are few, costly and continuous, `tpe` otherwise.

    Args:
        space: the hyperparameters that every trial has.
        max_trials: of the study; None: as many as time allows.
        trial_seconds: what one takes; None: not known yet, and taken for costly.
    """
    is_numeric = bool(space) and not any(isinstance(each, CategoricalDistribution) for each in space.values())
    are_few = max_trials is not None and max_trials <= _MAX_GP_TRIALS
    are_costly = trial_seconds is None or trial_seconds >= _MIN_GP_TRIAL_SECONDS
    return SamplerName.GP if is_numeric and are_few and are_costly else SamplerName.TPE


def build_sampler(name: SamplerName, *, seed: int | None) -> BaseSampler:
    """With Optuna's own settings. One worker with a seed proposes the same trials again; several need several seeds."""
    samplers: dict[SamplerName, type[RandomSampler | GPSampler | TPESampler | NSGAIISampler]] = {
        SamplerName.RANDOM: RandomSampler,
        SamplerName.GP: GPSampler,
        SamplerName.TPE: TPESampler,
        SamplerName.NSGA2: NSGAIISampler,
    }
    return samplers[name](seed=seed)
