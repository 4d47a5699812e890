"""Runs of sources: one at a time, each tick once, and what their ends mean."""

from datetime import timedelta
from typing import Any

import pytest

from aimass_core.domain import keys
from aimass_core.domain.common import Role
from aimass_core.domain.jobs import CollectSpec, JobStatus
from aimass_core.domain.settings.contract import SettingsUpdate, Subsystem
from aimass_core.domain.sources import (
    CollectionPolicy,
    RunCreate,
    SecretValue,
    Source,
    SourceRecord,
    SourceState,
    SourceStatus,
    SourceUpdate,
)
from aimass_core.errors import ConflictError, QuotaExceededError
from aimass_core.ports import WriteConflictError
from aimass_core.services import (
    dispatch,
    jobs,
    notifications,
    records,
    settings,
    source_leases,
    source_runs,
    source_states,
    sources,
)
from tests.factories.platform import LIMITS, ManualClock, new_ports, new_principal, reload
from tests.factories.sources import add_source, end_run, start_run

MANY = 40


class World:
    """A source that is read each hour."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ports = new_ports(self.clock)
        self.owner = new_principal()
        self.source = add_source(self.ports, self.owner, schedule="rate(1 hour)")

    def look(self) -> Source:
        return sources.get(self.ports, self.owner, self.source.id)

    def tick(self) -> source_runs.Ticked:
        return source_runs.tick(self.ports)

    def runs(self) -> int:
        return len(source_runs.list_page(self.ports, self.owner, "orders", limit=MANY)[0])


@pytest.fixture
def world() -> World:
    return World()


def test_run_is_a_job_that_names_its_source(world: World) -> None:
    job = source_runs.submit(world.ports, world.owner, "orders", RunCreate(streams=["a"], full_refresh=True))
    assert isinstance(job.spec, CollectSpec)
    assert (job.spec.source, job.spec.streams, job.spec.full_refresh) == (world.source.id, ["a"], True)
    assert job.status is JobStatus.SUBMITTED
    assert world.look().last_job_id == job.id
    assert [run.id for run in source_runs.list_page(world.ports, world.owner, "orders", limit=MANY)[0]] == [job.id]


def test_b6_one_run_at_a_time(world: World) -> None:
    job = start_run(world.ports, world.owner, world.source)
    with pytest.raises(ConflictError, match=f"is being read by {job.id}"):
        start_run(world.ports, world.owner, world.source)
    end_run(world.ports, job)
    assert start_run(world.ports, world.owner, world.source).id != job.id


def test_b6_schedulers_that_meet_in_a_tick_start_one_run(world: World) -> None:
    """The second scheduler comes at every moment of the first one's work: before each of its writes."""
    world.clock.advance(3600)
    registry, write = world.ports.registry, world.ports.registry.write
    met: list[source_runs.Ticked] = []

    def write_after_the_other(*writes: object) -> None:
        registry.write = write  # type: ignore[method-assign]
        met.append(world.tick())
        write(*writes)  # type: ignore[arg-type]

    registry.write = write_after_the_other  # type: ignore[assignment]
    first = world.tick()
    assert (first.started, met[0].started) == (0, 1)
    assert (first.faults, met[0].faults) == (0, 0)
    assert world.runs() == 1
    assert world.tick() == source_runs.Ticked()


def test_b6_a_missed_day_is_caught_up_with_one_run(world: World) -> None:
    world.clock.advance(86_400)
    assert world.tick().started == 1
    assert world.look().next_run_at == world.clock() + timedelta(hours=1)
    assert world.tick() == source_runs.Ticked()
    assert world.runs() == 1


def test_b6_tick_waits_for_a_run_that_goes_on(world: World) -> None:
    job = start_run(world.ports, world.owner, world.source)
    world.clock.advance(3600)
    assert world.tick() == source_runs.Ticked(skipped=1)
    assert world.look().next_run_at == world.clock() + timedelta(hours=1)
    end_run(world.ports, job)
    world.clock.advance(3600)
    assert world.tick().started == 1


def test_b6_a_run_that_was_given_up_is_fenced(world: World) -> None:
    former = start_run(world.ports, world.owner, world.source)
    record = records.get(world.ports, SourceRecord, world.owner.workspace_id, world.source.id)
    state = source_states.write(record, SourceState(streams={"a": {"id": 7}}), expected=0)
    fence = source_leases.fence(world.ports, former)
    end_run(world.ports, former, failure="lost")
    start_run(world.ports, world.owner, world.source)
    with pytest.raises(WriteConflictError):
        world.ports.registry.write(fence, state)
    with pytest.raises(source_leases.LeaseTakenError):
        source_leases.fence(world.ports, former)
    assert source_states.load(world.ports, record) == (SourceState(), 0)


