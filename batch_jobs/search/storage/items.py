"""Trials as items. Values are texts of JSON in maps, one entry each: nothing is pickled, and each can be set alone.

A DynamoDB number holds neither infinity nor every double, hence the texts.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from aimass_core.domain import keys
from batch_jobs.search.storage.expressions import AttributeValue, Item, text

MAX_TRIALS = 1_000_000  # of one study: a trial's id is the study's and its number
STATE, VALUES, TOKEN, LEASE = "state", "values", "token", "lease_until"
STARTED, COMPLETED, NUM_RETRIES = "started_at", "completed_at", "num_retries"
PARAMS, USER_ATTRS, SYSTEM_ATTRS, REPORTS = "params", "user_attrs", "system_attrs", "intermediate_values"

_load_distribution = lru_cache(maxsize=4096)(json_to_distribution)


def to_trial_id(study_id: int, number: int) -> int:
    """Optuna's ids are unique in the whole storage."""
    return study_id * MAX_TRIALS + number


def to_json(value: Any) -> AttributeValue:
    """Of an attribute or of values."""
    return text(json.dumps(value))


def from_json(value: AttributeValue) -> Any:
    """As a reader gets it: a tuple has become a list."""
    return json.loads(value["S"])


def to_param(position: int, internal: float, distribution: BaseDistribution) -> AttributeValue:
    """With its position, as maps have no order; Optuna's trials do."""
    return text(f"{position} {float(internal)!r} {distribution_to_json(distribution)}")


def to_report(value: float) -> AttributeValue:
    """An intermediate value, with all its digits."""
    return text(repr(float(value)))


def to_time(at: datetime) -> AttributeValue:
    """UTC. Optuna's times are local and naive."""
    return text(at.astimezone(UTC).isoformat())


def to_item(trial: FrozenTrial, *, partition: str, number: int) -> dict[str, AttributeValue]:
    """A trial in any state."""
    params = (
        (name, to_param(position, trial.distributions[name].to_internal_repr(value), trial.distributions[name]))
        for position, (name, value) in enumerate(trial.params.items())
    )
    item: dict[str, AttributeValue] = {
        "pk": text(partition),
        "sk": text(keys.trial_row(number)),
        STATE: text(trial.state.name),
        PARAMS: _map(params),
        USER_ATTRS: _map((key, to_json(value)) for key, value in trial.user_attrs.items()),
        SYSTEM_ATTRS: _map((key, to_json(value)) for key, value in trial.system_attrs.items()),
        REPORTS: _map((str(step), to_report(value)) for step, value in trial.intermediate_values.items()),
    }
    if trial.values is not None:
        item[VALUES] = to_json([float(value) for value in trial.values])
    for attribute, at in ((STARTED, trial.datetime_start), (COMPLETED, trial.datetime_complete)):
        if at is not None:
            item[attribute] = to_time(at)
    return item


def from_item(item: Item, *, study_id: int) -> FrozenTrial:
    """The trial of an item."""
    number = int(item["sk"]["S"])
    params: dict[str, Any] = {}
    distributions: dict[str, BaseDistribution] = {}
    for name, internal, distribution in _params(item):
        distributions[name] = distribution
        params[name] = distribution.to_external_repr(internal)
    return FrozenTrial(
        number=number,
        trial_id=to_trial_id(study_id, number),
        state=state_of(item),
        value=None,
        values=json.loads(item[VALUES]["S"]) if VALUES in item else None,
        datetime_start=_time(item, STARTED),
        datetime_complete=_time(item, COMPLETED),
        params=params,
        distributions=distributions,
        user_attrs=from_map(item[USER_ATTRS]),
        system_attrs=from_map(item[SYSTEM_ATTRS]),
        intermediate_values={int(step): float(value["S"]) for step, value in item[REPORTS]["M"].items()},
    )


def state_of(item: Item) -> TrialState:
    """Of a trial's item."""
    return TrialState[item[STATE]["S"]]


def from_map(attribute: AttributeValue) -> dict[str, Any]:
    """The user's or Optuna's attributes."""
    return {key: from_json(value) for key, value in attribute["M"].items()}


def to_distribution(stored: str) -> BaseDistribution:
    """Equal texts give the same object: a study has few distributions and many trials."""
    return _load_distribution(stored)


def item_bytes(item: Item) -> int:
    """At least what DynamoDB counts."""
    return sum(entry_bytes(name, value) for name, value in item.items())


def entry_bytes(name: str, value: AttributeValue) -> int:
    """Of a name with its value, in an item or in a map."""
    ((kind, content),) = value.items()
    if kind == "M":
        return len(name.encode()) + 4 + item_bytes(content)
    return len(name.encode()) + 4 + len(content.encode())


def _params(item: Item) -> list[tuple[str, float, BaseDistribution]]:
    split = [(name, *value["S"].split(" ", 2)) for name, value in item[PARAMS]["M"].items()]
    split.sort(key=lambda param: int(param[1]))
    return [(name, float(internal), to_distribution(stored)) for name, _, internal, stored in split]


def _map(entries: Iterable[tuple[str, AttributeValue]]) -> AttributeValue:
    return {"M": dict(entries)}


def _time(item: Item, attribute: str) -> datetime | None:
    if attribute not in item:
        return None
    return datetime.fromisoformat(item[attribute]["S"]).astimezone().replace(tzinfo=None)
