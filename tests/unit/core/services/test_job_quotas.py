"""How many jobs one workspace may have and submit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from aimass_core.adapters.memory import MemoryPorts, MemoryRegistry
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Failure, Job
from aimass_core.errors import QuotaExceededError
from aimass_core.ports import Row, Write
from aimass_core.services import job_states, jobs
from aimass_core.services.job_quotas import JobLimits
from tests.factories.platform import ManualClock, add_dataset, add_version, new_principal, train_request

UNLIMITED = 10_000


def member(ports: MemoryPorts) -> Principal:
    """Of a workspace with a dataset."""
    principal = new_principal()
    add_version(ports, principal, add_dataset(ports, principal))
    return principal


def submit(ports: MemoryPorts, principal: Principal, *, max_active: int = UNLIMITED, rate: int = UNLIMITED) -> Job:
    limits = JobLimits(max_active=max_active, max_per_window=rate)
    return jobs.create(ports, principal, train_request(), limits=limits)


def is_taken(ports: MemoryPorts, principal: Principal, **limits: int) -> bool:
    try:
        submit(ports, principal, **limits)
    except QuotaExceededError:
        return False
    return True


def test_c6_active_jobs_of_one_workspace_are_limited_until_some_end(ports: MemoryPorts) -> None:
    principal, other = member(ports), member(ports)
    first, second = submit(ports, principal, max_active=2), submit(ports, principal, max_active=2)
    with pytest.raises(QuotaExceededError, match="2 jobs that have not ended") as caught:
        submit(ports, principal, max_active=2)
    assert caught.value.retry_after_seconds == 60
    submit(ports, other, max_active=2)
    job_states.fail(ports, first.workspace_id, first.id, Failure(code="killed", cause="killed"))
    limits = JobLimits(max_active=2, max_per_window=UNLIMITED)
    jobs.retry(ports, principal, first.id, limits=limits)
    with pytest.raises(QuotaExceededError):
        jobs.retry(ports, principal, first.id, limits=limits)
    jobs.stop(ports, principal, second.id)
    submit(ports, principal, max_active=2)


def test_c6_thousand_submits_in_ten_seconds_are_taken_at_the_rate_of_the_limit(
    ports: MemoryPorts, clock: ManualClock
) -> None:
    greedy, modest = member(ports), member(ports)
    taken = {greedy.workspace_id: 0, modest.workspace_id: 0}
    for number in range(1_000):
        clock.advance(0.01)
        taken[greedy.workspace_id] += is_taken(ports, greedy, rate=50)
        if number % 100 == 0:
            taken[modest.workspace_id] += is_taken(ports, modest, rate=50)
    assert taken == {greedy.workspace_id: 50, modest.workspace_id: 10}


def test_c6_retry_after_is_the_time_after_which_the_next_submit_is_taken(
    ports: MemoryPorts, clock: ManualClock
) -> None:
    principal = member(ports)
    for _ in range(3):
        submit(ports, principal, rate=3)
        clock.advance(2)
    with pytest.raises(QuotaExceededError, match="3 jobs within 10 seconds") as caught:
        submit(ports, principal, rate=3)
    asked = caught.value.retry_after_seconds
    assert asked == 4
    clock.advance(asked - 0.5)
    assert not is_taken(ports, principal, rate=3)
    clock.advance(0.6)
    assert is_taken(ports, principal, rate=3)
    assert not is_taken(ports, principal, rate=3)


def test_c6_jobs_that_ended_still_count_as_submitted(ports: MemoryPorts) -> None:
    principal = member(ports)
    for _ in range(3):
        jobs.stop(ports, principal, submit(ports, principal, rate=3).id)
    assert not is_taken(ports, principal, rate=3)


class _Crowded(MemoryRegistry):
    """All who submit count before any of them writes: the worst that a race can do."""

    def __init__(self, num_writers: int) -> None:
        super().__init__()
        self.crowd: threading.Barrier | None = None
        self._num_writers = num_writers

    def gather(self) -> None:
        self.crowd = threading.Barrier(self._num_writers, timeout=120)

    def write(self, *writes: Write) -> None:
        """See Registry."""
        if self.crowd is not None:
            self.crowd.wait()
        super().write(*writes)

    def rows_of(self, workspace_id: str, prefix: str) -> list[Row]:
        return list(self.query(f"WS#{workspace_id}", prefix, limit=1_000).rows)


@pytest.mark.parametrize("limit", ["max_active", "rate"])
def test_h15_race_of_submits_passes_the_limit_by_no_more_than_were_under_way(ports: MemoryPorts, limit: str) -> None:
    num_writers, allowed = 8, 20
    registry = _Crowded(num_writers)
    ports.registry = registry
    principal = member(ports)
    for _ in range(allowed - 1):
        submit(ports, principal, **{limit: allowed})
    registry.gather()
    with ThreadPoolExecutor(num_writers) as pool:
        list(pool.map(lambda _: is_taken(ports, principal, **{limit: allowed}), range(num_writers)))
    registry.crowd = None
    num_jobs = len(registry.rows_of(principal.workspace_id, "JOB#"))
    assert num_jobs == allowed - 1 + num_writers, "the stated slack, and it is reached here"
    assert len(registry.rows_of(principal.workspace_id, "JOB_ACTIVE#")) == num_jobs, "what is counted are the jobs"
    assert not is_taken(ports, principal, **{limit: allowed}), "and then nothing more is taken"
