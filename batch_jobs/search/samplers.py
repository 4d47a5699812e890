"""Which sampler proposes the trials of a study."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.study import Study
from optuna.trial import FrozenTrial

from aimass_core.domain.study_specs import SamplerName
from batch_jobs.search.space import StudySpace

# Beyond, one ask of a Gaussian process takes seconds (12 at 1,000 trials), one of TPE milliseconds.
_MAX_GP_TRIALS = 150
_MIN_GP_TRIAL_SECONDS = 1.0

LEARNING = frozenset({SamplerName.GP, SamplerName.TPE, SamplerName.CMAES, SamplerName.NSGA2})
"""They learn from trials that they did not propose."""


class _GridSampler(GridSampler):
    """Optuna's own stops `optimize`; with ask and tell the loop asks `is_exhausted`."""

    def after_trial(self, study: Study, trial: FrozenTrial, state: Any, values: Any) -> None:
        """See BaseSampler."""


def choose_sampler(
    space: Mapping[str, BaseDistribution],
    *,
    max_trials: int | None,
    trial_seconds: float | None,
    is_conditional: bool = False,
    is_pruned: bool = False,
) -> SamplerName:
    """`gp` where trials are few and costly and all have the same hyperparameters, `tpe` otherwise.

    Choices among them do not speak against it (`tests/benchmarks/test_samplers.py`). Of conditional spaces it would see
    only what all trials have; and it learns from complete trials alone, of which pruning leaves too few.

    Args:
        space: the hyperparameters that every trial has.
        max_trials: of the study; None: as many as time allows.
        trial_seconds: what one takes; None: not known yet, and taken for costly.
        is_conditional: whether some trials have others beside these.
        is_pruned: whether bad trials end early.
    """
    are_few = max_trials is not None and max_trials <= _MAX_GP_TRIALS
    are_costly = trial_seconds is None or trial_seconds >= _MIN_GP_TRIAL_SECONDS
    is_whole = bool(space) and not is_conditional and not is_pruned
    return SamplerName.GP if is_whole and are_few and are_costly else SamplerName.TPE


def build_sampler(name: SamplerName, space: StudySpace, *, seed: int | None) -> BaseSampler:
    """With Optuna's own settings. One worker with a seed proposes the same trials again; several need several seeds.

    Raises:
        InvalidRequestError: A grid of a space that has none.
    """
    build: Mapping[SamplerName, Callable[[], BaseSampler]] = {
        SamplerName.RANDOM: lambda: RandomSampler(seed=seed),
        SamplerName.GRID: lambda: _GridSampler(space.grid(), seed=seed),
        SamplerName.QMC: lambda: QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False),
        SamplerName.GP: lambda: GPSampler(seed=seed),
        SamplerName.TPE: lambda: TPESampler(
            seed=seed, multivariate=True if space.is_conditional else None, group=space.is_conditional
        ),
        SamplerName.CMAES: lambda: CmaEsSampler(seed=seed, warn_independent_sampling=False),
        SamplerName.NSGA2: lambda: NSGAIISampler(seed=seed),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return build[name]()


def is_exhausted(study: Study) -> bool:
    """Whether its sampler has proposed all that there is."""
    return isinstance(study.sampler, GridSampler) and study.sampler.is_exhausted(study)
