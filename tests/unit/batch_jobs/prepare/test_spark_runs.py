"""A prepare job that stands in for a run of Spark: whatever becomes of either, the job ends as the run does, once."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryBlobStore
from aimass_core.adapters.memory_spark import MemorySpark
from aimass_core.domain import keys
from aimass_core.domain.jobs import Job, JobCreate, JobStatus
from aimass_core.domain.recipes import DATA_CHANNEL, Preparation, PrepareSpec
from aimass_core.domain.spark_runs import SparkStatus
from aimass_core.errors import (
    DeadlineExceededError,
    InternalError,
    InvalidDataError,
    UnavailableError,
)
from aimass_core.ports import BlobStore, SparkRun
from aimass_core.services import datasets, job_channels, jobs, quarantine, records
from aimass_core.services.recipes.duckdb_engine import DuckDbEngine
from aimass_core.services.recipes.engine import Source
from aimass_core.services.recipes.running import run
from batch_jobs.prepare.workflow import DOCUMENT, prepare
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.interruption import Interrupted
from batch_jobs.runtime.storage.channels import download_channels
from batch_jobs.spark import contract
from tests.factories.platform import LIMITS
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment
from tests.unit.core.services.ingest.scene import Scene

CSV = b"id,price,city\n" + b"".join(f"{each},{each / 2},Ulm{each % 3} \n".encode() for each in range(40))
STEPS: list[dict[str, Any]] = [
    {"do": "trim"},
    {"do": "cast", "columns": {"city": "integer"}, "on_error": "missing"},
    {"do": "filter", "where": "price < 10"},
    {"do": "outliers", "columns": ["id"], "method": "quantile", "factor": 0.02, "action": "quarantine"},
    {"do": "split", "parts": {"train": 0.5, "test": 0.5}},
]
Happening = Callable[[], None]


class Scripted(MemorySpark):
    """Also counts who asks for what, and answers nobody for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.num_refused = 0
        self.cancelled: list[str] = []

    def describe(self, run_id: str) -> SparkRun:
        if self.num_refused:
            self.num_refused -= 1
            raise UnavailableError("EMR Serverless is busy or cannot be reached. Try again.")
        return super().describe(run_id)

    def cancel(self, run_id: str) -> None:
        self.cancelled.append(run_id)
        super().cancel(run_id)


class Lake(MemoryBlobStore):
    """Whoever clears away in it may die of that."""

    is_deadly = False

    def delete_all(self, prefix: str) -> int:
        if self.is_deadly:
            raise Interrupted
        return super().delete_all(prefix)


class Stage:
    """A dataset, a job on it, and attempts of the job, during which one thing after the other happens."""

    def __init__(self, folder: Path, steps: Sequence[dict[str, Any]] = STEPS) -> None:
        self.folder, self.scene, self.spark = folder, Scene(), Scripted()
        self.lake = Lake("lake")
        self.scene.ports.spark, self.scene.ports.lake = self.spark, self.lake
        self.scene.upload(self.scene.dataset("prices"), CSV)
        request = JobCreate.model_validate(
            {"spec": {"kind": "prepare", "dataset": "prices", "recipe": {"steps": steps}}, "max_seconds": 610}
        )
        job = jobs.create(self.scene.ports, self.scene.principal, request, limits=LIMITS)
        self.job = self.change(job, status=JobStatus.RUNNING, attempt=1)
        self.reporter = RecordingReporter()

    def change(self, job: Job, **changes: Any) -> Job:
        records.save(self.scene.ports, job, job.id, **changes)
        return records.get(self.scene.ports, Job, job.workspace_id, job.id)

    def attempt(self, *happenings: Happening, number: int = 1, seconds_left: float = 600.0) -> Preparation:
        environment = self.begin(number, seconds_left=seconds_left)
        waiting: Iterator[Happening] = iter(happenings)
        spec = self.job.spec
        assert isinstance(spec, PrepareSpec)
        ports, workspace_id = self.scene.ports, self.job.workspace_id
        self.metrics = prepare(
            ports, workspace_id, spec, environment, self.reporter, sleep=lambda _seconds: next(waiting)()
        )
        assert list(waiting) == []
        return Preparation.model_validate_json((environment.output_path / DOCUMENT).read_bytes())

    def begin(self, number: int, *, seconds_left: float, leave_above_bytes: int | None = 0) -> Environment:
        spec, lake = self.job.spec, self.scene.ports.lake
        assert isinstance(spec, PrepareSpec)
        base = self.folder / f"attempt-{number}-{leave_above_bytes}"
        channels = job_channels.resolve(self.scene.ports, self.job.workspace_id, spec)
        config = jobs.to_input_data_config(self.job.workspace_id, {each.name: each.to_pin() for each in channels})
        folders = download_channels(lake, config, base / "channels", leave_above_bytes=leave_above_bytes)
        fields = {"job": self.job.id, "dataset": "prices@1", "attempt": number}
        return build_environment(base, folders, spec, deadline=time.monotonic() + seconds_left, **fields)

    def folder_of(self, number: int = 1) -> str:
        return keys.job_spark_run(self.job.workspace_id, self.job.id, number)

    def end(self, status: SparkStatus, number: int = 1, reason: str = "as the service says") -> Happening:
        return lambda: self.spark.end(f"{self.job.id}-{number}", status, reason=reason)

    def cook(self, number: int = 1) -> Happening:
        """The run does its work."""

        def happen() -> None:
            work_path = self.folder / f"run-{number}"
            work_path.mkdir()
            cook_in_place(self.scene.ports.lake, self.folder_of(number), work_path)
            self.end(SparkStatus.SUCCEEDED, number)()

        return happen

    def leave(self, name: str, body: bytes, number: int = 1) -> Happening:
        return lambda: void(self.scene.ports.lake.put(self.folder_of(number) + name, body))

    def rows(self, name: str) -> list[dict[str, Any]]:
        dataset = datasets.get(self.scene.ports, self.scene.principal, name)
        assert dataset.latest_version == 1
        return self.scene.rows(self.scene.version(dataset, 1))


