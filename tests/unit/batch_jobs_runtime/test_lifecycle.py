"""A job from start to exit code, with a tiny kind in place of a training."""

import hashlib
import json
import math
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from aimass_core.domain.jobs import EventType, Failure, FailureRecord, JobResult, JobStatus, TrainSpec
from aimass_core.errors import InvalidDataError, InvalidRequestError, UnavailableError
from batch_jobs.runtime import interruption, lifecycle
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.exit_codes import ExitCode
from batch_jobs.runtime.hosts import BatchHost, SageMakerHost
from batch_jobs.runtime.interruption import Interrupted
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.runtime.storage.channels import find_left
from tests.unit.batch_jobs_runtime.workplace import Workplace, new_workplace

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return new_workplace(tmp_path)


def train(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
    """Counts rows and calls that a model."""
    reporter.progress("train", step=0, num_steps=2)
    num_rows = sum(pq.read_table(path).num_rows for path in environment.channels["train"].glob("*.parquet"))
    (environment.model_path / "model.onnx").write_bytes(b"rows %d" % num_rows)
    (environment.output_path / "test_predictions.parquet").write_bytes(b"PAR1")
    reporter.metrics(1, {"train/log_loss": 0.5})
    reporter.message("The target is 'income'.")
    reporter.progress("train", step=2, num_steps=2)
    return {"validation/accuracy": 0.75}


def run(workplace: Workplace, kind: lifecycle.Run, *, attempt: int = 1, **variables: str) -> ExitCode:
    return lifecycle.execute(workplace.host(attempt), lambda: kind, variables)


def raising(error: BaseException) -> lifecycle.Run:
    def kind(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        raise error

    return kind


def failure_of(workplace: Workplace, attempt: int = 1) -> Failure:
    return Failure.model_validate_json(workplace.left("failure.json", attempt))


def test_job_reads_its_channels_and_leaves_its_result(workplace: Workplace) -> None:
    assert run(workplace, train) is ExitCode.SUCCESS
    result = JobResult.model_validate_json(workplace.left("result.json"))
    assert [artifact.name for artifact in result.artifacts] == ["model/model.onnx", "output/test_predictions.parquet"]
    assert workplace.left("model/model.onnx") == b"rows 2"
    assert result.metrics == {"validation/accuracy": 0.75}
    assert result.attempt == 1
    assert workplace.names_left()[-1] == "result.json"


def test_data_of_a_job_that_spark_does_not_do_are_brought_however_many_they_are(workplace: Workplace) -> None:
    host = BatchHost(workplace.fence(), workplace.folders, {}, spark_above_bytes=0)
    environment, _ = host.begin()
    host.close(timeout_seconds=5)
    assert list(environment.channels["train"].glob("*.parquet"))
    assert find_left(environment.channels["train"]) is None


def test_job_tells_its_story_in_order(workplace: Workplace) -> None:
    run(workplace, train)
    events = workplace.events()
    assert [event.number for event in events] == sorted({event.number for event in events})
    assert events[0].number == 1_000_001
    assert {event.type for event in events} == {EventType.PROGRESS, EventType.METRICS, EventType.MESSAGE}
    assert [event.data["text"] for event in events if event.type is EventType.MESSAGE] == ["The target is 'income'."]
    points = [point for event in events if event.type is EventType.METRICS for point in event.data["points"]]
    assert points == [{"step": 1, "values": {"train/log_loss": 0.5}}]
    job = workplace.stored()
    assert job.last_event == events[-1].number
    assert job.progress is not None
    assert job.progress.phase == "upload"


def test_container_that_has_begun_is_running_whatever_events_were_lost(workplace: Workplace) -> None:
    seen: list[JobStatus] = []

    def look(_environment: Environment, _reporter: Reporter) -> Mapping[str, float]:
        seen.append(workplace.stored().status)
        return {}

    run(workplace, look)
    assert seen == [JobStatus.RUNNING]
    assert workplace.stored().started_at is not None


def test_environment_is_what_the_job_was_given(workplace: Workplace) -> None:
    seen: list[Environment] = []

    def look(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        seen.append(environment)
        return {}

    run(workplace, look)
    environment = seen[0]
    assert isinstance(environment.spec, TrainSpec)
    assert environment.spec == workplace.job.spec
    assert environment.dataset == "adult@1"
    assert environment.dataset_digest == workplace.job.channels["train"].digest
    assert environment.cluster.is_alone
    assert environment.num_cpus == 1
    assert sorted(path.name for path in environment.channels["train"].iterdir()) == [
        "part-00000.parquet",
        "part-00001.parquet",
        "schema.json",
    ]


@pytest.mark.parametrize(
    ("error", "exit_code", "code"),
    [
        (InvalidRequestError("max_depth is 900"), 64, "invalid_request"),
        (InvalidDataError("the target has one value"), 65, "invalid_data"),
        (UnavailableError("the lake is busy"), 75, "unavailable"),
        (ZeroDivisionError("division by zero"), 1, "internal"),
        (MemoryError("Unable to allocate 7 GiB"), 1, "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 GB"), 1, "out_of_memory"),
        (OSError(28, "No space left on device"), 1, "disk_full"),
    ],
)
def test_what_a_job_raises_becomes_exit_code_and_failure(
    workplace: Workplace, error: Exception, exit_code: int, code: str
) -> None:
    assert run(workplace, raising(error)) == exit_code
    failure = failure_of(workplace)
    assert failure.code == code
    assert failure.exit_code == exit_code
    assert workplace.folders.failure.read_text().splitlines()[0] == failure.cause
    assert "result.json" not in workplace.names_left()


def test_errors_of_users_have_no_traceback_and_ours_have_its_tail(workplace: Workplace) -> None:
    run(workplace, raising(InvalidDataError("no rows")))
    assert failure_of(workplace).traceback is None

    def deep(depth: int) -> int:
        return deep(depth - 1) + 1 if depth else 1 // 0

    run(workplace, lambda environment, reporter: {"x": sum(map(deep, [1, 50, 500]))})
    traceback = failure_of(workplace).traceback
    assert traceback is not None
    assert len(traceback.encode()) <= 4_200
    assert traceback.rstrip().endswith("ZeroDivisionError: integer division or modulo by zero")


def test_f5_what_a_failed_job_has_to_show_is_left_and_its_model_is_not(workplace: Workplace) -> None:
    def misses(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        (environment.model_path / "model.onnx").write_bytes(b"too large")
        (environment.output_path / "compression.json").write_bytes(b"{}")
        raise InvalidDataError("nothing meets the limits")

    assert run(workplace, misses) == ExitCode.DATA_ERROR
    record = FailureRecord.model_validate_json(workplace.left("failure.json"))
    assert record.cause == "nothing meets the limits"
    assert [(each.name, each.num_bytes) for each in record.artifacts] == [("output/compression.json", 2)]
    assert record.artifacts[0].sha256 == hashlib.sha256(b"{}").hexdigest()
    assert set(workplace.names_left()) == {"failure.json", "output/compression.json"}


def test_an_interrupted_attempt_leaves_nothing_but_its_failure(workplace: Workplace) -> None:
    def interrupted(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        (environment.output_path / "half").write_bytes(b"half")
        raise Interrupted

    assert run(workplace, interrupted) == ExitCode.INTERRUPTED
    assert set(workplace.names_left()) == {"failure.json"}


def test_failure_holds_no_secrets(workplace: Workplace, caplog: pytest.LogCaptureFixture) -> None:
    url = f"https://s3/x?X-Amz-Signature=deadbeefdeadbeef and {SECRET} and postgres://me:hunter2hunter2@host/db"
    run(workplace, raising(ValueError(url)), AWS_SECRET_ACCESS_KEY=SECRET)
    told = workplace.left("failure.json").decode() + workplace.folders.failure.read_text() + caplog.text
    for secret in (SECRET, "deadbeefdeadbeef", "hunter2hunter2"):
        assert secret not in told
    assert "[redacted]" in failure_of(workplace).cause


def test_d8_metric_that_is_not_finite_is_told_and_left_out(workplace: Workplace) -> None:
    def diverging(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        reporter.metrics(1, {"train/loss": 1.0})
        reporter.metrics(2, {"train/loss": math.nan})
        reporter.metrics(3, {"train/loss": math.inf})
        return {"rmse": math.nan, "mae": 1.0}

    assert run(workplace, diverging) is ExitCode.SUCCESS
    assert JobResult.model_validate_json(workplace.left("result.json")).metrics == {"mae": 1.0}
    points = [point for e in workplace.events() if e.type is EventType.METRICS for point in e.data["points"]]
    assert [point["values"]["train/loss"] for point in points] == [1.0, None, None]
    texts = [event.data["text"] for event in workplace.events() if event.type is EventType.MESSAGE]
    assert texts == ["train/loss became nan at step 2.", "The metric rmse is nan: it is left out."]


def test_d1_sigterm_ends_as_interrupted_and_is_tried_again(workplace: Workplace) -> None:
    interruption.listen()

    def forever(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        reporter.message("begun")
        os.kill(os.getpid(), signal.SIGTERM)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            time.sleep(0.01)
        return {}

    assert run(workplace, forever) is ExitCode.INTERRUPTED
    assert failure_of(workplace).code == "interrupted"
    assert [event.data["text"] for event in workplace.events() if event.type is EventType.MESSAGE] == ["begun"]
    assert run(workplace, train, attempt=2) is ExitCode.SUCCESS
    assert workplace.stored().attempt == 2
    assert "result.json" in workplace.names_left(attempt=2)
    assert "result.json" not in workplace.names_left(attempt=1)


def test_d4_overtaken_attempt_does_not_begin(workplace: Workplace) -> None:
    workplace.change(attempt=2)
    assert run(workplace, raising(AssertionError("must not run"))) is ExitCode.PLATFORM_FAULT
    assert workplace.names_left() == []
    assert workplace.events() == []


@pytest.mark.parametrize(
    "change", [{"attempt": 2}, {"status": JobStatus.STOPPING}, {"status": JobStatus.STOPPED}], ids=str
)
def test_d4_attempt_that_is_overtaken_or_stopped_leaves_no_result(
    workplace: Workplace, change: dict[str, object]
) -> None:
    interruption.listen()

    def slow(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        workplace.change(**change)
        (environment.model_path / "model.onnx").write_bytes(b"late")
        return {"accuracy": 1.0}

    before = workplace.stored().last_event
    assert run(workplace, slow) is ExitCode.PLATFORM_FAULT
    assert "result.json" not in workplace.names_left()
    assert "failure.json" not in workplace.names_left()
    late = [event for event in workplace.events() if event.number > max(before, 1_000_001)]
    assert late == []


def test_d4_running_attempt_notices_that_it_was_overtaken(workplace: Workplace) -> None:
    interruption.listen()

    def zombie(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        workplace.change(attempt=2)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            reporter.progress("train", step=1)
            time.sleep(0.01)
        raise AssertionError("nobody told the zombie")

    assert run(workplace, zombie) is ExitCode.PLATFORM_FAULT
    assert workplace.names_left() == []


def test_second_attempt_begins_with_empty_folders(workplace: Workplace) -> None:
    run(workplace, train)
    seen: list[list[str]] = []

    def look(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        seen.append([path.name for path in environment.model_path.iterdir()])
        return {}

    run(workplace, look, attempt=2)
    assert seen == [[]]


def test_symbolic_links_are_not_uploaded(workplace: Workplace) -> None:
    def link(environment: Environment, reporter: Reporter) -> Mapping[str, float]:
        (environment.model_path / "passwd").symlink_to("/etc/passwd")
        (environment.model_path / "etc").symlink_to("/etc")
        return {}

    assert run(workplace, link) is ExitCode.SUCCESS
    assert workplace.names_left() == ["result.json"]


def test_sagemaker_finds_the_same_job_in_its_folders(workplace: Workplace, tmp_path: Path) -> None:
    run(workplace, train)
    folders = workplace.folders
    for name in ("model/model.onnx", "output/data/test_predictions.parquet"):
        (folders.root / name).unlink()
    assert lifecycle.execute(SageMakerHost(folders, {}), lambda: train, {}) is ExitCode.SUCCESS
    assert (folders.model / "model.onnx").read_bytes() == b"rows 2"
    assert json.loads((folders.output / "metrics.json").read_text()) == {"validation/accuracy": 0.75}
    kind: Callable[..., Mapping[str, float]] = raising(InvalidDataError("no rows"))
    assert lifecycle.execute(SageMakerHost(folders, {}), lambda: kind, {}) is ExitCode.DATA_ERROR
    assert folders.failure.read_text() == "no rows"


def test_configuration_that_is_gone_is_a_user_error(tmp_path: Path) -> None:
    host = SageMakerHost(new_workplace(tmp_path).folders, {})
    assert lifecycle.execute(host, lambda: train, {}) is ExitCode.USER_ERROR
    assert "resourceconfig.json is missing" in host.folders.failure.read_text()
