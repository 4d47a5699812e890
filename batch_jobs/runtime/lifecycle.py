"""Runs one job kind from its start to its exit code, on Batch as on SageMaker."""

import importlib
import logging
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from aimass_core import bootstrap
from aimass_core.domain.compute_states import LOG_LEVEL_VARIABLE
from aimass_core.domain.jobs import Failure
from aimass_core.domain.settings.logging import RequestLogLevel
from aimass_core.errors import AimassError, InvalidRequestError
from aimass_core.settings import ContainerSettings
from batch_jobs.runtime import cluster, failures, interruption, resources
from batch_jobs.runtime.environment import Environment, StudyPlace
from batch_jobs.runtime.exit_codes import ExitCode
from batch_jobs.runtime.failures import Ending
from batch_jobs.runtime.fence import Fence, SupersededError
from batch_jobs.runtime.hosts import BatchHost, Host, ParticipantHost, SageMakerHost, TrainingJobHost, find_place
from batch_jobs.runtime.interruption import Interrupted
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.runtime.storage.folders import resolve_folders

Run = Callable[[Environment, Reporter], Mapping[str, float]]

# Each has `run(environment, reporter)`, which returns the final metrics, and is imported only when it is asked for.
KINDS = {
    "train": "batch_jobs.train",
    "search": "batch_jobs.search.searching",
    "autotrain": "batch_jobs.search.autotraining",
    "compress": "batch_jobs.compress",
    "fuse": "batch_jobs.fuse",
    "decompose": "batch_jobs.decompose",
    "script": "batch_jobs.script",
    "import": "batch_jobs.importing",
    "prepare": "batch_jobs.prepare",
    "predict": "batch_jobs.predict",
    "collect": "batch_jobs.collect",
    "ingest": "batch_jobs.ingest",
    "report": "batch_jobs.report",
    "export": "batch_jobs.transfer.exporting",
    "import_workspace": "batch_jobs.transfer.importing",
}

_LAST_REPORTS_SECONDS = 60.0
_LAST_REPORTS_INTERRUPTED_SECONDS = 5.0
_log = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """The command line. Returns the exit code."""
    _configure_logging(os.environ.get(LOG_LEVEL_VARIABLE, RequestLogLevel.INFO))
    if len(arguments) != 1 or arguments[0] not in KINDS:
        _log.error("usage: python -m batch_jobs %s; got %s", "|".join(KINDS), list(arguments))
        return ExitCode.USER_ERROR
    resources.settle_threads(os.environ)
    interruption.listen()
    try:
        host = resolve_host(os.environ)
    except ValidationError as error:
        _log.error("the container lacks its variables: %s", error)
        return ExitCode.PLATFORM_FAULT
    except InvalidRequestError as error:
        _log.error("%s", error.message)
        return ExitCode.PLATFORM_FAULT
    return execute(host, lambda: _load(arguments[0]), os.environ)


def resolve_host(variables: Mapping[str, str]) -> Host:
    """AWS Batch says so by AWS_BATCH_JOB_ID; all else is SageMaker, and AIMASS_JOB_ID says that the job is of ours."""
    is_batch = "AWS_BATCH_JOB_ID" in variables
    folders = resolve_folders(variables, is_batch=is_batch, working_path=Path.cwd())
    if not is_batch and "AIMASS_JOB_ID" not in variables:
        return SageMakerHost(folders, variables)
    settings = ContainerSettings()
    ports = bootstrap.build_ports(settings)

    def open_study(study_id: str) -> StudyPlace:
        return StudyPlace(
            ports=ports,
            workspace_id=settings.workspace_id,
            study_id=study_id,
            client=ports.clients.dynamodb,
            table=settings.studies_table,
        )

    worker = cluster.worker_from_batch(variables)
    # NOTE: Batch counts the attempts of each worker; the job's are those of worker 0.
    is_counted = is_batch and worker.is_main
    fence = Fence(
        ports=ports,
        workspace_id=settings.workspace_id,
        job_id=settings.job_id,
        attempt=int(variables.get("AWS_BATCH_JOB_ATTEMPT", "1")) if is_counted else 0,
    )
    place = cluster.from_batch(variables) if is_batch else find_place(folders, variables)
    if not (place.is_main and worker.is_main):
        return ParticipantHost(fence, folders, variables, place, open_study=open_study)
    host = BatchHost if is_batch else TrainingJobHost
    has_spark = settings.spark_application_id is not None
    spark_above_bytes = settings.spark_above_bytes if has_spark else None
    return host(fence, folders, variables, open_study=open_study, spark_above_bytes=spark_above_bytes)