def void(_value: object) -> None:
    """Nothing."""


def interrupt() -> None:
    raise Interrupted


def cook_in_place(lake: BlobStore, folder: str, work_path: Path) -> None:
    """What batch_jobs.spark.program does, on DuckDB (tests/integration/prepare has it on Spark)."""
    request = contract.SparkRequest.model_validate_json(lake.get(folder + contract.REQUEST))
    sources = {}
    for name, given in request.sources.items():
        files: list[Path | str] = []
        for index, address in enumerate(given.files):
            files.append(work_path / f"{name}-{index}.parquet")
            lake.download(address.removeprefix(f"s3://{lake.bucket}/"), work_path / f"{name}-{index}.parquet")
        sources[name] = Source(label=given.label, schema=given.data_schema, files=files)
    with DuckDbEngine(work_path, read_paths=[work_path]) as engine:
        prepared = run(request.recipe, engine, sources)
        kept = "".join(row.model_dump_json() + "\n" for row in prepared.quarantined(sources[DATA_CHANNEL].label))
        lake.put(folder + contract.QUARANTINE, kept.encode())
        num_rows = []
        for index, name in enumerate(prepared.parts or [""]):
            (made := work_path / f"made-{index}").mkdir()
            prepared.export(str(made), name)
            prefix = f"{folder}{contract.part_folder(index)}/"
            lake.upload(made / "part.parquet", f"{prefix}part-00000.parquet")
            lake.put(f"{prefix}_SUCCESS", b"")
            lake.put(f"{prefix}_temporary/0/part-00000.parquet", b"half")
            num_rows.append(prepared.count(name))
        result = contract.SparkResult(num_rows_in=prepared.num_rows_in, steps=list(prepared.reports), num_rows=num_rows)
    lake.put(folder + contract.RESULT, result.model_dump_json().encode())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def left_in_lake(stage: Stage) -> list[str]:
    prefix = f"{keys.job_prefix(stage.job.workspace_id, stage.job.id)}spark/"
    return [info.key for info in stage.scene.ports.lake.list(prefix)]


def test_what_a_run_makes_is_delivered_as_what_this_machine_makes(stage: Stage) -> None:
    progress = contract.SparkProgress(number=3, do="filter").model_dump_json().encode()
    found = stage.attempt(stage.end(SparkStatus.RUNNING), stage.leave(contract.PROGRESS, progress), stage.cook())
    assert found.engine == "spark"
    theirs = {name: stage.rows(f"prices-prepared-{name}") for name in ("train", "test")}
    [kept, *_], _ = quarantine.list_rows(stage.scene.ports, stage.scene.principal, "prices-prepared-train", 1, limit=5)
    assert (kept.file, kept.column) == ("prices@1", "id")
    assert left_in_lake(stage) == []

    other = Stage(stage.folder / "other")
    environment = other.begin(1, seconds_left=600, leave_above_bytes=None)
    spec = other.job.spec
    assert isinstance(spec, PrepareSpec)
    metrics = prepare(other.scene.ports, other.job.workspace_id, spec, environment, other.reporter)
    ours = Preparation.model_validate_json((environment.output_path / DOCUMENT).read_bytes())
    assert ours.engine == "duckdb"
    assert found == ours.model_copy(update={"engine": "spark"})
    assert stage.metrics == metrics
    assert theirs == {name: other.rows(f"prices-prepared-{name}") for name in ("train", "test")}
    assert other.spark.submissions == []


def test_a_run_may_read_its_datasets_and_is_told_what_the_job_is(stage: Stage) -> None:
    stage.attempt(stage.cook())
    [submission] = stage.spark.submissions
    dataset = stage.scene.dataset_named("prices")
    assert submission.reads == [keys.dataset_prefix(dataset.workspace_id, dataset.id)]
    assert submission.folder == stage.folder_of()
    assert submission.program.startswith(submission.folder)
    assert (submission.token, submission.max_seconds) == (f"{stage.job.id}-1", 610)
    assert submission.tags == {"aimass:workspace": stage.job.workspace_id, "aimass:job": stage.job.id}


