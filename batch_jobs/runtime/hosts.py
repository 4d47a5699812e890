"""Where a container runs, as its lifecycle sees it: on Batch or SageMaker, beside our registry, or there alone.

Of several machines the main one's host claims the job, reports and hands over; the others' `ParticipantHost` reads.
So it is with the workers of a study, or of a batch prediction.
"""

import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import ValidationError

from aimass_core.domain import keys
from aimass_core.domain.batch_predictions import PredictSpec
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.jobs import AnySpec, Failure, Job, from_hyperparameters
from aimass_core.domain.model_jobs import ModelJobSpec
from aimass_core.domain.study_specs import StudySpec
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import AimassError, InvalidRequestError
from aimass_core.ports import BlobNotFoundError
from batch_jobs.runtime import cluster, interruption, resources
from batch_jobs.runtime.cluster import ALONE, Cluster, Worker
from batch_jobs.runtime.environment import Environment, StudyPlace
from batch_jobs.runtime.exit_codes import ExitCode
from batch_jobs.runtime.fence import Fence
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.runtime.reports.console import ConsoleReporter, Reporters
from batch_jobs.runtime.reports.registry import RegistryReporter
from batch_jobs.runtime.reports.tensorboard import TensorBoardReporter
from batch_jobs.runtime.storage import artifacts, channels, mirror, models
from batch_jobs.runtime.storage.folders import Folders
from batch_jobs.runtime.storage.mirror import Mirror

# Of the seconds before SIGKILL, those in which an interrupted attempt hands over its last checkpoint.
_LAST_CHECKPOINT_SECONDS = 12.0
_CONFIG_FILES = ("hyperparameters.json", "inputdataconfig.json")
_log = logging.getLogger(__name__)

OpenStudy = Callable[[str], StudyPlace]
"""Where the study of that id lies."""


class Host(Protocol):
    """What differs between compute services."""

    @property
    def folders(self) -> Folders:
        """Of this attempt."""

    @property
    def attempt(self) -> int:
        """From 1."""

    def begin(self) -> tuple[Environment, Reporter]:
        """Brings in configuration and data. Raises SupersededError where this attempt may not run."""

    def finish(self, metrics: Mapping[str, float]) -> None:
        """Hands over what the job made. Raises SupersededError."""

    def fail(self, failure: Failure) -> None:
        """Hands over why it did not. Raises SupersededError."""

    def close(self, *, timeout_seconds: float) -> None:
        """Sends the last reports."""


class BatchHost:
    """Configuration and channels come from the lake; events, artifacts and failures go back."""

    _config_files: ClassVar[tuple[str, ...]] = (*_CONFIG_FILES, "resourceconfig.json")

    def __init__(
        self,
        fence: Fence,
        folders: Folders,
        variables: Mapping[str, str],
        *,
        open_study: OpenStudy | None = None,
        spark_above_bytes: int | None = None,
    ) -> None:
        self._fence, self._folders, self._variables, self._open_study = fence, folders, variables, open_study
        self._spark_above_bytes = spark_above_bytes
        self._started = time.monotonic()
        self._reporter: RegistryReporter | None = None
        self._tensorboard = TensorBoardReporter(folders.tensorboard, attempt=fence.attempt)
        self._mirror: Mirror | None = None

    @property
    def folders(self) -> Folders:
        """See Host."""
        return self._folders

    @property
    def attempt(self) -> int:
        """See Host."""
        return max(1, self._fence.attempt)

    def begin(self) -> tuple[Environment, Reporter]:
        """See Host."""
        job = self._fence.claim()
        _log.info("job %s, attempt %d, workspace %s", job.id, self.attempt, job.workspace_id)
        self._prepare_folders()
        self._reporter = RegistryReporter(self._fence, job, on_superseded=interruption.leave)
        self._reporter.start()
        self._reporter.progress("download")
        leave_above_bytes = self._spark_above_bytes if job.kind is JobKind.PREPARE else None
        given = _download(self._fence, self._folders, self._config_files, leave_above_bytes=leave_above_bytes)
        self._mirror = self._begin_mirror()
        environment = _to_environment(
            self._folders,
            given,
            self._variables,
            attempt=self.attempt,
            job_name=job.id,
            place=self._find_place(),
            deadline=self._started + job.max_seconds,
            job=job,
            worker=cluster.worker_from_batch(self._variables),
            open_study=self._open_study,
        )
        return environment, Reporters([ConsoleReporter(), self._reporter, self._tensorboard])

    def finish(self, metrics: Mapping[str, float]) -> None:
        """See Host."""
        if self._reporter is not None:
            self._reporter.progress("upload")
        artifacts.upload_result(self._fence, self._folders, metrics)
        self._drop_checkpoints()

    def fail(self, failure: Failure) -> None:
        """See Host."""
        artifacts.upload_failure(self._fence, self._folders, failure)
        if failure.exit_code != ExitCode.INTERRUPTED:
            self._drop_checkpoints()

    def close(self, *, timeout_seconds: float) -> None:
        """See Host."""
        self._end_mirror(timeout_seconds=max(timeout_seconds, _LAST_CHECKPOINT_SECONDS))
        if self._reporter is not None:
            self._reporter.finish(timeout_seconds=timeout_seconds)

    def _find_place(self) -> Cluster:
        return cluster.from_batch(self._variables)

    def _prepare_folders(self) -> None:
        self._folders.clear()
        self._folders.make()

    def _begin_mirror(self) -> Mirror:
        """With the checkpoints of earlier attempts brought back. Who retries the job by hand begins anew: what made
        it fail, a loss that is not a number say, may be in them."""
        workspace_id, job_id, lake = self._fence.workspace_id, self._fence.job_id, self._fence.ports.lake
        prefix, known = keys.job_checkpoints(workspace_id, job_id), {}
        if self.attempt > 1:
            known = mirror.download_folder(lake, prefix, self._folders.checkpoints)
        folders = {
            prefix: self._folders.checkpoints,
            keys.job_tensorboard(workspace_id, job_id): self._folders.tensorboard,
        }
        begun = Mirror(self._fence, folders, known=known)
        begun.start()
        return begun

    def _end_mirror(self, *, timeout_seconds: float) -> None:
        self._tensorboard.close()
        if self._mirror is not None:
            self._mirror.finish(timeout_seconds=timeout_seconds)
            self._mirror = None

    def _drop_checkpoints(self) -> None:
        """No attempt will need them."""
        self._end_mirror(timeout_seconds=_LAST_CHECKPOINT_SECONDS)
        lake = self._fence.ports.lake
        try:
            for info in lake.list(keys.job_checkpoints(self._fence.workspace_id, self._fence.job_id)):
                lake.delete(info.key)
        except AimassError as error:
            _log.warning("the job's checkpoints stay in the lake: %s", error.message)


