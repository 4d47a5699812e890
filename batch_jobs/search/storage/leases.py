"""Takes trials from workers that are gone: each fails, and its hyperparameters are tried once more by somebody else.

Both are one transaction: a reaper that dies in the middle loses nothing, and two reapers queue nothing twice.
"""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from aimass_core.domain import keys
from batch_jobs.search.storage import items
from batch_jobs.search.storage.expressions import AttributeValue, Expression, Item, number, text
from batch_jobs.search.storage.table import ConditionFailedError, StudiesTable, to_key
from batch_jobs.search.storage.views import StudyView

FAILURE = "failure"
"""The system attribute that says why a trial failed."""
# As Optuna's RetryHeartbeatStaleTrialCallback names them, whose functions read them.
_ORIGINAL, _HISTORY = "failed_trial", "retry_history"
# What Optuna noted of the first run and would take for the second's.
_OF_THE_RUN = ("constraints", "completed_rung_", FAILURE)

_log = logging.getLogger(__name__)


def is_retry(trial: FrozenTrial) -> bool:
    """Whether it takes the place of a trial whose worker was lost."""
    return _ORIGINAL in trial.system_attrs


def reap(table: StudiesTable, view: StudyView, *, now: datetime, max_retries: int) -> list[int]:
    """Fails the running trials whose lease has ended; returns their numbers.

    Args:
        table: of studies.
        view: of the study, just refreshed.
        now: the present time.
        max_retries: how often the hyperparameters of one trial are queued again.
    """
    ended = [number for number, until in view.leases.items() if until < now.timestamp() and number not in view.drafts]
    reaped = [number for number in ended if _reap_one(table, view, number, now=now, max_retries=max_retries)]
    if reaped:
        view.refresh(now=True)
    return reaped


def _reap_one(table: StudiesTable, view: StudyView, number: int, *, now: datetime, max_retries: int) -> bool:
    item = table.get(view.key(number))
    if item is None:
        return False
    is_retried = int(item.get(items.NUM_RETRIES, {"N": "0"})["N"]) < max_retries
    while _is_ended(item, now):
        retry = _to_retry(item, view.next_number) if is_retried else None
        requests: list[Mapping[str, Mapping[str, Any]]] = [{"Update": _failing(view, item, now=now, retry=retry)}]
        if retry is not None:
            requests.append({"Put": {"Item": retry, "ConditionExpression": "attribute_not_exists(pk)"}})
        try:
            table.write_all(*requests)
        except ConditionFailedError as error:
            if 0 in error.items:  # finished or renewed meanwhile
                return False
            view.adopt(error.items[1] or {})
            continue
        _log.warning("trial %d of study %r: its worker is gone; retried: %s", number, view.row.name, is_retried)
        return True
    return False


def _is_ended(item: Item, now: datetime) -> bool:
    is_running = items.state_of(item) == TrialState.RUNNING
    return is_running and items.LEASE in item and float(item[items.LEASE]["N"]) < now.timestamp()


def _failing(view: StudyView, item: Item, *, now: datetime, retry: Item | None) -> dict[str, Any]:
    ended_at = datetime.fromtimestamp(float(item[items.LEASE]["N"]), now.tzinfo).isoformat(timespec="seconds")
    next_step = (
        "It was a second attempt already." if retry is None else f"Tried again as trial {int(retry['sk']['S'])}."
    )
    expression = Expression()
    expression.assign([items.STATE], text(TrialState.FAIL.name))
    expression.assign([items.COMPLETED], items.to_time(now))
    reason = f"Its worker was lost: no sign of it until {ended_at}. {next_step}"
    expression.assign([items.SYSTEM_ATTRS, FAILURE], items.to_json(reason))
    state, lease = expression.name(items.STATE), expression.name(items.LEASE)
    is_running = f"{state} = {expression.value(text(TrialState.RUNNING.name))}"
    condition = f"{is_running} AND {lease} < {expression.value(number(now.timestamp()))}"
    return {"Key": to_key(view.key(int(item["sk"]["S"]))), **expression.arguments(condition)}


def _to_retry(item: Item, next_number: int) -> dict[str, AttributeValue]:
    of_trial, number_before = items.from_map(item[items.SYSTEM_ATTRS]), int(item["sk"]["S"])
    kept = {key: value for key, value in of_trial.items() if not key.startswith(_OF_THE_RUN)}
    kept[_ORIGINAL] = kept.get(_ORIGINAL, number_before)
    kept[_HISTORY] = [*kept.get(_HISTORY, ()), number_before]
    return {
        "pk": item["pk"],
        "sk": text(keys.trial_row(next_number)),
        items.STATE: text(TrialState.WAITING.name),
        items.PARAMS: item[items.PARAMS],
        items.USER_ATTRS: item[items.USER_ATTRS],
        items.SYSTEM_ATTRS: {"M": {key: text(json.dumps(value)) for key, value in kept.items()}},
        items.REPORTS: {"M": {}},
        items.NUM_RETRIES: {"N": str(int(item.get(items.NUM_RETRIES, {"N": "0"})["N"]) + 1)},
    }
