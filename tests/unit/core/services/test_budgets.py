"""Budgets: what is spent of them, who is refused when one is spent, and what a runaway can cost at most."""

from datetime import timedelta

import pytest

from aimass_core.adapters.memory import MemoryPorts, MemoryPredictor
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.costs import BudgetStatus
from aimass_core.domain.endpoints import EndpointCreate, EndpointStatus
from aimass_core.domain.engines import HostStatus
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.queries import QueryCreate
from aimass_core.domain.settings.contract import SettingsUpdate, Subsystem
from aimass_core.errors import BudgetSpentError
from aimass_core.services import (
    budget_stops,
    budgets,
    costs,
    dispatch,
    endpoints,
    jobs,
    prices,
    queries,
    reconciler,
    settings,
)
from tests.factories.platform import (
    GOLDEN,
    LIMITS,
    ManualClock,
    add_dataset,
    add_job,
    add_version,
    make_model,
    new_ports,
    new_principal,
    tell,
    train_request,
)
from tests.unit.core.services.test_hosting import CONTAINER

RATE = prices.rate_of(train_request()) or 0.0


@pytest.fixture
def ports(clock: ManualClock, owner: Principal) -> MemoryPorts:
    made = new_ports(clock)
    made.predictor = MemoryPredictor(lambda _: {"outputs": GOLDEN.outputs})
    add_version(made, owner, add_dataset(made, owner))
    return made


def set_quotas(ports: MemoryPorts, owner: Principal, **values: object) -> None:
    revision = settings.get(ports, owner, Subsystem.QUOTAS).revision
    request = SettingsUpdate.model_validate({"values": values})
    settings.update(ports, owner, Subsystem.QUOTAS, request, revision=revision)


def run_for(ports: MemoryPorts, owner: Principal, clock: ManualClock, *, hours: float) -> Job:
    """A job that fails after a while."""
    job = dispatch.dispatch(ports, owner.workspace_id, add_job(ports, owner).id)
    job = tell(ports, job, JobStatus.RUNNING)
    clock.advance(hours * 3_600)
    return tell(ports, job, JobStatus.FAILED, exit_code=1)