class TrainingJobHost(BatchHost):
    """As on Batch, in a job that dispatch gave to SageMaker: which hosts there are, SageMaker says."""

    _config_files = _CONFIG_FILES

    def _find_place(self) -> Cluster:
        return find_place(self._folders, self._variables)

    def _prepare_folders(self) -> None:
        """They are new, and hold resourceconfig.json and what former containers of the job saved."""
        self._folders.make()


class ParticipantHost:
    """A machine that takes part and is not the main one. It reads the job and its data; what it has to say is in its
    own log. It claims nothing: the main one does, perhaps later."""

    def __init__(
        self,
        fence: Fence,
        folders: Folders,
        variables: Mapping[str, str],
        place: Cluster,
        *,
        open_study: OpenStudy | None = None,
    ) -> None:
        self._fence, self._folders, self._variables, self._place = fence, folders, variables, place
        self._open_study = open_study
        self._started = time.monotonic()

    @property
    def folders(self) -> Folders:
        """See Host."""
        return self._folders

    @property
    def attempt(self) -> int:
        """See Host."""
        return max(1, self._fence.attempt)

    def begin(self) -> tuple[Environment, Reporter]:
        """See Host."""
        job = self._fence.look()
        place, worker = self._place, cluster.worker_from_batch(self._variables)
        which = max(place.rank, worker.index), max(place.num_processes, worker.count)
        _log.info("job %s, machine %d of %d, workspace %s", job.id, *which, job.workspace_id)
        self._folders.make()
        given = _download(self._fence, self._folders, _CONFIG_FILES)
        environment = _to_environment(
            self._folders,
            given,
            self._variables,
            attempt=self.attempt,
            job_name=job.id,
            place=place,
            deadline=self._started + job.max_seconds,
            job=job,
            worker=worker,
            open_study=self._open_study,
        )
        return environment, ConsoleReporter()

    def finish(self, metrics: Mapping[str, float]) -> None:
        """See Host. The main machine has the result."""

    def fail(self, failure: Failure) -> None:
        """See Host. The main machine fails too, and says so."""

    def close(self, *, timeout_seconds: float) -> None:
        """See Host."""


def find_place(folders: Folders, variables: Mapping[str, str]) -> Cluster:
    """On SageMaker."""
    config = _read_config(folders, "resourceconfig.json")
    return cluster.from_resources(config, job=variables.get("TRAINING_JOB_NAME", ""))


@dataclass(frozen=True, slots=True)
class _Given:
    """Folders of what a job is given, by name and by role."""

    channels: Mapping[str, Path]
    models: Mapping[str, Path]


