"""Long poll: as soon as there is news, and not much longer than asked for."""

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.services import dispatch, job_story, jobs
from tests.factories.platform import ManualClock, add_job


@pytest.fixture
def job(ports: MemoryPorts, principal: Principal) -> Job:
    return add_job(ports, principal)


def test_events_that_are_there_are_answered_at_once(ports: MemoryPorts, principal: Principal, job: Job) -> None:
    answer = job_story.read_events(ports, principal, job.id, wait_seconds=10, sleep=_no_sleep)
    assert [event.data["status"] for event in answer.events] == ["SUBMITTED"]
    assert answer.last == answer.events[-1].number


def test_wait_ends_with_the_first_news(ports: MemoryPorts, principal: Principal, job: Job, clock: ManualClock) -> None:
    last = job_story.read_events(ports, principal, job.id).last

    def sleep(seconds: float) -> None:
        clock.advance(seconds)
        if (clock() - job.created_at).total_seconds() > 2:
            dispatch.dispatch(ports, job.workspace_id, job.id)

    answer = job_story.read_events(ports, principal, job.id, after=last, wait_seconds=10, sleep=sleep)
    assert [event.data["status"] for event in answer.events] == ["QUEUED"]
    assert (clock() - job.created_at).total_seconds() < 3


def test_wait_ends_when_the_job_is_being_stopped_although_that_is_no_event(
    ports: MemoryPorts, principal: Principal, job: Job
) -> None:
    dispatch.dispatch(ports, job.workspace_id, job.id)
    last = job_story.read_events(ports, principal, job.id).last
    answer = job_story.read_events(
        ports, principal, job.id, after=last, wait_seconds=10, sleep=lambda _: _stop(ports, principal, job)
    )
    assert (answer.events, answer.job.status) == ([], JobStatus.STOPPING)


def test_wait_ends_in_time(ports: MemoryPorts, principal: Principal, job: Job, clock: ManualClock) -> None:
    last = job_story.read_events(ports, principal, job.id).last
    answer = job_story.read_events(ports, principal, job.id, after=last, wait_seconds=3600, sleep=clock.advance)
    assert (answer.events, answer.last) == ([], last)
    assert job_story.MAX_WAIT_SECONDS <= (clock() - job.created_at).total_seconds() < job_story.MAX_WAIT_SECONDS + 1


def test_log_before_the_container_has_started_is_empty(ports: MemoryPorts, principal: Principal, job: Job) -> None:
    assert job_story.read_logs(ports, principal, job.id, cursor=None, limit=10) == ([], None)


def _stop(ports: MemoryPorts, principal: Principal, job: Job) -> None:
    jobs.stop(ports, principal, job.id)


def _no_sleep(seconds: float) -> None:
    raise AssertionError("it waits although there is news")