def test_a_budget_goes_from_ok_over_warned_to_spent(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    assert budgets.get(ports, owner).status is BudgetStatus.NONE
    set_quotas(ports, owner, monthly_budget_usd=10 * RATE)
    seen = []
    for _ in range(10):
        run_for(ports, owner, clock, hours=1)
        seen.append(budgets.get(ports, owner).status)
    assert seen == [BudgetStatus.OK] * 7 + [BudgetStatus.WARNED] * 2 + [BudgetStatus.SPENT]
    budget = budgets.get(ports, owner)
    assert budget.spent_usd == pytest.approx(10 * RATE, rel=1e-3)
    assert (budget.month, budget.percent) == ("2026-11", pytest.approx(100, abs=0.1))
    assert budget.forecast_usd > budget.spent_usd


def test_a_change_of_status_is_written_once_for_whoever_tells_of_it(
    ports: MemoryPorts, owner: Principal, clock: ManualClock
) -> None:
    set_quotas(ports, owner, monthly_budget_usd=RATE, budget_warn_percent=50)
    assert reconciler.run(ports).budgets == 1, "it is OK now"
    assert reconciler.run(ports).budgets == 0
    run_for(ports, owner, clock, hours=0.6)
    assert reconciler.run(ports).budgets == 1
    assert reconciler.run(ports).budgets == 0
    found = budgets.find(ports, owner.workspace_id)
    assert found is not None
    assert (found.status, found.status_since) == (BudgetStatus.WARNED, clock.now)
    clock.advance(60)
    add_job(ports, owner)
    reconciler.run(ports)
    again = budgets.find(ports, owner.workspace_id)
    assert again is not None
    assert again.status_since == found.status_since


def test_what_costs_is_refused_when_a_budget_is_spent_and_free_things_are_not(
    ports: MemoryPorts, owner: Principal, clock: ManualClock
) -> None:
    make_model(ports, owner)
    set_quotas(ports, owner, monthly_budget_usd=0.5 * RATE)
    job = run_for(ports, owner, clock, hours=1)
    budget_stops.run(ports)
    with pytest.raises(BudgetSpentError, match=r"2026-11 is spent.*monthly_budget_usd") as caught:
        add_job(ports, owner)
    assert caught.value.retry_after_seconds == pytest.approx(timedelta(days=7.46).total_seconds(), rel=0.01)
    with pytest.raises(BudgetSpentError):
        jobs.retry(ports, owner, job.id, limits=LIMITS)
    with pytest.raises(BudgetSpentError):
        queries.create(ports, owner, QueryCreate(sql="select 1 from adult"))
    with pytest.raises(BudgetSpentError):
        endpoints.create(ports, owner, EndpointCreate(model="adult@1", engine=CONTAINER))
    endpoints.create(ports, owner, EndpointCreate(model="adult@1"))
    other = new_principal(Role.ADMIN)
    add_version(ports, other, add_dataset(ports, other))
    add_job(ports, other)


def test_a_raised_budget_lets_jobs_through_at_once_and_a_new_month_does(
    ports: MemoryPorts, owner: Principal, clock: ManualClock
) -> None:
    set_quotas(ports, owner, monthly_budget_usd=0.5 * RATE)
    run_for(ports, owner, clock, hours=1)
    with pytest.raises(BudgetSpentError):
        add_job(ports, owner)
    set_quotas(ports, owner, monthly_budget_usd=2 * RATE)
    add_job(ports, owner)
    set_quotas(ports, owner, monthly_budget_usd=0.5 * RATE)
    with pytest.raises(BudgetSpentError):
        add_job(ports, owner)
    clock.now = clock.now.replace(month=12, day=1)
    for active in jobs.list_active(ports, owner.workspace_id):
        jobs.stop(ports, owner, active.id)
    add_job(ports, owner)


def test_a_budget_that_stops_nothing_only_tells(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    set_quotas(ports, owner, monthly_budget_usd=0.1 * RATE, budget_stops="nothing")
    run_for(ports, owner, clock, hours=1)
    assert budgets.get(ports, owner).status is BudgetStatus.SPENT
    add_job(ports, owner)


def test_containers_go_down_when_a_budget_is_spent_and_come_back(
    ports: MemoryPorts, owner: Principal, clock: ManualClock
) -> None:
    make_model(ports, owner)
    endpoint = endpoints.create(ports, owner, EndpointCreate(model="adult@1", engine=CONTAINER))

    def start() -> None:
        endpoints.activate(ports, owner.workspace_id, endpoint.id)
        for name in ports.hosting.hosts:
            ports.hosting.set_state(name, HostStatus.READY)

    start()
    start()
    assert endpoints.get(ports, owner, "adult").status is EndpointStatus.READY
    hosts = list(ports.hosting.hosts)
    set_quotas(ports, owner, monthly_budget_usd=0.5, budget_stops="jobs_and_containers")
    for _ in range(200):
        clock.advance(60)
        reconciler.run(ports)
    assert list(ports.hosting.hosts) == []
    spent = budgets.get(ports, owner)
    assert spent.status is BudgetStatus.SPENT
    # A minute of two machines is what the reconciler may be late by.
    assert spent.spent_usd <= 0.5 + 2 * 2 * 0.102 / 60
    set_quotas(ports, owner, monthly_budget_usd=None)
    reconciler.run(ports)
    assert list(ports.hosting.hosts) == hosts


def test_j17_storm_of_retries_costs_no_more_than_the_budget_and_what_runs(
    ports: MemoryPorts, owner: Principal, clock: ManualClock
) -> None:
    """A script submits a job that fails, again and again, four at a time; the reconciler counts each minute."""
    width, minutes_each, budget = 4, 15, 3 * RATE
    set_quotas(ports, owner, monthly_budget_usd=budget)
    running: list[Job] = []
    num_jobs = num_refused = 0
    for _ in range(24 * 60):
        clock.advance(60)
        for job in [each for each in running if clock.now - each.created_at >= timedelta(minutes=minutes_each)]:
            tell(ports, job, JobStatus.FAILED, exit_code=1)
            running.remove(job)
        while len(running) < width:
            try:
                job = add_job(ports, owner)
            except BudgetSpentError:
                num_refused += 1
                break
            running.append(tell(ports, dispatch.dispatch(ports, owner.workspace_id, job.id), JobStatus.RUNNING))
            num_jobs += 1
        budget_stops.run(ports)
    slack = width * minutes_each / 60 * RATE
    spent = costs.spent_of_month(ports, owner.workspace_id)
    assert budget <= spent <= budget + slack + 1e-5
    assert num_refused > 1_000
    assert num_jobs <= (budget + slack) / (RATE * minutes_each / 60)
    assert running == []


def test_j17_triggers_are_held_by_the_budget_too(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    set_quotas(ports, owner, monthly_budget_usd=0.5 * RATE)
    run_for(ports, owner, clock, hours=1)
    with pytest.raises(BudgetSpentError):
        jobs.create_triggered(ports, owner, train_request(), trigger_id="trg", also=lambda _: ())
