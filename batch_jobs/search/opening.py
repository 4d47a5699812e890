"""Opens a study: in the platform's table, or in memory where there is none and one worker has it to itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from aimass_core.domain.study_specs import Direction
from aimass_core.errors import InvalidRequestError
from batch_jobs.runtime.environment import Environment
from batch_jobs.search.goals import Goal
from batch_jobs.search.storage import DynamoDbStorage, StudyFullError, is_retry

_READ_TTL_SECONDS, _WRITE_DELAY_SECONDS = 0.5, 0.5
_HEARTBEAT_SECONDS = 10


def open_study(
    environment: Environment,
    goals: Sequence[Goal],
    *,
    max_trials: int | None,
) -> Study:
    """The study of the job, which goes on where there is one. Its sampler and its pruner are still to be set.

    Raises:
        InvalidRequestError: It has other objectives.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions = [
        StudyDirection.MAXIMIZE if goal.direction is Direction.MAXIMIZE else StudyDirection.MINIMIZE for goal in goals
    ]
    place = environment.study
    storage = None
    if place is not None:
        storage = DynamoDbStorage(
            place.client,
            place.table,
            workspace_id=place.workspace_id,
            read_ttl_seconds=_READ_TTL_SECONDS,
            write_delay_seconds=_WRITE_DELAY_SECONDS,
            heartbeat_interval_seconds=_HEARTBEAT_SECONDS,
            max_trials=max_trials,
        )
    study = optuna.create_study(
        storage=storage,
        study_name=environment.job if place is None else place.study_id,
        directions=directions,
        load_if_exists=place is not None,
    )
    if study.directions != directions:
        before, now = ([direction.name.lower() for direction in each] for each in (study.directions, directions))
        raise InvalidRequestError(f"The study's objectives are to {before}, and this job's to {now}: begin another.")
    return study


def equip(study: Study, sampler: BaseSampler, pruner: BasePruner) -> None:
    """What proposes its trials and ends them."""
    study.sampler, study.pruner = sampler, pruner


def reap(study: Study) -> None:
    """Takes trials from workers that are gone."""
    if isinstance(study._storage, DynamoDbStorage):
        study._storage.reap(study._study_id)


def read_anew(study: Study) -> list[FrozenTrial]:
    """All trials as they are now, however lately they were read."""
    if isinstance(study._storage, DynamoDbStorage):
        study._storage.refresh(study._study_id)
    return study.get_trials(deepcopy=False)


def count_asked(trials: Sequence[FrozenTrial]) -> int:
    """Those that count as trials of the study: a lost one that is tried again is one, not two."""
    return sum(not is_retry(trial) for trial in trials)


def enqueue(study: Study, points: Sequence[Mapping[str, Any]], *, max_trials: int | None) -> None:
    """Has these tried first, unless the study has trials or has room for fewer."""
    if study.get_trials(deepcopy=False):
        return
    for point in points[:max_trials]:
        try:
            study.enqueue_trial(dict(point), skip_if_exists=True)
        except StudyFullError:
            return


def ask_again(study: Study, trial: FrozenTrial) -> Trial:
    """A trial of the same hyperparameters, before all that wait."""
    storage = study._storage
    template = optuna.trial.create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": trial.params})
    trial_id = storage.create_new_trial(study._study_id, template_trial=template)
    storage.set_trial_state_values(trial_id, TrialState.RUNNING)
    return Trial(study, trial_id)


def has_waiting(trials: Sequence[FrozenTrial]) -> bool:
    """Whether some are queued: to be tried first, or once more."""
    return any(trial.state == TrialState.WAITING for trial in trials)