def execute(host: Host, load: Callable[[], Run], variables: Mapping[str, str]) -> ExitCode:
    """Runs a job and hands over what came of it. Nothing is raised: the exit code says how it went."""
    try:
        environment, reporter = host.begin()
        metrics = load()(environment, reporter)
        host.finish(_finite(metrics, reporter))
        interruption.ignore()
        host.close(timeout_seconds=_LAST_REPORTS_SECONDS)
    except SupersededError as error:
        return _withdraw(host, error)
    except (Interrupted, KeyboardInterrupt):
        _log.warning("interrupted")
        ending, timeout_seconds = failures.interrupted(host.attempt), _LAST_REPORTS_INTERRUPTED_SECONDS
    except Exception as error:  # noqa: BLE001 - whatever a job raises becomes its failure
        # NOTE: the traceback goes to the log through the failure's redaction, never through `_log.exception`.
        ending, timeout_seconds = failures.explain(error, variables), _LAST_REPORTS_SECONDS
    else:
        _log.info("done")
        return ExitCode.SUCCESS
    interruption.ignore()
    return _end(host, ending, timeout_seconds=timeout_seconds)


def _end(host: Host, ending: Ending, *, timeout_seconds: float) -> ExitCode:
    _log.error("%s", ending.failure.cause)
    if ending.failure.traceback:
        _log.error("%s", ending.failure.traceback)
    _write_failure(host, ending.failure)
    try:
        host.close(timeout_seconds=timeout_seconds)
        host.fail(ending.failure)
    except SupersededError as error:
        return _withdraw(host, error)
    except AimassError as error:
        _log.error("the failure could not be recorded: %s", error.message)
    return ending.exit_code


def _withdraw(host: Host, error: SupersededError) -> ExitCode:
    """Leaves nothing: somebody else decides about this job."""
    interruption.ignore()
    _log.warning("%s", error)
    host.close(timeout_seconds=_LAST_REPORTS_INTERRUPTED_SECONDS)
    return ExitCode.PLATFORM_FAULT


def _write_failure(host: Host, failure: Failure) -> None:
    """SageMaker's failure file; it shows the first 1,024 characters."""
    path = host.folders.failure
    text = failure.cause if failure.traceback is None else f"{failure.cause}\n{failure.traceback}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        _log.error("the failure file could not be written: %s", error)


def _finite(metrics: Mapping[str, float], reporter: Reporter) -> dict[str, float]:
    """Neither JSON nor the registry can say NaN: such a metric is told in words and left out."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            reporter.message(f"The metric {name} is {value}: it is left out.")
    return {name: float(value) for name, value in metrics.items() if math.isfinite(value)}


def _load(kind: str) -> Run:
    run: Run = importlib.import_module(KINDS[kind]).run
    return run


def _configure_logging(level: str) -> None:
    """Plain lines on standard output: they are the job's log. `level` is that of the workspace's settings."""
    others = logging.INFO if level == RequestLogLevel.DEBUG else logging.WARNING
    logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s", level=others)
    own = logging.WARNING if level == RequestLogLevel.WARNING else logging.INFO
    for name in ("batch_jobs", "aimass_core"):
        logging.getLogger(name).setLevel(own)
