"""What this process knows of a study. A finished trial never changes, so each is read once."""

import copy
import time
from collections.abc import Iterator
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from aimass_core.domain import keys
from aimass_core.domain.keys import RowKey
from batch_jobs.search.storage import items
from batch_jobs.search.storage.drafts import Draft
from batch_jobs.search.storage.expressions import Item
from batch_jobs.search.storage.studies import StudyRow, from_item
from batch_jobs.search.storage.table import StudiesTable

# Unfinished trials that lie further behind the newest than this are read by key, so that one that runs for long does
# not make every read begin at it.
_NEAR = 50


class StudyView:
    """A study's row and its trials, read anew once they are older than `ttl_seconds`.

    Raises:
        KeyError: there is no such study.
    """

    def __init__(self, table: StudiesTable, *, workspace_id: str, study_id: int, ttl_seconds: float) -> None:
        self.study_id, self.partition = study_id, keys.study_partition(workspace_id, study_id)
        self.trials: dict[int, FrozenTrial] = {}
        self.drafts: dict[int, Draft] = {}
        """Of the trials that this process runs."""
        self.leases: dict[int, float] = {}
        """Until when a running trial is somebody's, as far as anybody said so."""
        self._table, self._ttl_seconds = table, ttl_seconds
        self._unfinished: set[int] = set()
        self.row = self._read()

    def refresh(self, *, now: bool = False) -> None:
        """Reads what may have changed, unless that was done a moment ago."""
        if now or not self.is_fresh:
            self.row = self._read()

    @property
    def is_fresh(self) -> bool:
        """Whether it is not older than it may be."""
        return time.monotonic() - self._read_at < self._ttl_seconds

    @property
    def next_number(self) -> int:
        """Of the next new trial, unless somebody else has made it."""
        return len(self.trials)

    def key(self, number: int) -> RowKey:
        """Of a trial."""
        return RowKey(self.partition, keys.trial_row(number))

    def adopt(self, item: Item, *, is_ours: bool = False) -> FrozenTrial:
        """Takes a trial as it is stored."""
        trial = items.from_item(item, study_id=self.study_id)
        self.trials[trial.number] = trial
        self.leases.pop(trial.number, None)
        if trial.state == TrialState.RUNNING and items.LEASE in item:
            self.leases[trial.number] = float(item[items.LEASE]["N"])
        if trial.state.is_finished():
            self._unfinished.discard(trial.number)
        else:
            self._unfinished.add(trial.number)
        if not is_ours:
            self.drafts.pop(trial.number, None)
        elif trial.number not in self.drafts:
            self.drafts[trial.number] = Draft(item)
        return trial

    def change(self, number: int, **attributes: Any) -> None:
        """Replaces parts of a trial. What was given to Optuna before must not change."""
        changed = copy.copy(self.trials[number])
        for name, value in attributes.items():
            setattr(changed, name, value)
        self.trials[number] = changed

    def _read(self) -> StudyRow:
        began = time.monotonic()
        row: StudyRow | None = None
        for item in self._changed():
            if item["sk"]["S"] == keys.STUDY_ROW:
                row = from_item(item)
            elif int(item["sk"]["S"]) not in self.drafts or items.state_of(item) != TrialState.RUNNING:
                self.adopt(item)
        if row is None:
            raise KeyError(f"There is no study with the id {self.study_id}.")
        self._read_at = began
        return row

    def _changed(self) -> Iterator[Item]:
        near = {number for number in self._unfinished if number >= self.next_number - _NEAR}
        start = keys.trial_row(min(near, default=self.next_number))
        yield from self._table.get_many([self.key(number) for number in sorted(self._unfinished - near)])
        yield from self._table.query(self.partition, start=start, end=keys.STUDY_ROW)