def test_failed_run_degrades_its_source_and_a_good_one_heals_it(world: World) -> None:
    end_run(world.ports, start_run(world.ports, world.owner, world.source), failure="unavailable")
    assert world.look().status is SourceStatus.DEGRADED
    assert world.look().status_reason == "The source answered 401."
    world.clock.advance(3600)
    assert world.tick().started == 1
    job = source_runs.list_page(world.ports, world.owner, "orders", limit=1)[0][0]
    from aimass_core.services import dispatch

    end_run(world.ports, dispatch.dispatch(world.ports, job.workspace_id, job.id))
    assert (world.look().status, world.look().status_reason) == (SourceStatus.ACTIVE, None)


def test_b11_refused_secret_stops_the_schedule_until_it_is_set_anew(world: World) -> None:
    end_run(world.ports, start_run(world.ports, world.owner, world.source), failure="auth_failed")
    assert (world.look().status, world.look().next_run_at) == (SourceStatus.AUTH_FAILED, None)
    world.clock.advance(86_400)
    assert world.tick() == source_runs.Ticked()
    with pytest.raises(ConflictError, match="aimass sources secrets set orders"):
        start_run(world.ports, world.owner, world.source)
    sources.set_secret(world.ports, world.owner, "orders", "token", SecretValue(value="new"))
    assert (world.look().status, world.look().next_run_at) == (
        SourceStatus.ACTIVE,
        world.clock() + timedelta(hours=1),
    )
    assert start_run(world.ports, world.owner, world.source)


def test_end_whose_event_was_lost_is_seen_at_the_next_tick(world: World) -> None:
    job = start_run(world.ports, world.owner, world.source)
    jobs.stop(world.ports, world.owner, job.id)
    from aimass_core.domain.jobs import Failure
    from aimass_core.services import job_states

    job_states.change(
        world.ports,
        job.workspace_id,
        job.id,
        lambda _: {"status": JobStatus.FAILED, "failure": Failure(code="lost", cause="It was lost.")},
    )
    assert reload(world.ports, job).status is JobStatus.FAILED
    assert world.look().status is SourceStatus.ACTIVE
    world.clock.advance(3600)
    assert world.tick().started == 1
    assert world.look().status is SourceStatus.DEGRADED


def test_paused_source_is_not_read(world: World) -> None:
    assert sources.pause(world.ports, world.owner, "orders").next_run_at is None
    world.clock.advance(86_400)
    assert world.tick() == source_runs.Ticked()
    with pytest.raises(ConflictError, match="aimass sources resume orders"):
        start_run(world.ports, world.owner, world.source)
    assert sources.resume(world.ports, world.owner, "orders").next_run_at == world.clock() + timedelta(hours=1)


def test_policy_may_change_while_a_run_goes_on(world: World) -> None:
    job = start_run(world.ports, world.owner, world.source)
    changed = sources.update(
        world.ports,
        world.owner,
        "orders",
        SourceUpdate(policy=CollectionPolicy(schedule="rate(5 minutes)")),
        revision=world.source.revision,
    )
    assert changed.next_run_at == world.clock() + timedelta(minutes=5)
    end_run(world.ports, job)
    assert world.look().revision == changed.revision, "a run never changes what its owners define"
    former, _ = sources.list_revisions(world.ports, world.owner, "orders", limit=MANY)
    assert [each.policy.schedule for each in former] == ["rate(1 hour)"]


def test_full_quota_keeps_a_source_due_and_no_other_one_from_it(world: World) -> None:
    other = new_principal()
    add_source(world.ports, other, "others", schedule="rate(1 hour)")
    add_source(world.ports, world.owner, "second", schedule="rate(1 hour)")
    world.clock.advance(3600)
    world.ports.deployment_settings = {"quotas": {"max_jobs_active": 1}}
    assert source_runs.tick(world.ports) == source_runs.Ticked(started=2, faults=1)
    with pytest.raises(QuotaExceededError):
        source_runs.submit(world.ports, world.owner, "second", RunCreate())


