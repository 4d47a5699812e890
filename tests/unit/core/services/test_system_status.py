"""How the platform does: from figures to the health of its four centres."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal
from aimass_core.domain.system import CentreName, Health
from aimass_core.ports import FunctionFigures, JobQueueState, Letter, QueueFigures, RaisedAlarm
from aimass_core.services import api_keys, jobs, reconciler, system_status, workspaces
from tests.factories.platform import LIMITS, ManualClock, add_dataset, add_version, train_request

Break = Callable[[MemoryPorts], None]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ports(clock: ManualClock) -> MemoryPorts:
    made = MemoryPorts(clock=clock)
    reconciler.run(made)
    return made


@pytest.fixture
def admin(ports: MemoryPorts) -> Principal:
    _, token = workspaces.create_first(ports, name="team")
    return api_keys.authenticate(ports, token)


def unwell(ports: MemoryPorts, admin: Principal) -> dict[CentreName, tuple[Health, str]]:
    found = system_status.get(ports, admin).centres
    assert [centre.name for centre in found] == list(CentreName)
    return {each.name: (each.health, " ".join(each.reasons)) for each in found if each.health is not Health.OK}


def test_all_is_well(ports: MemoryPorts, admin: Principal) -> None:
    ports.watch.figures = {"api": FunctionFigures(num_invocations=10, num_errors=0, num_throttles=0, p95_ms=12.5)}
    status = system_status.get(ports, admin)
    assert unwell(ports, admin) == {}
    api = next(function for function in status.functions if function.name == "api")
    assert (api.num_invocations, api.p95_ms, api.centre) == (10, 12.5, CentreName.MANAGEMENT)
    assert status.reconciler is not None
    assert (status.reconciler.num_faults, status.compute.queue_state) == (0, "ENABLED")


def _fail(name: str, num_errors: int) -> Break:
    def change(ports: MemoryPorts) -> None:
        ports.watch.figures = {name: FunctionFigures(num_invocations=10, num_errors=num_errors)}

    return change


def _throttle(ports: MemoryPorts) -> None:
    ports.watch.figures = {"predictions": FunctionFigures(num_invocations=1, num_errors=0, num_throttles=3)}


def _let_files_wait(ports: MemoryPorts) -> None:
    ports.watch.queue = QueueFigures(num_waiting=3, num_in_flight=0, oldest_seconds=1_200)


def _leave_a_letter(ports: MemoryPorts) -> None:
    letter = Letter(id="1", receipt="1", body="{}", sent_at=datetime(2026, 1, 1, tzinfo=UTC), attributes={})
    ports.dead_letters.letters["job_events"] = [letter]


def _disable(ports: MemoryPorts) -> None:
    ports.watch.job_queue = JobQueueState(state="ENABLED", status="INVALID", reason="no compute environment")


@pytest.mark.parametrize(
    ("break_it", "centre", "health", "words"),
    [
        (_fail("ingest", 1), CentreName.COLLECTION, Health.DEGRADED, "ingest failed 1 of 10 times"),
        (_fail("predictions", 6), CentreName.INFERENCE, Health.DOWN, "predictions failed 6 of 10 times"),
        (_fail("authorizer", 10), CentreName.MANAGEMENT, Health.DOWN, "authorizer failed"),
        (_throttle, CentreName.INFERENCE, Health.DEGRADED, "throttled"),
        (_let_files_wait, CentreName.COLLECTION, Health.DEGRADED, "waited for 20 minutes"),
        (_leave_a_letter, CentreName.TRAINING, Health.DEGRADED, "job_events"),
        (_disable, CentreName.TRAINING, Health.DOWN, "no compute environment"),
    ],
)
def test_what_is_broken_is_said_where_it_matters(
    ports: MemoryPorts, admin: Principal, break_it: Break, centre: CentreName, health: Health, words: str
) -> None:
    break_it(ports)
    found = unwell(ports, admin)
    assert set(found) == {centre}
    assert found[centre][0] is health
    assert words in found[centre][1]


def test_a_reconciler_that_is_silent_is_missed(ports: MemoryPorts, clock: ManualClock, admin: Principal) -> None:
    clock.advance(system_status.SILENT_AFTER.total_seconds() + 1)
    assert "it should each minute" in unwell(ports, admin)[CentreName.MANAGEMENT][1]
    reconciler.run(ports)
    assert unwell(ports, admin) == {}


def test_a_reconciler_that_never_ran_is_missed(clock: ManualClock) -> None:
    ports = MemoryPorts(clock=clock)
    _, token = workspaces.create_first(ports, name="team")
    admin = api_keys.authenticate(ports, token)
    health, words = unwell(ports, admin)[CentreName.MANAGEMENT]
    assert (health, "for the first time" in words) == (Health.STARTING, True), "it is new"
    clock.advance(system_status.SILENT_AFTER.total_seconds() + 1)
    health, words = unwell(ports, admin)[CentreName.MANAGEMENT]
    assert (health, "never ran" in words) == (Health.DEGRADED, True)


def test_jobs_are_counted_here_and_altogether(ports: MemoryPorts, clock: ManualClock, admin: Principal) -> None:
    add_version(ports, admin, add_dataset(ports, admin, name="adult"))
    jobs.create(ports, admin, train_request("adult"), limits=LIMITS)
    status = system_status.get(ports, admin)
    assert status.compute.num_jobs == {"SUBMITTED": 1}
    clock.advance(1)
    reconciler.run(ports)
    last = system_status.get(ports, admin).reconciler
    assert last is not None
    assert last.num_jobs == {"SUBMITTED": 1}


def test_alarms_are_listed(ports: MemoryPorts, admin: Principal) -> None:
    since = datetime(2026, 11, 26, tzinfo=UTC) - timedelta(minutes=3)
    ports.watch.alarms = [RaisedAlarm(name="aimass-api-errors", description="The function api fails.", since=since)]
    (alarm,) = system_status.get(ports, admin).alarms
    assert (alarm.name, alarm.since) == ("aimass-api-errors", since)
