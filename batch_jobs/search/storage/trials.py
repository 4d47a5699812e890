"""Writing trials: each change names the states that it may meet, so that of two workers one is told that it is late."""

import uuid
from collections.abc import Sequence
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState, create_trial

from aimass_core.domain import keys
from aimass_core.domain.common import Clock
from aimass_core.errors import InvalidRequestError
from batch_jobs.search.storage import items
from batch_jobs.search.storage.drafts import Draft
from batch_jobs.search.storage.expressions import AttributeValue, Expression, Item, number, text
from batch_jobs.search.storage.leases import is_retry
from batch_jobs.search.storage.table import ConditionFailedError, StudiesTable
from batch_jobs.search.storage.views import StudyView

# A trial that was quicker is learnt from its refusal, which is cheaper than reading all that are new, while these are
# few: where the last reading is young.
_MAX_STEPS, _YOUNG_SECONDS = 4, 0.1


class StudyFullError(Exception):
    """The study has as many trials as it may have."""


class TrialWriter:
    """The writes on trials.

    Args:
        table: of studies.
        max_trials: of a study, of which a lost trial that is tried again is one; None: no end.
        lease_seconds: how long a running trial is its worker's without another sign; None: for ever.
        clock: of leases and times.
    """

    def __init__(
        self, table: StudiesTable, *, lease_seconds: float | None, max_trials: int | None, clock: Clock
    ) -> None:
        self._table, self._lease_seconds, self._clock = table, lease_seconds, clock
        self._max_trials = max_trials

    def create(self, view: StudyView, template: FrozenTrial | None) -> int:
        """Puts a trial at the first free number, which leaves no gaps, and returns the number.

        Raises:
            StudyFullError: all trials with smaller numbers are known by then, so that no worker makes one too many.
        """
        item = items.to_item(template or create_trial(state=TrialState.RUNNING), partition=view.partition, number=0)
        if template is None:
            item[items.STARTED] = items.to_time(self._clock())
        item[items.TOKEN] = text(uuid.uuid4().hex)
        if items.state_of(item) == TrialState.RUNNING:
            item.update(self._lease())
        attempts = 0
        while not self._put(view, item):
            attempts += 1
            if attempts % _MAX_STEPS == 0 or view.age_seconds > _YOUNG_SECONDS:
                view.refresh(now=True)
        return int(item["sk"]["S"])

    def set_entry(self, view: StudyView, number: int, section: str, key: str, value: AttributeValue) -> None:
        """Sets an entry of a trial that this process does not run.

        Raises:
            UpdateFinishedTrialError: it has finished.
            KeyError: it is gone.
        """
        expression = Expression()
        expression.assign([section, key], value)
        view.adopt(self._write(view, number, expression))

    def send(self, view: StudyView, draft: Draft) -> None:
        """Writes what was noted.

        Raises:
            UpdateFinishedTrialError: the trial has finished: it was taken from this process.
            KeyError: it is gone.
        """
        for expression in draft.parts():
            self._renew(expression)
            self._write(view, draft.number, expression)
        draft.clear()

    def change_state(
        self, view: StudyView, number: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Writes what was noted together with the new state.

        Returns:
            Whether it was changed: only a waiting trial can begin to run.

        Raises:
            UpdateFinishedTrialError: the trial has finished.
            KeyError: it is gone.
        """
        draft, token = view.drafts.get(number), uuid.uuid4().hex
        *earlier, last = draft.parts() if draft is not None else [Expression()]
        for expression in earlier:
            self._write(view, number, expression)
        last.assign([items.STATE], text(state.name))
        last.assign([items.TOKEN], text(token))
        if values is not None:
            last.assign([items.VALUES], items.to_json([float(value) for value in values]))
        if state.is_finished():
            last.assign([items.COMPLETED], items.to_time(self._clock()))
        elif state == TrialState.RUNNING:
            last.assign([items.STARTED], items.to_time(self._clock()))
            self._renew(last)
        from_states = [TrialState.WAITING] if state == TrialState.RUNNING else [TrialState.RUNNING, TrialState.WAITING]
        try:
            item = self._table.update(view.key(number), last, condition=_in_states(last, from_states))
        except ConditionFailedError as error:
            found = error.item
            # A repeat by botocore, after a lost answer, meets what the first attempt wrote.
            if found is None or found.get(items.TOKEN) != text(token):
                self._check_unfinished(view, number, found)
                return False
            item = found
        view.drafts.pop(number, None)
        view.adopt(item, is_ours=state == TrialState.RUNNING)
        return True

    def renew_lease(self, view: StudyView, number: int) -> bool:
        """Whether the trial is still running, and so has a new lease."""
        expression = Expression()
        self._renew(expression)
        try:
            condition = _in_states(expression, [TrialState.RUNNING])
            self._table.update(view.key(number), expression, condition=condition)
        except ConditionFailedError:
            return False
        return True

    def _put(self, view: StudyView, item: dict[str, AttributeValue]) -> bool:
        if view.next_number >= items.MAX_TRIALS:
            raise InvalidRequestError(
                f"The study has {items.MAX_TRIALS:,} trials, the most it can have. Begin another."
            )
        num_asked = sum(not is_retry(trial) for trial in view.trials.values())
        if self._max_trials is not None and num_asked >= self._max_trials:
            raise StudyFullError(f"The study {view.row.name!r} has its {self._max_trials:,} trials.")
        item["sk"] = text(keys.trial_row(view.next_number))
        try:
            self._table.put(item)
        except ConditionFailedError as error:
            found = error.item or {}
            if found.get(items.TOKEN) != item[items.TOKEN]:
                view.adopt(found)
                return False
        view.adopt(item, is_ours=items.state_of(item) == TrialState.RUNNING)
        return True

    def _write(self, view: StudyView, number: int, expression: Expression) -> Item:
        condition = _in_states(expression, [TrialState.RUNNING, TrialState.WAITING])
        try:
            return self._table.update(view.key(number), expression, condition=condition)
        except ConditionFailedError as error:
            self._check_unfinished(view, number, error.item)
            raise

    def _check_unfinished(self, view: StudyView, number: int, found: Item | None) -> None:
        if found is None:
            raise KeyError(f"There is no trial {number} in the study {view.row.name!r}.")
        if items.state_of(found).is_finished():
            view.adopt(found)
            raise UpdateFinishedTrialError(
                f"Trial {number} has already finished ({items.state_of(found).name}) and can not be updated."
            )
        if number not in view.drafts:
            view.adopt(found)

    def _renew(self, expression: Expression) -> None:
        for attribute, value in self._lease().items():
            expression.assign([attribute], value)

    def _lease(self) -> dict[str, Any]:
        if self._lease_seconds is None:
            return {}
        return {items.LEASE: number(round(self._clock().timestamp() + self._lease_seconds, 3))}


def _in_states(expression: Expression, states: Sequence[TrialState]) -> str:
    placeholders = ", ".join(expression.value(text(state.name)) for state in states)
    return f"{expression.name(items.STATE)} IN ({placeholders})"