def test_state_is_reset_only_while_nothing_runs(world: World) -> None:
    job = start_run(world.ports, world.owner, world.source)
    record = records.get(world.ports, SourceRecord, world.owner.workspace_id, world.source.id)
    state = SourceState(streams={"a": {"id": 7}})
    world.ports.registry.write(source_leases.fence(world.ports, job), source_states.write(record, state, expected=0))
    assert source_states.get(world.ports, world.owner, "orders") == state
    with pytest.raises(ConflictError, match="is being read"):
        source_states.reset(world.ports, world.owner, "orders")
    end_run(world.ports, job)
    source_states.reset(world.ports, world.owner, "orders")
    source_states.reset(world.ports, world.owner, "orders")
    assert source_states.get(world.ports, world.owner, "orders") == SourceState()


def test_retry_of_a_run_names_the_way(world: World) -> None:
    job = end_run(world.ports, start_run(world.ports, world.owner, world.source), failure="x")
    with pytest.raises(ConflictError, match="aimass sources run"):
        jobs.retry(world.ports, world.owner, job.id, limits=LIMITS)


def test_deleted_source_leaves_nothing_but_its_history(world: World) -> None:
    job = start_run(world.ports, world.owner, world.source)
    with pytest.raises(ConflictError, match="is being read"):
        sources.delete(world.ports, world.owner, "orders")
    end_run(world.ports, job)
    sources.set_secret(world.ports, world.owner, "orders", "token", SecretValue(value="s3cret"))
    sources.delete(world.ports, world.owner, "orders")
    assert world.ports.secrets.values == {}
    rows = world.ports.registry.query(keys.partition(world.owner.workspace_id), "", limit=1_000).rows
    left = {row.key.sort.split("#")[0] for row in rows if world.source.id in row.key.sort}
    assert left == {"SOURCE_RUN", "SOURCE_REVISION"}
    world.clock.advance(86_400)
    assert world.tick() == source_runs.Ticked()


def set_collection(world: World, **values: Any) -> None:
    admin = world.owner.model_copy(update={"role": Role.ADMIN})
    revision = settings.get(world.ports, admin, Subsystem.COLLECTION).revision
    settings.update(world.ports, admin, Subsystem.COLLECTION, SettingsUpdate(values=values), revision=revision)


def test_schedules_that_are_off_begin_nothing_and_go_on_afterwards(world: World) -> None:
    set_collection(world, schedules_enabled=False)
    world.clock.advance(3_600)
    assert world.tick() == source_runs.Ticked(skipped=1)
    assert world.tick() == source_runs.Ticked(), "it keeps no other source from its turn"
    set_collection(world, schedules_enabled=None)
    world.clock.advance(3_600)
    assert world.tick() == source_runs.Ticked(started=1)


@pytest.mark.parametrize("schedule", ["rate(5 minutes)", "cron(*/5 * * * *)"])
def test_no_schedule_begins_runs_closer_to_each_other_than_the_workspace_wants(world: World, schedule: str) -> None:
    add_source(world.ports, world.owner, "hasty", schedule=schedule)
    set_collection(world, min_interval_minutes=30)
    begun = 0
    for _ in range(120):
        world.clock.advance(60)
        world.tick()
        runs, _ = source_runs.list_page(world.ports, world.owner, "hasty", limit=MANY)
        for job in runs:
            if job.status is JobStatus.SUBMITTED:
                begun += 1
                end_run(world.ports, dispatch.dispatch(world.ports, job.workspace_id, job.id))
    assert begun == 4


def test_as_many_runs_go_on_as_the_workspace_wants(world: World) -> None:
    add_source(world.ports, world.owner, "second", schedule="rate(1 hour)")
    set_collection(world, max_runs_active=1)
    world.clock.advance(3_600)
    assert world.tick() == source_runs.Ticked(started=1, faults=1)
    with pytest.raises(QuotaExceededError, match="at most 1 are allowed"):
        source_runs.submit(world.ports, world.owner, "second", RunCreate())


def test_failing_source_is_told_once_until_it_is_mended(world: World) -> None:
    for failure in ("x", "x", None, None, "x"):
        end_run(world.ports, start_run(world.ports, world.owner, world.source), failure=failure)
    told, _ = notifications.list_page(world.ports, world.owner, limit=10)
    assert [each.type.value for each in reversed(told)] == ["source.failing", "source.mended", "source.failing"]
    assert {each.subject.name for each in told} == {"orders"}
