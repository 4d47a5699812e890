"""Trials as items: what is stored comes back the same, and its size is known."""

import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from aimass_core.errors import InvalidRequestError
from batch_jobs.search.storage import items
from batch_jobs.search.storage.drafts import Draft
from batch_jobs.search.storage.reports import thin

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NUMBERS = st.floats(allow_nan=False)


def _trial(**changes: Any) -> FrozenTrial:
    space = {
        "rate": FloatDistribution(1e-5, 1.0, log=True),
        "depth": IntDistribution(1, 9, step=2),
        "kind": CategoricalDistribution(("b", None, 3, True)),
    }
    known: dict[str, Any] = {
        "number": 7,
        "trial_id": items.to_trial_id(3, 7),
        "state": TrialState.COMPLETE,
        "value": None,
        "values": [1.0],
        "datetime_start": datetime.fromisoformat("2026-03-01T12:30:15.123456"),
        "datetime_complete": datetime.fromisoformat("2026-03-01T12:31:00"),
        "params": {"rate": 0.1, "depth": 5, "kind": None},
        "distributions": space,
        "user_attrs": {},
        "system_attrs": {},
        "intermediate_values": {},
    }
    return FrozenTrial(**{**known, **changes})


def _stored(trial: FrozenTrial) -> FrozenTrial:
    return items.from_item(items.to_item(trial, partition="WS#w#STUDY#3", number=trial.number), study_id=3)


@given(
    values=st.lists(NUMBERS, min_size=1, max_size=3),
    attributes=st.dictionaries(st.text(), JSON, max_size=3),
    reports=st.dictionaries(st.integers(0, 10**6), NUMBERS, max_size=5),
)
def test_a_trial_comes_back_as_it_was(
    values: list[float], attributes: dict[str, Any], reports: dict[int, float]
) -> None:
    trial = _trial(values=values, user_attrs=attributes, system_attrs=attributes, intermediate_values=reports)
    assert _stored(trial) == trial


def test_what_json_has_no_word_for_comes_back() -> None:
    stored = _stored(_trial(values=[math.inf, -math.inf], intermediate_values={0: math.nan}, user_attrs={"a": (1, 2)}))
    assert stored.values == [math.inf, -math.inf]
    assert math.isnan(stored.intermediate_values[0])
    assert stored.user_attrs == {"a": [1, 2]}


def test_hyperparameters_keep_their_order_and_share_their_distributions() -> None:
    item = items.to_item(_trial(), partition="p", number=0)
    shuffled = {**item, items.PARAMS: {"M": dict(reversed(item[items.PARAMS]["M"].items()))}}
    one, other = (items.from_item(each, study_id=1) for each in (shuffled, item))
    assert list(one.params) == ["rate", "depth", "kind"]
    assert all(one.distributions[name] is other.distributions[name] for name in one.params)


def test_a_draft_knows_the_size_of_its_item() -> None:
    draft = Draft(items.to_item(_trial(), partition="p", number=7))
    draft.set("user_attrs", "a", {"S": "x" * 300_000})
    with pytest.raises(InvalidRequestError, match="Trial 7 cannot take 'b'"):
        draft.set("user_attrs", "b", {"S": "é" * 60_000})
    draft.set("user_attrs", "a", {"S": ""})
    draft.set("user_attrs", "b", {"S": "é" * 60_000})
    (expression,) = draft.parts()
    assert set(expression.arguments("")["ExpressionAttributeNames"].values()) == {"user_attrs", "a", "b"}
    draft.clear()
    assert not draft


def test_a_draft_of_many_entries_takes_several_requests() -> None:
    draft = Draft(items.to_item(_trial(), partition="p", number=7))
    draft.replace("intermediate_values", {"0": {"S": "0.5"}})
    for step in range(250):
        draft.set("intermediate_values", str(step), {"S": "0.25"})
    arguments = [expression.arguments("") for expression in draft.parts()]
    # DynamoDB's limit. The first sets the whole map, of which the others set entries.
    assert max(len(each["UpdateExpression"]) for each in arguments) < 4096
    assert [len(each["ExpressionAttributeValues"]) for each in arguments] == [1, 100, 100, 50]


@given(st.sets(st.integers(-50, 5_000), min_size=101, max_size=400))
def test_thinned_reports_are_some_of_them_with_the_last(steps: set[int]) -> None:
    values = {step: step / 2 for step in steps}
    kept = thin(values, limit=100)
    assert kept.items() <= values.items()
    assert max(steps) in kept
    assert len(kept) <= 51


def test_trials_that_report_alike_keep_the_same_steps() -> None:
    short, long = (set(thin(dict.fromkeys(range(num), 0.0), limit=100)) for num in (150, 900))
    assert {step for step in long if step < 149} <= short
