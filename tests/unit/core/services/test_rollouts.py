"""A version takes over by steps while it does well, and is out as soon as it does not; what served never stops."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal
from aimass_core.domain.endpoint_counters import BOUNDS_MS, Counts, RolloutCounts, bucket_of
from aimass_core.domain.endpoints import Endpoint, EndpointCreate, EndpointStatus, EndpointUpdate
from aimass_core.domain.rollouts import Guards, RolloutPlan
from aimass_core.domain.signatures import Task
from aimass_core.errors import ConflictError, InvalidRequestError, NotFoundError
from aimass_core.services import (
    endpoint_counters,
    endpoint_records,
    endpoint_settings,
    endpoints,
    models,
    reconciler,
    rollouts,
)
from tests.factories.platform import (
    SIGNATURE,
    ManualClock,
    add_dataset,
    add_version,
    make_model,
    new_principal,
)

CANARY = {"percent": 10, "step_percent": 40, "every_seconds": 60, "guards": {"min_requests": 10}}


@pytest.fixture
def principal(ports: MemoryPorts) -> Principal:
    """With three versions of the model `adult`, of which the first is served."""
    principal = new_principal()
    add_version(ports, principal, add_dataset(ports, principal))
    for body in (b"first", b"second", b"third"):
        make_model(ports, principal, model=body)
    made = endpoints.create(ports, principal, EndpointCreate(model="adult@1"))
    endpoints.activate(ports, made.workspace_id, made.id)
    return principal


def find(ports: MemoryPorts, principal: Principal) -> Endpoint:
    return endpoints.get(ports, principal, "adult")


def update(ports: MemoryPorts, principal: Principal, **fields: Any) -> Endpoint:
    request = EndpointUpdate.model_validate(fields)
    return endpoints.update(ports, principal, "adult", request, revision=find(ports, principal).revision)


def roll_out(ports: MemoryPorts, principal: Principal, model: str = "adult@2", **plan: Any) -> Endpoint:
    waiting = update(ports, principal, model=model, rollout=plan or CANARY)
    assert waiting.status is EndpointStatus.UPDATING
    return endpoints.activate(ports, waiting.workspace_id, waiting.id)


def count(ports: MemoryPorts, endpoint: Endpoint, **amounts: int) -> Endpoint:
    """What the new version has done; then what the stream's event does."""
    assert endpoint.rollout is not None
    counted = endpoint_counters.to_counted(endpoint, endpoint.rollout.model)
    endpoint_counters.add(ports, counted, Counts.from_amounts(amounts), minute=ports.clock())
    return rollouts.follow(ports, endpoint.workspace_id, endpoint.id)


def actions(ports: MemoryPorts, endpoint: Endpoint) -> Iterator[str]:
    for event in endpoint_records.list_history(ports, endpoint, limit=100)[0]:
        yield event.action


def ref_of(endpoint: Endpoint) -> str | None:
    return endpoint.serving.ref if endpoint.serving else None


