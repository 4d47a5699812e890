"""Single jobs: from submission to the end of their process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aimass_local.batch import BatchService
from tests.unit.local_batch.harness import LocalBatch, RefusedError, build_requirements

PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def test_job_runs_its_command_and_succeeds(batch: LocalBatch) -> None:
    batch.define("echo", "hello world")
    job = batch.wait(batch.submit())
    assert job["status"] == "SUCCEEDED"
    assert job["container"]["exitCode"] == 0
    assert job["statusReason"] == "Essential container in task exited"
    assert batch.log_of(job) == ["hello world"]
    assert job["container"]["logStreamName"].startswith("definition/default/")
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    assert len(job["attempts"]) == 1


def test_every_status_change_is_an_event_except_the_submission(batch: LocalBatch) -> None:
    batch.define("true")
    job_id = batch.submit()
    batch.wait(job_id)
    assert batch.statuses_of(job_id) == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    event = batch.events[-1]
    assert event["source"] == "aws.batch"
    assert event["resources"] == [f"arn:aws:batch:us-east-1:000000000000:job/{job_id}"]
    assert event["detail"]["jobQueue"].endswith(":job-queue/queue")
    assert event["detail"] == batch.describe(job_id)


def test_command_is_an_argument_list_and_no_shell(batch: LocalBatch) -> None:
    batch.define("echo", "$(id)", "; rm -rf /", "`id`", "a b")
    job = batch.wait(batch.submit())
    assert batch.log_of(job) == ["$(id) ; rm -rf / `id` a b"]


def test_parameters_replace_references_in_the_command(batch: LocalBatch) -> None:
    batch.define("echo", "Ref::greeting", "x=Ref::name", "Ref::unknown", parameters={"greeting": "hi", "name": "a"})
    job = batch.wait(batch.submit(parameters={"name": "b"}))
    assert batch.log_of(job) == ["hi x=b Ref::unknown"]


def test_overrides_win_over_the_definition(batch: LocalBatch) -> None:
    batch.define_python("never", environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}])
    overrides = {
        "command": ["sh", "-c", "echo $A $B $C"],
        "environment": [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
        "resourceRequirements": [{"type": "MEMORY", "value": "64"}],
    }
    job = batch.wait(batch.submit(containerOverrides=overrides))
    assert batch.log_of(job) == ["1 2 3"]
    values = {entry["type"]: entry["value"] for entry in job["container"]["resourceRequirements"]}
    assert values == {"VCPU": "1", "MEMORY": "64"}


def test_container_gets_batch_variables_and_nothing_of_the_server(
    batch: LocalBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "1")
    batch.define_python(PRINT_ENVIRONMENT, resourceRequirements=build_requirements(vcpus="2")["resourceRequirements"])
    job = batch.wait(batch.submit())
    variables = json.loads(batch.log_of(job)[0])
    assert "SECRET_OF_THE_SERVER" not in variables
    assert variables["AWS_BATCH_JOB_ID"] == job["jobId"]
    assert variables["AWS_BATCH_JOB_ATTEMPT"] == "1"
    assert variables["AWS_BATCH_JQ_NAME"] == "queue"
    assert variables["AWS_BATCH_CE_NAME"] == "machine"
    assert variables["OMP_NUM_THREADS"] == "2"
    assert variables["CUDA_VISIBLE_DEVICES"] == ""
    assert variables["PATH"].split(":")[0] == str(Path(sys.executable).parent)


def test_containers_have_folders_of_their_own_which_are_removed(batch: LocalBatch) -> None:
    source = (
        "import os, tempfile; open('here', 'w'); print(os.getcwd()); print(tempfile.mkdtemp()); print(os.listdir())"
    )
    batch.define_python(source)
    first, second = (batch.log_of(batch.wait(batch.submit())) for _ in range(2))
    assert first[0] != second[0]
    assert first[2] == second[2] == "['here']"
    for path in (*first[:2], *second[:2]):
        assert not Path(path).exists()
    assert list((batch.data_dir / "run").iterdir()) == []


def test_c8_reserved_variables_are_refused(batch: LocalBatch) -> None:
    environment = [{"name": "AWS_BATCH_JOB_ID", "value": "forged"}]
    with pytest.raises(RefusedError, match="reserved") as refused:
        batch.define("true", environment=environment)
    assert (refused.value.status, refused.value.code) == (400, "ClientException")
    batch.define("true")
    with pytest.raises(RefusedError, match="reserved"):
        batch.submit(containerOverrides={"environment": environment})


def test_missing_command_fails_with_the_reason(batch: LocalBatch) -> None:
    batch.define("no-such-command")
    job = batch.wait(batch.submit())
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert job["container"]["reason"].startswith("CannotStartContainerError: exec 'no-such-command'")
    assert job["attempts"][0]["container"]["exitCode"] == 127


def test_unknown_image_fails_with_the_reason(start_batch: Callable[..., LocalBatch]) -> None:
    batch = start_batch(images={})
    batch.set_up()
    batch.define("true")
    job = batch.wait(batch.submit())
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert job["container"]["reason"].startswith("CannotPullContainerError: this machine has no image 'any'")


@pytest.mark.parametrize(("signal_name", "exit_code"), [("SIGKILL", 137), ("SIGSEGV", 139), ("SIGTERM", 143)])
def test_d6_exit_by_signal_is_128_plus_its_number(batch: LocalBatch, signal_name: str, exit_code: int) -> None:
    batch.define_python(f"import os, signal; os.kill(os.getpid(), signal.{signal_name})")
    job = batch.wait(batch.submit())
    assert job["status"] == "FAILED"
    assert job["container"]["exitCode"] == job["attempts"][0]["container"]["exitCode"] == exit_code
    assert "reason" not in job["container"]


def test_d6_memory_over_the_limit_is_an_out_of_memory_kill(batch: LocalBatch) -> None:
    batch.define_python("import time; data = b'x' * 300_000_000; time.sleep(60)")
    job = batch.wait(batch.submit())
    assert job["status"] == "FAILED"
    assert job["container"]["exitCode"] == 137
    assert job["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_pages_that_processes_share_count_once(batch: LocalBatch) -> None:
    """Five processes with the same 60 MB hold 60 MB, as in a container, and not 300."""
    source = (
        "import os, time\n"
        "data = b'x' * 60_000_000\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        print(sum(data[::4096]) > 0, flush=True); time.sleep(1.2); os._exit(0)\n"
        "time.sleep(1.2)"
    )
    batch.define_python(source)
    job = batch.wait(batch.submit())
    assert (job["status"], job["container"]["exitCode"]) == ("SUCCEEDED", 0)


def test_ulimits_of_the_definition_hold(batch: LocalBatch) -> None:
    limits = [{"name": "nofile", "softLimit": 123, "hardLimit": 456}, {"name": "nproc", "softLimit": 7, "hardLimit": 8}]
    kinds = "resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC"
    batch.define_python(
        f"import resource, time; time.sleep(0.3); print(*map(resource.getrlimit, ({kinds})))", ulimits=limits
    )
    assert batch.log_of(batch.wait(batch.submit())) == ["(123, 456) (7, 8)"]


def test_fault_of_the_server_fails_the_job_instead_of_leaving_it(start_batch: Callable[..., LocalBatch]) -> None:
    batch = start_batch(environment={"BROKEN": 5})
    batch.set_up()
    batch.define("true")
    job = batch.wait(batch.submit())
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert job["attempts"][0]["container"]["reason"].startswith("InternalError: TypeError")


def test_request_before_the_start_is_a_server_error(tmp_path: Path) -> None:
    service = BatchService(
        tmp_path, images={}, environment={}, emit_event=lambda event: None, put_log_events=lambda *events: None
    )
    status, answer, headers = service.handle("POST", "/v1/describejobs", "", b'{"jobs": []}')
    assert (status, headers["x-amzn-errortype"]) == (500, "ServerException")
    assert "not been started" in answer["message"]
