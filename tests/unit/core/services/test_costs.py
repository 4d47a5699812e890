"""What a workspace costs: metered once, told by day, kind and cause."""

from datetime import UTC, date, datetime, timedelta

import pytest

from aimass_core.adapters.memory import MemoryPorts, MemoryQueryEngine
from aimass_core.domain.common import Principal
from aimass_core.domain.costs import CostKind
from aimass_core.domain.endpoint_counters import Counts
from aimass_core.domain.endpoints import Endpoint, EndpointCreate
from aimass_core.domain.engines import HostStatus
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.queries import QueryCreate, QueryStatus
from aimass_core.errors import InvalidRequestError
from aimass_core.services import costs, dispatch, endpoint_counters, endpoints, hosting, jobs, prices, queries, records
from tests.factories.platform import (
    ManualClock,
    add_dataset,
    add_job,
    add_version,
    leave_result,
    make_model,
    new_ports,
    new_principal,
    reload,
    tell,
)
from tests.unit.core.services.test_hosting import CONTAINER

HOUR = 3_600.0
BATCH_HOUR = prices.load().machine(jobs.JobCreate.model_fields["compute"].default).usd_per_hour  # type: ignore[union-attr]


@pytest.fixture
def ports(clock: ManualClock, owner: Principal) -> MemoryPorts:
    made = new_ports(clock)
    add_version(made, owner, add_dataset(made, owner))
    return made


def begin(ports: MemoryPorts, owner: Principal) -> Job:
    job = dispatch.dispatch(ports, owner.workspace_id, add_job(ports, owner).id)
    return tell(ports, job, JobStatus.RUNNING)


def end(ports: MemoryPorts, job: Job) -> Job:
    leave_result(ports, job)
    return tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)


def usd_of(ports: MemoryPorts, owner: Principal, kind: CostKind) -> float:
    return costs.get(ports, owner, kind=kind).by_kind[kind]


def test_a_job_costs_its_seconds_on_the_day_on_which_it_ends(
    ports: MemoryPorts, owner: Principal, clock: ManualClock
) -> None:
    clock.now = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    job = begin(ports, owner)
    clock.advance(HOUR / 4)
    assert usd_of(ports, owner, CostKind.JOBS) == pytest.approx(BATCH_HOUR / 4, abs=1e-5)
    clock.advance(HOUR * 3 / 4)
    end(ports, job)
    clock.advance(5 * HOUR)
    found = costs.get(ports, owner, kind=CostKind.JOBS)
    (line,) = found.lines
    assert (line.subject_id, line.name, line.unit) == (job.id, "train adult@1", "machine seconds")
    assert (line.quantity, line.is_estimate) == (HOUR, True)
    assert found.usd == pytest.approx(BATCH_HOUR, abs=1e-5)
    assert {day.date: day.usd for day in found.days if day.usd} == {date(2026, 11, 24): found.usd}
    assert len(found.days) == 24


