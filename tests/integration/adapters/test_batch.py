"""The compute adapter against the local AWS Batch, which runs real processes."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from aimass_core.adapters.batch import GRACE_SECONDS, BatchCompute
from aimass_core.domain.compute import Compute as ComputeRequest
from aimass_core.domain.compute_states import ComputeState
from aimass_core.domain.jobs import JobStatus
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Compute, Submission
from tests.contracts.compute import ComputeContract
from tests.integration.local_batch.conftest import Server, server, start_server, wait_until

__all__ = ["server", "start_server"]

# Of a study's workers and their attempts: two are killed at once, and tried again.
BEGUN = ("worker-0-2", "worker-1-2", "worker-2-1")


@pytest.fixture
def compute(server: Server) -> BatchCompute:
    server.define("python", "-c", "pass")
    return BatchCompute(
        server.client,
        job_queue="queue",
        job_definition="definition",
        collect_job_definition="collect",
        transfer_job_definition="transfer",
        multinode_job_definition="nodes",
    )


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
            server.client,
            job_queue="queue",
            job_definition="definition",
            collect_job_definition="collect",
            transfer_job_definition="transfer",
            multinode_job_definition="nodes",
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
    assert server.describe(compute_job_id)["timeout"] == {"attemptDurationSeconds": 60 + GRACE_SECONDS}
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


WORKER = """
import os, pathlib, signal, sys, time
index, attempt = os.environ["AWS_BATCH_JOB_ARRAY_INDEX"], os.environ["AWS_BATCH_JOB_ATTEMPT"]
assert os.environ["AWS_BATCH_JOB_ARRAY_SIZE"] == "3"
folder = pathlib.Path(sys.argv[1])
(folder / f"worker-{index}-{attempt}").touch()
if attempt == "1" and index != "2":
    os.kill(os.getpid(), signal.SIGKILL)
while not (folder / "end").exists():
    time.sleep(0.02)
"""


@pytest.fixture
def workers(server: Server, tmp_path: Path) -> BatchCompute:
    """Compute whose study containers are small programs, since the job's command is `python -m batch_jobs <kind>`."""
    module = tmp_path / "modules" / "batch_jobs"
    module.mkdir(parents=True)
    (module / "__init__.py").touch()
    (module / "__main__.py").write_text(f"import sys; sys.argv[1] = {str(tmp_path)!r}\n{WORKER}")
    server.define(
        "python",
        "-c",
        "pass",
        vcpus="0.5",
        environment={"PYTHONPATH": str(module.parent)},
        retryStrategy={"attempts": 1},
    )
    return BatchCompute(
        server.client,
        job_queue="queue",
        job_definition="definition",
        collect_job_definition="collect",
        transfer_job_definition="transfer",
        multinode_job_definition="nodes",
    )


def _state(compute: BatchCompute, compute_job_id: str) -> ComputeState:
    (state,) = compute.describe([compute_job_id])
    return state


def test_killed_workers_of_a_study_are_replaced_while_the_others_go_on(
    workers: BatchCompute, server: Server, tmp_path: Path
) -> None:
    submission = replace(_submission(kind="search"), num_workers=3)
    compute_job_id = workers.submit(submission)
    assert workers.find(submission.name) == compute_job_id
    wait_until(lambda: {path.name for path in tmp_path.glob("worker-*")}, lambda names: {*BEGUN} <= names)
    state = wait_until(lambda: _state(workers, compute_job_id), lambda state: state.status is JobStatus.RUNNING)
    assert (state.compute_job_id, state.name, state.attempt) == (compute_job_id, submission.name, 2)
    assert state.log_stream == server.describe(f"{compute_job_id}:0")["container"]["logStreamName"]
    (tmp_path / "end").touch()
    parent = server.wait(compute_job_id)
    assert parent["status"] == "SUCCEEDED"
    codes = [
        [attempt["container"]["exitCode"] for attempt in server.describe(f"{compute_job_id}:{index}")["attempts"]]
        for index in range(3)
    ]
    assert codes == [[137, 0], [137, 0], [0]]
    ended = _state(workers, compute_job_id)
    assert (ended.status, ended.exit_code, ended.attempt) == (JobStatus.SUCCEEDED, 0, 2)


def test_terminating_a_study_ends_all_of_its_workers(workers: BatchCompute, server: Server, tmp_path: Path) -> None:
    compute_job_id = workers.submit(replace(_submission(kind="search"), num_workers=3))
    wait_until((tmp_path / "worker-0-2").exists)
    workers.terminate(compute_job_id, reason="Stopped by a person.")
    assert server.wait(compute_job_id)["status"] == "FAILED"
    assert {server.describe(f"{compute_job_id}:{index}")["status"] for index in range(3)} == {"FAILED"}
    state = _state(workers, compute_job_id)
    assert state.status is JobStatus.FAILED
    assert "Stopped by a person." in (state.reason or "")


def test_what_batch_will_never_take_is_the_requests_fault(server: Server) -> None:
    compute = BatchCompute(
        server.client,
        job_queue="no-such-queue",
        job_definition="definition",
        collect_job_definition="collect",
        transfer_job_definition="transfer",
        multinode_job_definition="nodes",
    )
    with pytest.raises(InvalidRequestError):
        compute.submit(_submission())
