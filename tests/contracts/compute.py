"""What every compute service does. A test module subclasses this with its own `compute` fixture."""

import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from aimass_core.domain.common import new_id
from aimass_core.domain.compute import Compute as ComputeRequest
from aimass_core.domain.compute_states import JOB_VARIABLE, WORKSPACE_VARIABLE, ComputeState
from aimass_core.domain.jobs import JobStatus
from aimass_core.ports import Compute, Submission

PATIENCE_SECONDS = 120


def wait_for_state(
    compute: Compute, compute_job_id: str, is_right: Callable[[ComputeState], bool] = lambda state: True
) -> ComputeState:
    """The job's state as soon as it is as wanted."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        (state,) = compute.describe([compute_job_id])
        if is_right(state):
            return state
        assert time.monotonic() < deadline, f"still {state}"
        time.sleep(0.02)


class ComputeContract:
    """The suite."""

    request = ComputeRequest()

    @pytest.fixture
    def compute(self) -> Compute:
        """The service under test."""
        raise NotImplementedError

    def new_submission(self, *, kind: str = "train") -> Submission:
        """One that nobody has made yet."""
        workspace_id, job_id = new_id("ws"), new_id("job")
        return Submission(
            name=f"aimass-{workspace_id[3:]}-{job_id[4:]}",
            kind=kind,
            environment={WORKSPACE_VARIABLE: workspace_id, JOB_VARIABLE: job_id},
            compute=self.request,
            max_seconds=60,
            prefix=f"jobs/{workspace_id}/{job_id}/",
        )

    def test_a_submission_is_found_by_its_name_only(self, compute: Compute) -> None:
        submission = self.new_submission()
        assert compute.find(submission.name) is None
        compute_job_id = compute.submit(submission)
        assert compute.find(submission.name) == compute_job_id
        assert compute.find(submission.name[:-1]) is None
        compute.terminate(compute_job_id, reason="seen enough")
        assert compute.find(submission.name) == compute_job_id

    def test_states_bear_the_name_and_unknown_jobs_are_left_out(self, compute: Compute) -> None:
        submission = self.new_submission()
        compute_job_id = compute.submit(submission)
        (state,) = compute.describe([uuid4().hex, compute_job_id])
        assert (state.compute_job_id, state.name, state.attempt) == (compute_job_id, submission.name, 1)
        compute.terminate(compute_job_id, reason="seen enough")
        assert compute.describe([]) == []

    def test_a_terminated_job_fails_and_may_be_terminated_again(self, compute: Compute) -> None:
        compute_job_id = compute.submit(self.new_submission())
        compute.terminate(compute_job_id, reason="Stopped by a person.")
        state = wait_for_state(compute, compute_job_id, lambda state: state.status.is_terminal)
        assert state.status is JobStatus.FAILED
        compute.terminate(compute_job_id, reason="Again.")
        assert compute.describe([compute_job_id]) == [state]
