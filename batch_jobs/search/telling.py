"""Telling a study what came of a trial: the first who tells is believed, and everybody else learns that he was late."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna import Study, Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from batch_jobs.search.storage import FAILURE

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the study says of the trial now.

    Attributes:
        trial: as it is stored.
        is_accepted: False where it had finished before: told by another worker, or taken from this one.
    """

    trial: FrozenTrial
    is_accepted: bool


def tell(study: Study, trial: Trial, values: object = None, *, state: TrialState | None = None) -> Told:
    """Finishes a trial, unless somebody has.

    Args:
        study: of the trial.
        trial: that this process asked for.
        values: what the objective returned, whatever it is. Unless these are finite numbers, one for each direction,
            the trial fails, and its system attribute `failure` says why.
        state: PRUNED or FAIL, without values; None: as the values are.
    """
    storage, trial_id = study._storage, trial._trial_id
    if storage.get_trial(trial_id).state.is_finished():
        return _ignored(study, trial_id, values)
    numbers: list[float] | None = None
    try:
        if state is None:
            numbers, fault = _to_numbers(values, num_directions=len(study.directions))
            state = TrialState.COMPLETE if numbers is not None else TrialState.FAIL
            if fault is not None:
                storage.set_trial_system_attr(trial_id, FAILURE, fault)
        study.tell(trial, numbers, state)
    except UpdateFinishedTrialError:
        return _ignored(study, trial_id, values)
    return Told(trial=storage.get_trial(trial_id), is_accepted=True)


def _ignored(study: Study, trial_id: int, values: object) -> Told:
    found = study._storage.get_trial(trial_id)
    _log.warning(
        "trial %d of study %r was told late, and %r is ignored: it is %s with %s",
        *(found.number, study.study_name, values, found.state.name, found.values),
    )
    return Told(trial=found, is_accepted=False)


def _to_numbers(values: Any, *, num_directions: int) -> tuple[list[float] | None, str | None]:
    """The values, or what is wrong with them."""
    several = values if isinstance(values, Sequence) and not isinstance(values, str) else [values]
    if len(several) != num_directions:
        return None, f"The objective returned {len(several)} values. The study has {num_directions} directions."
    numbers = []
    for value in several:
        try:
            number = float(value) if not isinstance(value, str) else math.nan
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            return None, f"The objective returned {value!r}. It must return a finite number."
        numbers.append(number)
    return numbers, None
