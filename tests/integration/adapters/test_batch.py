"""The compute adapter against the local AWS Batch, which runs real processes."""

from uuid import uuid4

import pytest

from aimass_core.adapters.batch import BatchCompute
from aimass_core.domain.compute import Compute as ComputeRequest
from aimass_core.domain.jobs import JobStatus
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Compute, Submission
from tests.contracts.compute import ComputeContract
from tests.integration.local_batch.conftest import Server, server, start_server, wait_until

__all__ = ["server", "start_server"]


@pytest.fixture
def compute(server: Server) -> BatchCompute:
    server.define("python", "-c", "pass")
    return BatchCompute(server.client, job_queue="queue", job_definition="definition", multinode_job_definition="nodes")


def _submission(*, vcpus: int | None = None, kind: str = "no-such-kind") -> Submission:
    return Submission(
        name=f"job_{uuid4().hex[:27]}",
        kind=kind,
        environment={"AIMASS_JOB_ID": "job", "AIMASS_WORKSPACE_ID": "ws"},
        compute=ComputeRequest(vcpus=vcpus),
        max_seconds=60,
        prefix="jobs/ws/job/",
    )


class TestBatchCompute(ComputeContract):
    @pytest.fixture
    def compute(self, server: Server) -> Compute:
        server.define("python", "-c", "pass")
        return BatchCompute(
            server.client, job_queue="queue", job_definition="definition", multinode_job_definition="nodes"
        )


def test_a_submitted_job_is_found_by_its_name_while_it_runs_and_after(compute: BatchCompute, server: Server) -> None:
    submission = _submission()
    assert compute.find(submission.name) is None
    compute_job_id = compute.submit(submission)
    assert compute.find(submission.name) == compute_job_id
    server.wait(compute_job_id)
    assert compute.find(submission.name) == compute_job_id
    assert compute.find(submission.name[:-1]) is None


def test_the_container_is_told_its_kind_and_its_job(compute: BatchCompute, server: Server) -> None:
    compute_job_id = compute.submit(_submission(vcpus=2, kind="train"))
    container = server.describe(compute_job_id)["container"]
    assert container["command"] == ["python", "-m", "batch_jobs", "train"]
    assert {"name": "AIMASS_JOB_ID", "value": "job"} in container["environment"]
    assert {"type": "VCPU", "value": "2"} in container["resourceRequirements"]
    assert server.describe(compute_job_id)["timeout"] == {"attemptDurationSeconds": 60}
    compute.terminate(compute_job_id, reason="seen enough")


def test_the_state_of_many_jobs_is_told_and_the_unknown_left_out(compute: BatchCompute, server: Server) -> None:
    failing = compute.submit(_submission())
    server.wait(failing)
    unknown = [str(uuid4()) for _ in range(150)]
    (state,) = compute.describe([*unknown, failing])
    assert (state.compute_job_id, state.status, state.attempt) == (failing, JobStatus.FAILED, 1)
    assert state.exit_code not in (None, 0)
    assert state.log_stream


def test_a_terminated_job_fails_with_the_reason_and_may_be_terminated_again(
    compute: BatchCompute, server: Server
) -> None:
    server.define("python", "-c", "import time; time.sleep(600)", name="sleeper")
    compute_job_id = server.submit(jobDefinition="sleeper")
    server.wait(compute_job_id, "RUNNING")
    compute.terminate(compute_job_id, reason="Stopped by a person.")
    wait_until(lambda: compute.describe([compute_job_id])[0].status.is_terminal)
    compute.terminate(compute_job_id, reason="Again.")
    (state,) = compute.describe([compute_job_id])
    assert state.status is JobStatus.FAILED
    assert "Stopped by a person." in (state.reason or "")


def test_what_batch_will_never_take_is_the_requests_fault(server: Server) -> None:
    compute = BatchCompute(
        server.client, job_queue="no-such-queue", job_definition="definition", multinode_job_definition="nodes"
    )
    with pytest.raises(InvalidRequestError):
        compute.submit(_submission())
