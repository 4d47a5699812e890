"""Trials of a study, read from the table of studies and put into another workspace's part of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection
from optuna.trial import TrialState

from aimass_core.domain import keys
from aimass_core.errors import InvalidDataError
from batch_jobs.search.storage import items
from batch_jobs.search.storage.studies import Studies
from batch_jobs.search.storage.table import ConditionFailedError, StudiesTable

_SECTIONS = (items.PARAMS, items.USER_ATTRS, items.SYSTEM_ATTRS, items.REPORTS)
_SINGLE = (items.STATE, items.VALUES, items.STARTED, items.COMPLETED)
_MALFORMED = (KeyError, ValueError, TypeError, AttributeError, IndexError)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrials:
    """What the workers of a study have left: `items` without their keys."""

    directions: Sequence[str]
    attributes: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]]


class TrialStore(Protocol):
    """Where trials are."""

    def read(self, workspace_id: str, study_id: str) -> StoredTrials | None:
        """None where no worker has begun."""

    def write(self, workspace_id: str, study_id: str, trials: StoredTrials) -> None:
        """Puts those that are not there. Raises InvalidDataError for what is no trial."""


class TrialTable:
    """Satisfies `TrialStore`, by the table of studies."""

    def __init__(self, client: Any, *, table: str) -> None:
        self._table = StudiesTable(client, name=table)

    def read(self, workspace_id: str, study_id: str) -> StoredTrials | None:
        """See TrialStore. A trial that never ended has failed: nobody will go on with it elsewhere."""
        row = next((row for row in self._studies(workspace_id).list_all() if row.name == study_id), None)
        if row is None:
            return None
        partition = keys.study_partition(workspace_id, row.study_id)
        found = self._table.query(partition, start=keys.trial_row(0), end=keys.STUDY_ROW)
        return StoredTrials(
            directions=[direction.name for direction in row.directions],
            attributes={"user": row.user_attrs, "system": row.system_attrs},
            items=[_kept(item) for item in found if item["sk"]["S"] != keys.STUDY_ROW],
        )

    def write(self, workspace_id: str, study_id: str, trials: StoredTrials) -> None:
        """See TrialStore."""
        studies = self._studies(workspace_id)
        checked = [_checked(item, study_id) for item in trials.items]
        try:
            number = studies.create([StudyDirection[name] for name in trials.directions], study_id)
        except DuplicatedStudyError:
            number = studies.find(study_id)
        for section, name in ((items.USER_ATTRS, "user"), (items.SYSTEM_ATTRS, "system")):
            for key, value in dict(trials.attributes.get(name, {})).items():
                studies.set_attribute(number, section, str(key), value)
        partition = keys.study_partition(workspace_id, number)
        for position, item in enumerate(checked):
            try:
                self._table.put({**item, "pk": {"S": partition}, "sk": {"S": keys.trial_row(position)}})
            except ConditionFailedError:
                continue

    def _studies(self, workspace_id: str) -> Studies:
        return Studies(self._table, workspace_id=workspace_id)


def _kept(item: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: item[name] for name in (*_SECTIONS, *_SINGLE) if name in item}
    if not items.state_of(item).is_finished():
        kept[items.STATE] = {"S": TrialState.FAIL.name}
        kept.pop(items.VALUES, None)
    return kept


def _checked(item: Mapping[str, Any], study_id: str) -> dict[str, Any]:
    """As Optuna reads it and would write it. Raises InvalidDataError for what it cannot read."""
    try:
        trial = items.from_item({**item, "pk": {"S": ""}, "sk": {"S": keys.trial_row(0)}}, study_id=0)
        if not trial.state.is_finished():
            raise ValueError(f"its state is {trial.state.name}")
        return items.to_item(trial, partition="", number=0)
    except _MALFORMED as error:
        raise InvalidDataError(f"The archive's study {study_id} has a trial that cannot be read: {error}.") from error