def test_a_step_that_does_not_fit_is_said_as_here(stage: Stage) -> None:
    failure = contract.SparkFailure(code="invalid_data", cause="Step 2 (cast): it stops.").model_dump_json().encode()
    with pytest.raises(InvalidDataError, match=r"^Step 2 \(cast\): it stops\.$"):
        stage.attempt(stage.leave(contract.FAILURE, failure), stage.end(SparkStatus.FAILED))


def test_d6_a_run_that_fails_otherwise_says_it_in_the_services_words(stage: Stage) -> None:
    with pytest.raises(InternalError, match="failed: Exceeded the maximum capacity"):
        stage.attempt(stage.end(SparkStatus.FAILED, reason="Exceeded the maximum capacity"))


def test_d6_a_run_that_succeeds_without_a_result_has_failed(stage: Stage) -> None:
    with pytest.raises(InternalError, match="has left no result"):
        stage.attempt(stage.end(SparkStatus.SUCCEEDED))


def test_a_run_that_somebody_else_cancels_fails_the_job(stage: Stage) -> None:
    with pytest.raises(InternalError, match="was cancelled: by hand"):
        stage.attempt(stage.end(SparkStatus.STOPPED, reason="by hand"))


def test_a_recipe_that_leaves_nothing_says_at_which_step(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [{"do": "trim"}, {"do": "filter", "where": "id > 1000"}])
    with pytest.raises(InvalidDataError, match=r"No row is left for the dataset, after step 2 \(filter\)"):
        stage.attempt(stage.cook())
    assert left_in_lake(stage) == []


def test_d1_an_interrupted_attempt_leaves_the_run_to_the_next(stage: Stage) -> None:
    with pytest.raises(Interrupted):
        stage.attempt(stage.end(SparkStatus.RUNNING), interrupt)
    assert stage.spark.cancelled == []
    found = stage.attempt(stage.cook(), number=2)
    assert [part.num_rows for part in found.outputs] == [
        len(stage.rows(f"prices-prepared-{n}")) for n in ("train", "test")
    ]
    assert len(stage.spark.submissions) == 1


def test_d1_a_run_that_ended_while_nobody_looked_is_taken_from_where_it_lies(stage: Stage) -> None:
    with pytest.raises(Interrupted):
        stage.attempt(interrupt)
    stage.cook()()
    stage.attempt(number=2)
    assert len(stage.spark.submissions) == 1


def test_j6_what_was_delivered_and_cleared_away_is_made_again_and_not_delivered_twice(stage: Stage) -> None:
    first = stage.attempt(stage.cook())
    second = stage.attempt(stage.cook(2), number=2)
    assert second == first
    assert [submission.token for submission in stage.spark.submissions] == [f"{stage.job.id}-{n}" for n in (1, 2)]
    assert len(stage.rows("prices-prepared-train")) == first.outputs[0].num_rows


def test_j6_a_job_that_dies_while_it_clears_away_ends_as_if_it_had_not(stage: Stage) -> None:
    stage.lake.is_deadly = True
    with pytest.raises(Interrupted):
        stage.attempt(stage.cook())
    stage.lake.is_deadly = False
    assert left_in_lake(stage)
    found = stage.attempt(stage.cook(2), number=2)
    assert found.outputs[0].number == 1


def test_d9_a_stopped_job_cancels_its_run(stage: Stage) -> None:
    def stop() -> None:
        stage.change(stage.job, status=JobStatus.STOPPING)
        raise Interrupted

    with pytest.raises(Interrupted):
        stage.attempt(stop)
    assert stage.spark.cancelled == [f"{stage.job.id}-1"]
    assert stage.spark.describe(f"{stage.job.id}-1").status is SparkStatus.STOPPED


def test_d7_a_run_that_takes_too_long_is_cancelled(stage: Stage) -> None:
    with pytest.raises(DeadlineExceededError, match="within 610 seconds"):
        stage.attempt(seconds_left=1.0)
    assert stage.spark.cancelled == [f"{stage.job.id}-1"]


def test_d12_a_service_that_cannot_be_asked_is_asked_again(stage: Stage) -> None:
    def silence() -> None:
        stage.spark.num_refused = 2

    stage.attempt(silence, lambda: None, stage.cook())
    assert stage.spark.cancelled == []


def test_a_cancelled_run_is_not_waited_for_by_the_next_attempt(stage: Stage) -> None:
    with pytest.raises(Interrupted):
        stage.attempt(interrupt)
    stage.spark.cancel(f"{stage.job.id}-1")
    stage.attempt(stage.cook(2), number=2)
    tokens = [submission.token for submission in stage.spark.submissions]
    assert tokens == [f"{stage.job.id}-1", f"{stage.job.id}-2"]
    first, second = stage.spark.submissions
    assert replace(second, token=first.token, folder=first.folder, program=first.program) == first
