"""Jobs: train, watch, stop, retry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aimass import packing, uploading
from aimass.binding import Api, Bound, Pages, to_request
from aimass.errors import ConnectionFailedError, JobFailedError, WaitTimeoutError
from aimass.resources.datasets import Dataset, DatasetVersion
from aimass.resources.endpoints import Endpoint
from aimass.resources.models import ModelVersion
from aimass_core.domain import jobs as contract
from aimass_core.domain.compute import Compute
from aimass_core.domain.estimates import JobEstimate
from aimass_core.domain.jobs import JobCreate, JobEvent, JobStatus, LogLine

_PATH = "/v1/jobs"
_WAIT_SECONDS = 5
_COMPUTE = tuple(Compute.model_fields)
OnUpdate = Callable[["Job", Sequence[JobEvent]], None]


class ModelRef(contract.ModelRef, Bound):
    """The model version that a job made."""

    def get(self) -> ModelVersion:
        """With its signature, card and artifacts."""
        return self._client.models.get_version(self.model_id, self.number)

    def deploy(self, *, name: str | None = None, timeout_seconds: float = 120) -> Endpoint:
        """Serves it; see ModelVersion.deploy."""
        return self._client.endpoints.deploy(
            f"{self.model_name}@{self.number}", name=name, timeout_seconds=timeout_seconds
        )


class Job(contract.Job, Bound):
    """One run."""

    model_version: ModelRef | None = None

    def refresh(self) -> Job:
        """As it is now."""
        return self._client.jobs.get(self.id)

    def wait(
        self,
        *,
        on_update: OnUpdate | None = None,
        timeout_seconds: float | None = None,
        raise_on_failure: bool = True,
    ) -> Job:
        """Until it has ended; `on_update` is called with the job and its new events.

        Raises:
            JobFailedError: It FAILED or was STOPPED.
            WaitTimeoutError: The time is over; the job goes on.
        """
        job, last = self, 0
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            seen = self._client.jobs.events(self.id, after=last, wait_seconds=0 if last == 0 else _WAIT_SECONDS)
            job, last = seen.job, max(seen.last, 1)
            if on_update and (seen.events or job.status.is_terminal):
                on_update(job, seen.events)
            if job.status.is_terminal and not seen.events:
                break
            if deadline is not None and time.monotonic() > deadline:
                raise WaitTimeoutError(f"Job {self.id} is still {job.status} after {timeout_seconds:g} s.")
        if raise_on_failure and job.status is not JobStatus.SUCCEEDED:
            raise JobFailedError(job)
        return job

    def stop(self) -> Job:
        """Asks it to end; harmless when it has."""
        return self._client.jobs.stop(self.id)

    def retry(self) -> Job:
        """The same again, as a new job."""
        return self._client.jobs.retry(self.id)

    def logs(self) -> Iterator[LogLine]:
        """Every line that its container wrote."""
        return self._client.jobs.logs(self.id)

    def download_tensorboard(self, folder: str | Path) -> int:
        """Brings its TensorBoard files up to date; see JobsApi.download_tensorboard."""
        return self._client.jobs.download_tensorboard(self.id, folder)


class JobEvents(contract.JobEvents):
    """New events, and the job as it is now."""

    job: Job


class JobsApi(Api):
    """`client.jobs`."""

    def train(
        self,
        dataset: str | Dataset | DatasetVersion,
        *,
        algorithm: str,
        hyperparameters: dict[str, Any] | None = None,
        features: str | dict[str, Any] | None = None,
        validation: str | Dataset | DatasetVersion | None = None,
        test: str | Dataset | DatasetVersion | None = None,
        num_nodes: int | None = None,
        vcpus: int | None = None,
        memory_mib: int | None = None,
        backend: str | None = None,
        instance_type: str | None = None,
        instance_count: int | None = None,
        spot: bool | None = None,
        max_wait_seconds: int | None = None,
        max_seconds: int = 3600,
        max_cost_usd: float | None = None,
        depends_on: Sequence[str | Job] = (),
        **spec: Any,
    ) -> Job:
        """Starts a training job.

        Args:
            dataset: A name, `name@version`, or what `upload` returned.
            algorithm: See `client.algorithms.list()`.
            hyperparameters: Those of the algorithm; the others keep their defaults.
            features: "plain" (the default), "auto", or recipes as in `FeatureSpec`.
            validation: Default: `validation_fraction` (0.2) of the dataset is held out.
            test: Judged once, at the end.
            num_nodes: Machines that train together, each with the resources below; default: 1.
            vcpus: Default: the job definition's.
            memory_mib: Default: the job definition's.
            backend: `batch` (default) or `sagemaker`; the arguments below are for SageMaker.
            instance_type: Such as `ml.m5.xlarge`.
            instance_count: Machines that train together; default: 1.
            spot: Machines that cost less and may be taken away; the job then goes on.
            max_wait_seconds: With spot: to the job's end, waiting for machines included; at least max_seconds.
            max_seconds: The training ends before, with the best model it has by then.
            max_cost_usd: Turned into seconds by the price of its compute; the smaller limit holds. See `Job.budget`.
            depends_on: Jobs that have to succeed first.
            **spec: framework, target, task, model, folds, seed, exclude_columns, validation_fraction,
                label_separator, horizon, window, time_column, checkpoint_seconds: see TrainSpec. A list of columns
                of 0 and 1 as target is a multi-label task.

        Raises:
            InvalidRequestError: A hyperparameter is unknown or out of range.
            InvalidDataError: The dataset does not allow it.
        """
        request = _to_train_request(
            dataset,
            algorithm=algorithm,
            hyperparameters=hyperparameters,
            channels={"validation": validation, "test": test},
            compute=_chosen(
                num_nodes=num_nodes,
                vcpus=vcpus,
                memory_mib=memory_mib,
                backend=backend,
                instance_type=instance_type,
                instance_count=instance_count,
                spot=spot,
                max_wait_seconds=max_wait_seconds,
            ),
            limits=_chosen(max_seconds=max_seconds, max_cost_usd=max_cost_usd),
            depends_on=depends_on,
            spec={**spec, "features": features},
        )
        return self.submit(request)

    def run_script(
        self,
        source: str | Path,
        *,
        entry_point: str = "train.py",
        dataset: str | Dataset | DatasetVersion | None = None,
        channels: Mapping[str, str | Dataset | DatasetVersion] | None = None,
        hyperparameters: Mapping[str, str | int | float | bool] | None = None,
        model: str | None = None,
        max_seconds: int = 3600,
        max_cost_usd: float | None = None,
        depends_on: Sequence[str | Job] = (),
        **compute: Any,
    ) -> Job:
        """Runs a program of your own, as SageMaker runs one.

        Args:
            source: A folder, or a .tar, .tar.gz or .zip of one (`git archive` makes them); with requirements.txt, its
                requirements are installed first.
            entry_point: A Python file in it.
            dataset: The channel `train`: Parquet files in the folder that SM_CHANNEL_TRAIN names.
            channels: More of them, by name.
            hyperparameters: Arguments of the program (`--epochs 3`), and SM_HP_* variables.
            model: Then the job fails unless the program leaves one .onnx file in SM_MODEL_DIR that can be served.
            max_seconds: Then it is stopped.
            max_cost_usd: See `train`.
            depends_on: Jobs that have to succeed first.
            **compute: vcpus, memory_mib, gpus, backend, instance_type, instance_count, spot, max_wait_seconds.

        Raises:
            InvalidDataError: The source is too large, has links, or lacks the entry point.
        """
        given = ({"train": dataset} if dataset is not None else {}) | dict(channels or {})
        spec = {
            "kind": "script",
            "source": "0" * 64,
            "entry_point": entry_point,
            "channels": {name: _to_ref(ref) for name, ref in given.items()},
            "hyperparameters": dict(hyperparameters or {}),
            "model": model,
        }
        body: dict[str, Any] = {
            "compute": compute,
            "depends_on": _to_ids(depends_on),
            **_chosen(max_seconds=max_seconds, max_cost_usd=max_cost_usd),
        }
        # Before anything is sent, what can be checked here is.
        to_request(JobCreate, spec=spec, **body)
        with packing.packed(Path(source), entry_point=entry_point) as path:
            sha256 = uploading.send_source(self._client, path)
        return self.submit(to_request(JobCreate, spec={**spec, "source": sha256}, **body))

    def submit(self, request: JobCreate) -> Job:
        """Submits a request as the API takes it."""
        return self._read(Job, self._client.http.request("POST", _PATH, body=request.model_dump(mode="json")))

    def estimate(
        self, dataset: str | Dataset | DatasetVersion, *, algorithm: str, max_seconds: int = 3600, **options: Any
    ) -> JobEstimate:
        """What `train` with the same arguments would take: seconds, dollars, memory, disk. Nothing is submitted."""
        names = {"validation", "test"}
        compute = _chosen(**{name: options.pop(name, None) for name in _COMPUTE})
        limits = _chosen(max_seconds=max_seconds, max_cost_usd=options.pop("max_cost_usd", None))
        request = _to_train_request(
            dataset,
            algorithm=algorithm,
            hyperparameters=options.pop("hyperparameters", None),
            channels={name: options.pop(name, None) for name in names},
            compute=compute,
            limits=limits,
            depends_on=options.pop("depends_on", ()),
            spec=options,
        )
        answer = self._client.http.request("POST", f"{_PATH}/estimate", body=request.model_dump(mode="json"))
        return JobEstimate.model_validate(answer)

    def artifacts(self, job_id: str) -> Sequence[contract.ArtifactLink]:
        """Every file that it left, with URLs that work for some minutes; none until it has succeeded."""
        return self._get(contract.JobArtifacts, f"{_PATH}/{job_id}/artifacts").artifacts

    def list(self, *, status: str | None = None) -> Pages[Job]:
        """All of the workspace, newest first."""
        return self._list(Job, _PATH, status=status)

    def get(self, job_id: str) -> Job:
        """One job."""
        return self._get(Job, f"{_PATH}/{job_id}")

    def stop(self, job_id: str) -> Job:
        """Asks it to end."""
        return self._post(Job, f"{_PATH}/{job_id}/stop")

    def retry(self, job_id: str) -> Job:
        """A FAILED or STOPPED one again, as a new job."""
        return self._post(Job, f"{_PATH}/{job_id}/retry")

    def events(self, job_id: str, *, after: int = 0, wait_seconds: int = 0) -> JobEvents:
        """What happened after event number `after`; waits up to `wait_seconds` (10 at most) for something new."""
        return self._get(JobEvents, f"{_PATH}/{job_id}/events", after=after, wait=wait_seconds)

    def logs(self, job_id: str) -> Iterator[LogLine]:
        """Every line that its container wrote, up to now."""
        cursor: str | None = None
        while True:
            page = self._get(contract.JobLogs, f"{_PATH}/{job_id}/logs", cursor=cursor)
            yield from page.lines
            if not page.lines or page.next_cursor is None:
                return
            cursor = page.next_cursor

    def download_tensorboard(self, job_id: str, folder: str | Path) -> int:
        """Brings TensorBoard's files of the job up to date in a folder; returns how many bytes were new.

        Files are appended to and never replaced, so that a TensorBoard which reads them goes on reading.
        """
        listed = self._get(contract.JobTensorBoard, f"{_PATH}/{job_id}/tensorboard")
        return sum(self._append(Path(folder), file) for file in listed.files)

    def _append(self, folder: Path, file: contract.EventFile) -> int:
        path = folder.joinpath(*_safe_parts(file.name))
        present = path.stat().st_size if path.exists() else 0
        if present >= file.num_bytes:
            return 0
        headers = {"range": f"bytes={present}-"} if present else {}
        response = self._client.http.send_signed("GET", file.url, content=lambda: None, headers=headers)
        if response.status_code >= 300:
            raise ConnectionFailedError(f"S3 answered {response.status_code} for {file.name}.")
        new = response.content if response.status_code == 206 else response.content[present:]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as target:
            target.write(new)
        return len(new)


def _safe_parts(name: str) -> list[str]:
    """The parts of a relative path. A server may not choose a place outside the folder."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        raise ConnectionFailedError(f"The server names a file {name!r}, which is no path within a folder.")
    return parts


