"""Which pruner ends bad trials early. A trial is held against others of its own algorithm: rounds are not epochs."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    SuccessiveHalvingPruner,
)
from optuna.study import Study
from optuna.trial import FrozenTrial

from aimass_core.domain.study_specs import PrunerName
from batch_jobs.search.space import ALGORITHM

# The first rung is a tenth of the steps of the longest trial: a hundredth, Optuna's own, says nothing of a small
# learning rate. Of three trials one goes on.
_REDUCTION, _FIRST_RUNG = 3, 2
_PATIENCE_REPORTS = 10
_WARM_UP_STEPS = 3


def build_pruner(name: PrunerName) -> BasePruner:
    """With a pruner for each algorithm, as each has its own rungs."""
    build: Mapping[PrunerName, Callable[[], BasePruner]] = {
        PrunerName.NONE: NopPruner,
        PrunerName.MEDIAN: lambda: MedianPruner(n_warmup_steps=_WARM_UP_STEPS),
        PrunerName.ASHA: lambda: SuccessiveHalvingPruner(
            reduction_factor=_REDUCTION, min_early_stopping_rate=_FIRST_RUNG
        ),
        PrunerName.HYPERBAND: lambda: HyperbandPruner(reduction_factor=_REDUCTION),
        PrunerName.PATIENT: lambda: PatientPruner(None, patience=_PATIENCE_REPORTS),
    }
    return NopPruner() if name is PrunerName.NONE else _OfAlgorithm(build[name])


class _OfAlgorithm(BasePruner):
    """Shows a pruner the trials of one algorithm alone. Of one study."""

    def __init__(self, build: Callable[[], BasePruner]) -> None:
        self._build = build
        self._parts: dict[Any, tuple[BasePruner, Study]] = {}

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """See BasePruner."""
        algorithm = trial.params.get(ALGORITHM)
        if algorithm not in self._parts:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                self._parts[algorithm] = self._build(), _Part(study, algorithm)
        pruner, part = self._parts[algorithm]
        return pruner.prune(part, trial)


class _Part(Study):
    """A study of one algorithm's trials, as Optuna's Hyperband makes one of a bracket's."""

    def __init__(self, study: Study, algorithm: Any) -> None:
        super().__init__(study.study_name, study._storage, sampler=study.sampler, pruner=study.pruner)
        self._algorithm = algorithm

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:
        """See Study."""
        found = super().get_trials(deepcopy=deepcopy, states=states)
        return [trial for trial in found if trial.params.get(ALGORITHM) == self._algorithm]