def _download(fence: Fence, folders: Folders, names: Sequence[str], *, leave_above_bytes: int | None = None) -> _Given:
    """Brings in the configuration, and the channels and models that it names; larger channels stay where they are."""
    lake = fence.ports.lake
    for name in names:
        try:
            body = lake.get(keys.job_config(fence.workspace_id, fence.job_id, name))
        except BlobNotFoundError as error:
            raise InvalidRequestError(
                f"The job's configuration {name} is gone from the lake. Submit the job again."
            ) from error
        (folders.config / name).write_bytes(body)
    config = _read_config(folders, "inputdataconfig.json")
    of_models = {role: source for role, source in config.items() if models.is_model(source)}
    of_channels = {name: source for name, source in config.items() if name not in of_models}
    return _Given(
        channels=channels.download_channels(lake, of_channels, folders.data, leave_above_bytes=leave_above_bytes),
        models=models.download_models(lake, of_models, folders.data),
    )


class SageMakerHost:
    """SageMaker has put everything into the folders, and takes from them what it finds at the end."""

    def __init__(self, folders: Folders, variables: Mapping[str, str]) -> None:
        self._folders, self._variables = folders, variables
        self._tensorboard = TensorBoardReporter(folders.tensorboard, attempt=1)

    @property
    def folders(self) -> Folders:
        """See Host."""
        return self._folders

    @property
    def attempt(self) -> int:
        """See Host. SageMaker restarts a job in a container of its own and does not count."""
        return 1

    def begin(self) -> tuple[Environment, Reporter]:
        """See Host."""
        self._folders.make()
        given = _Given(*models.divide_folders(channels.list_channels(self._folders.data)))
        job_name = self._variables.get("TRAINING_JOB_NAME", "")
        environment = _to_environment(
            self._folders,
            given,
            self._variables,
            attempt=self.attempt,
            job_name=job_name,
            place=find_place(self._folders, self._variables),
            deadline=None,
        )
        return environment, Reporters([ConsoleReporter(), self._tensorboard])

    def finish(self, metrics: Mapping[str, float]) -> None:
        """See Host. The metrics go where SageMaker's users look for them: into the log and output.tar.gz. The parts of
        a decomposition go into model.tar.gz."""
        if not find_place(self._folders, self._variables).is_main:
            return
        if self._folders.parts.is_dir():
            shutil.copytree(self._folders.parts, self._folders.model / self._folders.parts.name, dirs_exist_ok=True)
        (self._folders.output / "metrics.json").write_text(json.dumps(dict(metrics), indent=1, allow_nan=False))
        _log.info("final metrics: %s", " ".join(f"{name}={value:.6g}" for name, value in metrics.items()))

    def fail(self, failure: Failure) -> None:
        """See Host. The failure file is all that SageMaker reads."""

    def close(self, *, timeout_seconds: float) -> None:  # noqa: ARG002 - there is nothing to wait for
        """See Host. SageMaker copies the folders by itself."""
        self._tensorboard.close()


def _to_environment(
    folders: Folders,
    given: _Given,
    variables: Mapping[str, str],
    *,
    attempt: int,
    job_name: str,
    place: Cluster,
    deadline: float | None,
    job: Job | None = None,
    worker: Worker = ALONE,
    open_study: OpenStudy | None = None,
) -> Environment:
    try:
        spec = from_hyperparameters(_read_config(folders, "hyperparameters.json"))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise InvalidRequestError(f"hyperparameters.json does not describe a job: {faults}.") from error
    pinned = job.channels.get("train") if job else None
    environment = Environment(
        base_path=folders.root,
        channels=given.channels,
        models=given.models,
        model_path=folders.model,
        output_path=folders.output,
        checkpoint_path=folders.checkpoints,
        spec=spec,
        attempt=attempt,
        num_cpus=resources.count_cpus(variables),
        num_gpus=resources.count_gpus(variables),
        memory_bytes=resources.count_memory_bytes(job.compute if job else None),
        cluster=place,
        job=job_name,
        deadline=deadline,
        dataset=f"{pinned.dataset_name}@{pinned.number}" if pinned else _dataset_of(spec),
        dataset_digest=pinned.digest if pinned else None,
    )
    if isinstance(spec, PredictSpec):
        return _as_worker(environment, worker)
    if isinstance(spec, StudySpec):
        study_id = job.study_id if job else None
        study = open_study(study_id) if open_study and study_id else None
        return _as_worker(replace(environment, study=study), worker)
    return environment


def _dataset_of(spec: AnySpec) -> str:
    learning = spec.data if isinstance(spec, ModelJobSpec) else spec
    return learning.dataset if isinstance(learning, LearningSpec) else ""


def _as_worker(environment: Environment, worker: Worker) -> Environment:
    """SageMaker's hosts are the workers; on Batch they are an array's children. Either way each trains alone."""
    place = environment.cluster
    if not place.is_alone:
        worker = Worker(index=place.rank, count=place.num_processes)
    return replace(environment, worker=worker, cluster=Cluster(hosts=(place.host,)))


def _read_config(folders: Folders, name: str) -> dict[str, Any]:
    path = folders.config / name
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InvalidRequestError(f"{path} is missing: the container was started without its configuration.") from error
    except ValueError as error:
        raise InvalidRequestError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InvalidRequestError(f"{path} must hold a JSON object.")
    return content