def _to_train_request(
    dataset: str | Dataset | DatasetVersion,
    *,
    algorithm: str,
    hyperparameters: dict[str, Any] | None,
    channels: Mapping[str, str | Dataset | DatasetVersion | None],
    compute: dict[str, Any],
    limits: dict[str, Any],
    depends_on: Sequence[str | Job],
    spec: Mapping[str, Any],
) -> JobCreate:
    fields: dict[str, Any] = {"kind": "train", "dataset": _to_ref(dataset), "algorithm": algorithm, **_chosen(**spec)}
    fields |= {"hyperparameters": hyperparameters} if hyperparameters else {}
    if isinstance(features := fields.get("features"), str):
        fields["features"] = {"default": features}
    fields |= {name: _to_ref(ref) for name, ref in channels.items() if ref is not None}
    return to_request(JobCreate, spec=fields, compute=compute, depends_on=_to_ids(depends_on), **limits)


def _chosen(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _to_ids(jobs: Sequence[str | Job]) -> list[str]:
    return [job if isinstance(job, str) else job.id for job in jobs]


def _to_ref(dataset: str | Dataset | DatasetVersion) -> str:
    if isinstance(dataset, str):
        return dataset
    return dataset.ref if isinstance(dataset, DatasetVersion) else dataset.name
