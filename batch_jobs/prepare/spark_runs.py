"""A recipe on Spark: this container stands in for a run of EMR Serverless, and ends as it does.

So the job is one thing for whoever watches, stops or pays for it, whichever engine does the work. A run is named by the
job and a number, and an attempt asks for the runs of the former ones first: what goes on is followed further, and what
is done is taken from where it lies. Only where those were cancelled does it begin one of its own.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aimass_core.domain import keys
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.recipes import PrepareSpec
from aimass_core.domain.schemas import Schema
from aimass_core.domain.spark_runs import SparkStatus
from aimass_core.errors import AimassError, DeadlineExceededError, InternalError, UnavailableError, error_classes
from aimass_core.ports import BlobNotFoundError, BlobStore, Ports, SparkRun, SparkSubmission
from aimass_core.services import records
from batch_jobs.prepare.contract import Made, MadePart, label_of
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.interruption import Interrupted
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.runtime.storage.channels import find_left
from batch_jobs.spark import contract

ENGINE = "spark"
_PROGRAM = b"from batch_jobs.spark import program\n\nprogram.main()\n"
# Between two looks at a run: a share of the time that it has taken, so that short ones are not waited for.
_SHARE, _MIN_SECONDS, _MAX_SECONDS = 0.05, 0.5, 15.0
# Before the compute service ends this container: time to cancel the run and to say why.
_LAST_SECONDS = 30.0
_log = logging.getLogger(__name__)


@contextmanager
def make(
    ports: Ports,
    workspace_id: str,
    spec: PrepareSpec,
    environment: Environment,
    *,
    reporter: Reporter,
    work_path: Path,
    sleep: Callable[[float], None],
) -> Iterator[Made]:
    """What a run has made, brought here. What it left in the lake is deleted once the caller has used it.

    Raises:
        InvalidDataError, InvalidRequestError: a step does not fit, as DuckDB would say it.
        DeadlineExceededError: the job's time is over.
        InternalError: the run failed otherwise.
        UnavailableError: no run could be begun; a later attempt may.
    """
    job = records.get(ports, Job, workspace_id, environment.job)
    standing = _StandIn(ports=ports, job=job, spec=spec, environment=environment, reporter=reporter, sleep=sleep)
    place, ended = standing.follow()
    is_wanted = False
    try:
        if ended.status is not SparkStatus.SUCCEEDED:
            raise standing.explain(place, ended)
        yield standing.bring(place, ended, work_path)
    except (Interrupted, UnavailableError):
        is_wanted = True  # by the next attempt
        raise
    finally:
        if not is_wanted:
            _clear(ports.lake, place.folder)


def _clear(lake: BlobStore, folder: str) -> None:
    """The result goes first: without it no later attempt takes what is only half there for what a run has left."""
    try:
        lake.delete(folder + contract.RESULT)
        lake.delete_all(folder)
    except AimassError as error:
        _log.warning("what the run on Spark has left stays in the lake: %s", error.message)


@dataclass(frozen=True, slots=True)
class _Place:
    """A run, and where it reads and writes."""

    run_id: str
    folder: str


@dataclass(slots=True, kw_only=True)
class _StandIn:
    ports: Ports
    job: Job
    spec: PrepareSpec
    environment: Environment
    reporter: Reporter
    sleep: Callable[[float], None]
    _place: _Place | None = None
    _run: SparkRun | None = None
    _told: tuple[int, str] | None = None

    def follow(self) -> tuple[_Place, SparkRun]:
        """Waits for the end of a run, and cancels it where this container has to leave and nobody comes after it."""
        started, goes_on = time.monotonic(), False
        try:
            place = self._find_or_begin()
            while True:
                self._look(place)
                if self._run is not None and self._run.status.is_terminal:
                    return place, self._run
                self._require_time()
                self.sleep(min(_MAX_SECONDS, max(_MIN_SECONDS, _SHARE * (time.monotonic() - started))))
        except Interrupted:
            goes_on = self._goes_on()
            raise
        finally:
            if not goes_on and self._place is not None and not (self._run and self._run.status.is_terminal):
                self._cancel(self._place)

    def explain(self, place: _Place, run: SparkRun) -> AimassError:
        """Why a run failed: as the program says it, else in the service's words."""
        with suppress(BlobNotFoundError):
            failure = contract.SparkFailure.model_validate_json(self.ports.lake.get(place.folder + contract.FAILURE))
            return error_classes().get(failure.code, InternalError)(failure.cause)
        if run.status is SparkStatus.STOPPED:
            return InternalError(f"The job's run on Spark was cancelled: {run.reason}")
        return InternalError(f"The job's run on Spark failed: {run.reason}")

    def bring(self, place: _Place, run: SparkRun, work_path: Path) -> Made:
        """Raises InternalError where the run says that it succeeded and has left nothing."""
        lake = self.ports.lake
        try:
            result = contract.SparkResult.model_validate_json(lake.get(place.folder + contract.RESULT))
            quarantined = work_path / contract.QUARANTINE
            lake.download(place.folder + contract.QUARANTINE, quarantined)
        except BlobNotFoundError as error:
            raise InternalError("The job's run on Spark succeeded, and has left no result.") from error
        parts = []
        for index, (name, num_rows) in enumerate(zip(self.spec.recipe.parts or [""], result.num_rows, strict=True)):
            folder = work_path / f"part-{index}"
            folder.mkdir()
            prefix = f"{place.folder}{contract.part_folder(index)}/"
            for info in lake.list(prefix):
                file = info.key.removeprefix(prefix)
                if file.startswith("part") and file.endswith(".parquet") and "/" not in file:
                    lake.download(info.key, folder / file)
            parts.append(MadePart(name=name, folder=folder, num_rows=num_rows))
        hours = {"spark_vcpu_hours": run.vcpu_hours, "spark_memory_gb_hours": run.memory_gb_hours}
        return Made(
            engine=ENGINE,
            num_rows_in=result.num_rows_in,
            steps=result.steps,
            parts=parts,
            quarantined=quarantined,
            metrics={name: value for name, value in hours.items() if value is not None},
        )

    def _find_or_begin(self) -> _Place:
        """The newest run that was not cancelled; where its result is gone, a later one has to make it again."""
        number = 0
        while True:
            number += 1
            self._place, self._run = self._submit(number), None
            self._run = self.ports.spark.describe(self._place.run_id)
            is_gone = self._run.status is SparkStatus.SUCCEEDED and not self._has(self._place, contract.RESULT)
            if number >= self.environment.attempt or not (self._run.status is SparkStatus.STOPPED or is_gone):
                _log.info("run %s of Spark, number %d: %s", self._place.run_id, number, self._run.reason)
                return self._place

    def _submit(self, number: int) -> _Place:
        """The run of that number, which begins if it has not. NOTE: all that it is told follows from the job and the
        number: the same token with another request would be refused."""
        job, lake = self.job, self.ports.lake
        folder = keys.job_spark_run(job.workspace_id, job.id, number)
        lake.put(folder + contract.PROGRAM, _PROGRAM, content_type="text/x-python")
        lake.put(folder + contract.REQUEST, self._to_request().model_dump_json().encode())
        submission = SparkSubmission(
            name=job.id,
            token=f"{job.id}-{number}",
            program=folder + contract.PROGRAM,
            folder=folder,
            reads=list(dict.fromkeys(keys.dataset_folder_of(key) for files in self._left().values() for key in files)),
            max_seconds=job.max_seconds,
            tags={"aimass:workspace": job.workspace_id, "aimass:job": job.id},
        )
        return _Place(self.ports.spark.start(submission), folder)

    def _to_request(self) -> contract.SparkRequest:
        sources = {}
        for name, files in self._left().items():
            schema = Schema.model_validate_json((self.environment.channels[name] / "schema.json").read_text())
            addresses = [f"s3://{self.ports.lake.bucket}/{key}" for key in files]
            label = label_of(self.environment, name)
            sources[name] = contract.SparkSource(label=label, data_schema=schema, files=addresses)
        return contract.SparkRequest(recipe=self.spec.recipe, sources=sources)

    def _left(self) -> Mapping[str, list[str]]:
        return {name: find_left(folder) or [] for name, folder in self.environment.channels.items()}

    def _look(self, place: _Place) -> None:
        """Where nobody answers, the run goes on meanwhile."""
        num_steps = len(self.spec.recipe.steps) + 2
        try:
            self._run = self.ports.spark.describe(place.run_id)
            progress = self._read_progress(place)
        except UnavailableError as error:
            _log.warning("%s", error.message)
            return
        step, words = (0, f"Spark: {self._run.reason}") if progress is None else (progress.number - 1, progress.do)
        if (step, words) != self._told:
            self._told = step, words
            self.reporter.progress("prepare", step=step, num_steps=num_steps, message=words)

    def _read_progress(self, place: _Place) -> contract.SparkProgress | None:
        try:
            body = self.ports.lake.get(place.folder + contract.PROGRESS)
        except BlobNotFoundError:
            return None
        return contract.SparkProgress.model_validate(json.loads(body))

    def _has(self, place: _Place, name: str) -> bool:
        return self.ports.lake.head(place.folder + name) is not None

    def _require_time(self) -> None:
        deadline = self.environment.deadline
        if deadline is not None and time.monotonic() > deadline - min(_LAST_SECONDS, 0.1 * self.job.max_seconds):
            raise DeadlineExceededError(
                f"The recipe was not done on Spark within {self.job.max_seconds:,} seconds, which the job has "
                "(max_seconds). Submit it with more."
            )

    def _goes_on(self) -> bool:
        """Whether another attempt takes the run over: nobody has stopped the job, and it has time."""
        try:
            job = records.get(self.ports, Job, self.job.workspace_id, self.job.id)
            self._require_time()
        except AimassError:
            return False
        return job.status is JobStatus.RUNNING

    def _cancel(self, place: _Place) -> None:
        try:
            self.ports.spark.cancel(place.run_id)
        except AimassError as error:
            _log.warning("the run %s on Spark goes on until its time is over: %s", place.run_id, error.message)