def test_a_canary_goes_on_by_steps_and_is_promoted(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    endpoint = roll_out(ports, principal)
    assert (endpoint.status, ref_of(endpoint)) == (EndpointStatus.ROLLING_OUT, "adult@1")
    assert endpoint.rollout is not None
    assert (endpoint.rollout.model.ref, endpoint.rollout.percent) == ("adult@2", 10)
    assert endpoint.status_reason == "adult@2 answers 10 % of the requests."
    percents = []
    while endpoint.rollout is not None:
        percents.append(endpoint.rollout.percent)
        clock.advance(59)
        assert count(ports, endpoint, requests=10).revision == endpoint.revision, "not due yet"
        clock.advance(1)
        endpoint = rollouts.follow(ports, endpoint.workspace_id, endpoint.id)
    assert percents == [10, 50, 90]
    assert (endpoint.status, ref_of(endpoint), endpoint.status_reason) == (EndpointStatus.READY, "adult@2", None)
    assert endpoint.previous is not None
    assert endpoint.previous.ref == "adult@1"
    wanted = ["promoted", "rollout_step", "rollout_step", "rollout_started", "updating", "deployed", "created"]
    assert list(actions(ports, endpoint)) == wanted


def test_the_share_is_shifted_by_hand_and_goes_on_by_steps_from_there(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    with pytest.raises(ConflictError, match="not being rolled out"):
        update(ports, principal, percent=30)
    rolled_out = roll_out(ports, principal)
    clock.advance(59)
    shifted = update(ports, principal, percent=30)
    assert shifted.rollout is not None
    assert (shifted.rollout.percent, shifted.status) == (30, EndpointStatus.ROLLING_OUT)
    assert shifted.status_reason == "adult@2 answers 30 % of the requests."
    assert rolled_out.rollout is not None
    assert shifted.rollout.id == rolled_out.rollout.id, "what was counted goes on"
    clock.advance(2)
    assert count(ports, shifted, requests=10).rollout == shifted.rollout, "a minute begins with the shift"
    clock.advance(58)
    stepped = count(ports, shifted, requests=10)
    assert stepped.rollout is not None
    assert stepped.rollout.percent == 70
    assert list(actions(ports, stepped))[:2] == ["rollout_step", "rollout_shifted"]
    with pytest.raises(ValidationError, match="give one of"):
        EndpointUpdate.model_validate({"percent": 10, "model": "adult@3"})


@pytest.mark.parametrize(
    ("plan", "percents"),
    [
        ({"strategy": "linear", "percent": 30, "every_seconds": 1}, [30, 60, 90]),
        ({"strategy": "canary", "percent": 5, "every_seconds": 1}, [5]),
        ({"strategy": "shadow", "percent": 50, "every_seconds": 1}, [50]),
    ],
)
def test_each_strategy_has_its_steps(
    ports: MemoryPorts, principal: Principal, clock: ManualClock, plan: dict[str, Any], percents: list[float]
) -> None:
    endpoint = roll_out(ports, principal, **plan)
    seen = []
    while endpoint.rollout is not None:
        seen.append(endpoint.rollout.percent)
        clock.advance(1)
        endpoint = count(ports, endpoint, requests=20)
    assert seen == percents
    assert ref_of(endpoint) == "adult@2"


def test_nothing_goes_on_without_traffic_or_without_a_time(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    endpoint = roll_out(ports, principal)
    clock.advance(3_600)
    assert rollouts.follow(ports, endpoint.workspace_id, endpoint.id).revision == endpoint.revision
    rollouts.roll_back(ports, principal, endpoint)
    endpoint = roll_out(ports, principal, percent=10)
    clock.advance(3_600)
    assert count(ports, endpoint, requests=1_000).revision == endpoint.revision
    promoted = rollouts.promote(ports, principal, endpoint)
    assert (promoted.status, ref_of(promoted)) == (EndpointStatus.READY, "adult@2")


def test_g8_a_version_that_fails_is_rolled_back_with_its_figures(ports: MemoryPorts, principal: Principal) -> None:
    endpoint = roll_out(ports, principal)
    assert count(ports, endpoint, requests=9, refused=9).rollout is not None, "those were wrong themselves"
    back = count(ports, endpoint, requests=5, errors=1)
    assert (back.status, back.rollout, ref_of(back)) == (EndpointStatus.READY, None, "adult@1")
    assert back.status_reason is not None
    assert back.status_reason.startswith("Rolled back from adult@2 at 10 % to adult@1. 1 of 5 requests failed on it")
    (event, *_), _ = endpoint_records.list_history(ports, back, limit=1)
    assert (event.action, event.model, event.reason) == ("rolled_back", "adult@2", back.status_reason)
    assert event.counts is not None
    assert (event.counts.candidate.errors, event.counts.candidate.requests) == (1, 14), "the error budget"
    assert event.created_by == "platform:rollouts"
    assert count_again(ports, endpoint) == back, "idempotent"


def count_again(ports: MemoryPorts, endpoint: Endpoint) -> Endpoint:
    return rollouts.follow(ports, endpoint.workspace_id, endpoint.id)


def test_another_rollout_of_the_same_version_begins_anew(ports: MemoryPorts, principal: Principal) -> None:
    count(ports, roll_out(ports, principal), requests=10, errors=5)
    endpoint = roll_out(ports, principal)
    assert count(ports, endpoint, requests=10).rollout == endpoint.rollout


def of(num: int, milliseconds: float = 1.0, **amounts: int) -> RolloutCounts:
    """What a new version has done."""
    latencies = [0] * (len(BOUNDS_MS) + 1)
    latencies[bucket_of(milliseconds)] = num
    return RolloutCounts(candidate=Counts(requests=num, latencies=latencies, **amounts))


@pytest.mark.parametrize(
    ("guards", "counts", "words"),
    [
        ({"max_error_rate": 0.1}, of(20, errors=2), None),
        ({"max_error_rate": 0.1}, of(20, errors=3), "3 of 20 requests failed on it, and at most 10.00% may"),
        ({"max_error_rate": 0.1}, of(4, errors=2), None),
        ({"max_error_rate": 0.1}, of(4, errors=3), "3 of 4 requests failed"),
        ({"max_error_rate": None}, of(100, errors=100), None),
        ({"max_p95_ms": 50}, of(20, 40), None),
        ({"max_p95_ms": 50}, of(20, 400), "95 % of its answers take up to 396 ms, and at most 50 ms is allowed"),
        ({"max_p95_ms": 50}, of(19, 400), None),
        ({"max_disagreement": 0.05}, of(20, compared=100, disagreed=5), None),
        ({"max_disagreement": 0.05}, of(20, compared=100, disagreed=6), r"6 of 100 rows \(6.0%\), and at most 5.0%"),
        ({"max_disagreement": 0.05}, of(20), None),
    ],
)
def test_guards_say_what_is_broken(guards: dict[str, Any], counts: RolloutCounts, words: str | None) -> None:
    fault = rollouts.judge(Guards.model_validate(guards), counts)
    if words is None:
        assert fault is None
    else:
        with pytest.raises(AssertionError, match=words):
            raise AssertionError(fault)


def test_the_reconciler_follows_where_no_event_came(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    endpoint = roll_out(ports, principal)
    counted = endpoint_counters.to_counted(endpoint, endpoint.rollout.model) if endpoint.rollout else None
    assert counted is not None
    endpoint_counters.add(ports, counted, Counts(requests=10, errors=9), minute=clock())
    clock.advance(1)
    assert reconciler.run(ports).rollouts == 1
    assert find(ports, principal).rollout is None
    assert reconciler.run(ports).rollouts == 0


def test_a_rollback_brings_back_what_served_at_once_and_can_be_taken_back(
    ports: MemoryPorts, principal: Principal
) -> None:
    endpoint = find(ports, principal)
    with pytest.raises(ConflictError, match="there is nothing to roll back to"):
        rollouts.roll_back(ports, principal, endpoint)
    waiting = update(ports, principal, model="adult@2")
    endpoints.activate(ports, waiting.workspace_id, waiting.id)
    back = rollouts.roll_back(ports, principal, find(ports, principal))
    assert (back.status, ref_of(back)) == (EndpointStatus.READY, "adult@1")
    assert back.status_reason == "Rolled back from adult@2 to adult@1."
    assert models.get_version(ports, principal, "adult", 1).endpoints == [back.id]
    assert models.get_version(ports, principal, "adult", 2).endpoints == []
    assert ref_of(rollouts.roll_back(ports, principal, back)) == "adult@2"


def test_a_rollback_ends_an_update_or_a_rollout_that_is_under_way(ports: MemoryPorts, principal: Principal) -> None:
    waiting = update(ports, principal, model="adult@2", rollout=CANARY)
    back = rollouts.roll_back(ports, principal, waiting)
    assert (back.status, back.candidate, back.plan, ref_of(back)) == (EndpointStatus.READY, None, None, "adult@1")
    assert endpoints.activate(ports, back.workspace_id, back.id) == back, "the event of the update comes late"
    back = rollouts.roll_back(ports, principal, roll_out(ports, principal))
    assert (back.status, back.rollout, ref_of(back)) == (EndpointStatus.READY, None, "adult@1")


def test_g9_a_version_that_is_rolled_out_cannot_be_deleted_and_one_that_was_replaced_can(
    ports: MemoryPorts, principal: Principal
) -> None:
    endpoint = roll_out(ports, principal)
    for number in (1, 2):
        with pytest.raises(ConflictError, match="is held by the endpoints"):
            models.delete_version(ports, principal, "adult", number)
    promoted = rollouts.promote(ports, principal, endpoint)
    models.delete_version(ports, principal, "adult", 1)
    with pytest.raises(ConflictError, match="adult@1, which served before, was deleted"):
        rollouts.roll_back(ports, principal, promoted)


def test_what_cannot_be_rolled_out_is_refused(ports: MemoryPorts, principal: Principal) -> None:
    with pytest.raises(ConflictError, match="serves adult@1 already"):
        update(ports, principal, model="adult@1", rollout=CANARY)
    endpoint = roll_out(ports, principal)
    with pytest.raises(ConflictError, match=r"adult@2 gets 10 % of the requests\. Promote it or roll it back first"):
        update(ports, principal, model="adult@3")
    rollouts.roll_back(ports, principal, endpoint)
    with pytest.raises(ConflictError, match="nothing to promote"):
        rollouts.promote(ports, principal, find(ports, principal))


@pytest.mark.parametrize(
    "plan",
    [
        {"percent": 0},
        {"percent": 101},
        {"step_percent": 10},
        {"strategy": "linear"},
        {"strategy": "shadow", "step_percent": 10, "every_seconds": 60},
        {"every_seconds": 0},
        {"guards": {"max_error_rate": 2}},
        {"guards": {"max_p95": 1}},
        {"strategy": "blue-green"},
    ],
)
def test_bad_plans_are_refused(plan: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RolloutPlan.model_validate(plan)


def test_settings_are_versioned_and_each_can_be_brought_back(ports: MemoryPorts, principal: Principal) -> None:
    update(ports, principal, settings={"threshold": 0.7})
    changed = update(ports, principal, settings={"threads": 2})
    assert (changed.status, changed.settings.version, changed.settings.threshold) == (EndpointStatus.READY, 3, 0.7)
    assert update(ports, principal, settings={"threads": 2}).revision == changed.revision, "nothing changes"
    back = endpoint_settings.revert(ports, principal, changed, version=None)
    assert (back.settings.version, back.settings.threshold, back.settings.threads) == (4, 0.7, 1)
    first = endpoint_settings.revert(ports, principal, back, version=1)
    assert (first.settings.version, first.settings.threshold) == (5, None)
    again = endpoint_settings.revert(ports, principal, first, version=3)
    assert (again.settings.threshold, again.settings.threads) == (0.7, 2)
    with pytest.raises(NotFoundError, match="there is no version 9 to go back to"):
        endpoint_settings.revert(ports, principal, again, version=9)


@pytest.mark.parametrize("settings", [{"batching": {"max_rows": 8}}, {"fan_out": {"quorum": 1}}])
def test_settings_that_would_have_no_effect_are_refused(
    ports: MemoryPorts, principal: Principal, settings: dict[str, Any]
) -> None:
    (name,) = settings
    with pytest.raises(InvalidRequestError, match=f"runs on the engine lambda.* set {name} to null first") as caught:
        update(ports, principal, settings=settings)
    assert [detail.location for detail in caught.value.details] == [f"body.settings.{name}"]


def test_settings_that_the_next_version_cannot_have_are_told_before_it_serves(
    ports: MemoryPorts, principal: Principal
) -> None:
    regression = SIGNATURE.model_copy(update={"task": Task.REGRESSION, "labels": None})
    make_model(ports, principal, signature=regression)
    update(ports, principal, settings={"threshold": 0.7})
    with pytest.raises(InvalidRequestError, match=r"has a threshold of 0\.7, and adult@4 is a regression model"):
        update(ports, principal, model="adult@4")
    update(ports, principal, settings={"threshold": None})
    waiting = update(ports, principal, model="adult@4")
    assert ref_of(endpoints.activate(ports, waiting.workspace_id, waiting.id)) == "adult@4"
    with pytest.raises(InvalidRequestError, match="Set threshold to null first"):
        update(ports, principal, settings={"threshold": 0.7})