def test_a_job_that_never_ran_costs_nothing(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    job = add_job(ports, owner)
    clock.advance(HOUR)
    jobs.stop(ports, owner, job.id)
    assert costs.get(ports, owner, kind=CostKind.JOBS).lines == []


def test_an_end_that_is_told_twice_is_counted_once(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    job = begin(ports, owner)
    clock.advance(HOUR)
    end(ports, job)
    tell(ports, reload(ports, job), JobStatus.SUCCEEDED, exit_code=0)
    assert costs.get(ports, owner, kind=CostKind.JOBS).num_lines == 1


def test_queries_cost_what_they_read_also_when_they_are_forgotten(
    ports: MemoryPorts, owner: Principal, clock: ManualClock
) -> None:
    engine = ports.query_engine
    assert isinstance(engine, MemoryQueryEngine)
    query = queries.create(ports, owner, QueryCreate(sql="select count(*) from adult"))
    engine.set_state(query.execution_id, QueryStatus.SUCCEEDED, scanned_bytes=2 * 1024**4)
    queries.get(ports, owner, query.id)
    queries.get(ports, owner, query.id)
    (line,) = costs.get(ports, owner, kind=CostKind.QUERIES).lines
    assert (line.usd, line.quantity, line.is_estimate) == (10.0, 2 * 1024**4, False)
    assert line.name == "adult@1"


def test_containers_are_counted_minute_by_minute_and_over_midnight(
    ports: MemoryPorts, owner: Principal, clock: ManualClock
) -> None:
    make_model(ports, owner)
    clock.now = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
    endpoint = endpoints.create(ports, owner, EndpointCreate(model="adult@1", engine=CONTAINER))
    endpoints.activate(ports, owner.workspace_id, endpoint.id)
    for name in ports.hosting.hosts:
        ports.hosting.set_state(name, HostStatus.READY)
    for _ in range(240):
        clock.advance(60)
        hosting.sweep(ports)
        hosting.sweep(ports)
    found = costs.get(ports, owner, kind=CostKind.ENDPOINTS)
    (line,) = found.lines
    # Two machines; the first count only begins.
    assert line.quantity == 2 * 239 * 60
    assert found.usd == pytest.approx(2 * 239 / 60 * 0.102, abs=1e-5)
    by_day = {day.date.day: day.usd for day in found.days if day.usd}
    assert by_day[23] == pytest.approx(by_day[24] * 118 / 121, rel=0.02)
    endpoints.delete(ports, owner, endpoint.id)
    assert costs.get(ports, owner, kind=CostKind.ENDPOINTS).usd == found.usd, "what was used stays used"


def test_predictions_cost_their_time_and_their_number(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    make_model(ports, owner)
    endpoint = records.get(
        ports, Endpoint, owner.workspace_id, endpoints.create(ports, owner, EndpointCreate(model="adult@1")).id
    )
    assert endpoint.candidate is not None
    version = endpoint_counters.to_counted(endpoint, endpoint.candidate)
    counts = Counts(requests=1_000_000, microseconds=int(3_600e6))
    endpoint_counters.add(ports, version, counts, minute=clock.now - timedelta(minutes=5))
    (line,) = costs.get(ports, owner, kind=CostKind.PREDICTIONS).lines
    table = prices.load()
    wanted = 1e6 * table.lambda_usd_per_request + 3_600 * 2 * table.lambda_usd_per_gib_second
    assert (line.name, line.quantity, line.is_estimate) == ("adult", 1_000_000, True)
    assert line.usd == pytest.approx(wanted, abs=1e-5)


def test_what_is_kept_costs_each_day_since_it_came(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    dataset = add_dataset(ports, owner, name="large")
    version = add_version(ports, owner, dataset)
    records.save(ports, version, dataset.id, 1, num_bytes=100 * 1024**3)
    clock.advance(2 * 86_400)
    found = costs.get(ports, owner, kind=CostKind.STORAGE)
    line = found.lines[0]
    assert (line.subject_id, line.name, line.unit) == (dataset.id, "large", "GiB days")
    assert line.quantity == pytest.approx(300, rel=1e-3)
    assert found.usd == pytest.approx(300 / 30 * 0.023, rel=1e-3)
    assert [day.date.day for day in found.days if day.usd > 0.01] == [23, 24, 25]


def test_what_was_imported_costs_since_it_came(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    dataset = add_dataset(ports, owner, name="large")
    version = add_version(ports, owner, dataset)
    imported_at = clock() + timedelta(days=2)
    records.save(ports, version, dataset.id, 1, num_bytes=100 * 1024**3, imported_at=imported_at)
    clock.advance(2 * 86_400)
    found = costs.get(ports, owner, kind=CostKind.STORAGE)
    assert [day.date.day for day in found.days if day.usd > 0.01] == [25]


def test_h2_costs_are_of_the_workspace(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    job = begin(ports, owner)
    clock.advance(HOUR)
    end(ports, job)
    assert costs.get(ports, new_principal()).usd == 0


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [(date(2026, 11, 2), date(2026, 11, 1), "comes after"), (date(2026, 1, 1), date(2026, 11, 1), "at most 92")],
)
def test_days_that_make_no_sense_are_refused(
    ports: MemoryPorts, owner: Principal, since: date, until: date, words: str
) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        costs.get(ports, owner, since=since, until=until)
