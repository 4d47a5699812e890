"""Jobs: train, search, autotrain, compress, fuse, decompose, run; watch, stop, retry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from aimass import mlflow_export, packing, uploading
from aimass.binding import Bound, Pages, to_request
from aimass.errors import ConnectionFailedError, JobFailedError, WaitTimeoutError
from aimass.resources import job_requests
from aimass.resources.endpoints import Endpoint
from aimass.resources.job_requests import DatasetRef, ModelLike, RecipeLike, chosen, to_ids, to_ref
from aimass.resources.model_jobs import ModelJobsApi
from aimass.resources.models import ModelVersion
from aimass.resources.studies import Study
from aimass_core.domain import jobs as contract
from aimass_core.domain.batch_predictions import BatchPrediction
from aimass_core.domain.compression import Compression
from aimass_core.domain.decomposition import Decomposition
from aimass_core.domain.distributions import Distribution
from aimass_core.domain.estimates import JobEstimate
from aimass_core.domain.fusion import Fusion
from aimass_core.domain.jobs import JobCreate, JobEvent, JobKind, JobStatus, LogLine
from aimass_core.domain.recipes import Preparation
from aimass_core.domain.study_specs import Candidate, Objective
from aimass_core.errors import InvalidRequestError, NotFoundError

_PATH = "/v1/jobs"
_WAIT_SECONDS = 5
OnUpdate = Callable[["Job", Sequence[JobEvent]], None]
DocumentT = TypeVar("DocumentT", bound=BaseModel)

# What jobs that make models of models leave: `output/<name>.json`, and as a page `output/<name>.html`.
DOCUMENTS: Mapping[JobKind, str] = {
    JobKind.COMPRESS: "compression",
    JobKind.FUSE: "fusion",
    JobKind.DECOMPOSE: "decomposition",
}
_PAGES: Mapping[JobKind, str] = {**DOCUMENTS, JobKind.SEARCH: "study", JobKind.AUTOTRAIN: "study"}


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

    def study(self) -> Study:
        """That it works on. Raises NotFoundError where it is neither a search nor an autotrain job."""
        if self.study_id is None:
            raise NotFoundError(f"The job {self.id} is of kind {self.kind}: only search and autotrain have a study.")
        return self._client.studies.get(self.study_id)

    def compression(self) -> Compression:
        """What a compress job tried, or an autotrain job with limits at its end: the Pareto table. Raises NotFoundError
        where it has left none, as for the two that follow."""
        return self._document(JobKind.COMPRESS, Compression)

    def fusion(self) -> Fusion:
        """Members and methods of a fuse job, or of an autotrain job with `fuse`."""
        return self._document(JobKind.FUSE, Fusion)

    def decomposition(self) -> Decomposition:
        """Wholes and experts of a decompose job, or of an autotrain job with `decompose`."""
        return self._document(JobKind.DECOMPOSE, Decomposition)

    def tables(self) -> list[JobKind]:
        """Which of the three it has left: of an autotrain job those of what it might have ended in."""
        left = {artifact.name for artifact in self._client.jobs.artifacts(self.id)}
        return [kind for kind, name in DOCUMENTS.items() if f"output/{name}.json" in left]

    def preparation(self) -> Preparation:
        """What each step of a prepare job did, and what it made. Raises NotFoundError where it has left none."""
        if self.kind is not JobKind.PREPARE:
            raise NotFoundError(f"The job {self.id} is of kind {self.kind}: only prepare jobs have this.")
        return Preparation.model_validate_json(self._read("output/preparation.json"))

    def predictions(self) -> BatchPrediction:
        """Which dataset version a predict job made, and how many rows have no answer. Raises NotFoundError where it
        has left none."""
        self._require_kind(JobKind.PREDICT)
        return BatchPrediction.model_validate_json(self._read("output/predictions.json"))

    def plot(self, path: str | Path | None = None) -> Path:
        """Saves the table of a compress, fuse or decompose job with its plot, or the page of a search's or autotrain's
        study: one HTML page that needs no network.

        Default: under the job's id, here. Raises NotFoundError where it has left none.
        """
        target = Path(path or f"{self.id}.html")
        self._require_kind(*_PAGES)
        target.write_bytes(self._read(f"output/{_PAGES[self.kind]}.html"))
        return target

    def _document(self, kind: JobKind, cls: type[DocumentT]) -> DocumentT:
        self._require_kind(kind, JobKind.AUTOTRAIN)
        return cls.model_validate_json(self._read(f"output/{DOCUMENTS[kind]}.json"))

    def _require_kind(self, *kinds: JobKind) -> None:
        if self.kind not in kinds:
            raise NotFoundError(f"The job {self.id} is of kind {self.kind}: only {' and '.join(kinds)} jobs have this.")

    def _read(self, name: str) -> bytes:
        body = self._client.jobs.read_artifact(self.id, name)
        if body is None:
            raise NotFoundError(f"The job {self.id} is {self.status} and has left no {name}: it is written at the end.")
        return body

    def stop(self) -> Job:
        """Asks it to end; harmless when it has. A search keeps the best model by then."""
        return self._client.jobs.stop(self.id)

    def retry(self) -> Job:
        """The same again, as a new job."""
        return self._client.jobs.retry(self.id)

    def logs(self) -> Iterator[LogLine]:
        """Every line that its container wrote."""
        return self._client.jobs.logs(self.id)

    def all_events(self) -> Iterator[JobEvent]:
        """Its whole story until now."""
        last = 0
        while (seen := self._client.jobs.events(self.id, after=last)).events:
            yield from seen.events
            last = seen.last

    def download_tensorboard(self, folder: str | Path) -> int:
        """Brings its TensorBoard files up to date; see JobsApi.download_tensorboard."""
        return self._client.jobs.download_tensorboard(self.id, folder)

    def export_mlflow(self, *, tracking_uri: str | None = None, experiment: str = mlflow_export.EXPERIMENT) -> str:
        """Makes a run of MLflow of a job that has ended (`pip install 'aimass[mlflow]'`); returns the run's id.

        It has the hyperparameters, seed and data digests as parameters, curves and final metrics, and the files of the
        model version as artifacts, the model itself in MLflow's ONNX flavor: `mlflow.pyfunc.load_model` takes
        `runs:/<id>/model`. A final metric that shares its name with a curve is called `final/<name>`.

        Args:
            tracking_uri: Of MLflow; default: MLFLOW_TRACKING_URI.
            experiment: Made where there is none. A job that is in it already is not exported again.

        Raises:
            ConflictError: It has not ended.
            MissingPackageError: MLflow is not installed.
            ConnectionFailedError: MLflow does not answer, or refuses.
        """
        return mlflow_export.export(self, tracking_uri=tracking_uri, experiment=experiment)


class JobEvents(contract.JobEvents):
    """New events, and the job as it is now."""

    job: Job


class JobsApi(ModelJobsApi):
    """`client.jobs`."""

    def train(
        self,
        dataset: DatasetRef,
        *,
        algorithm: str,
        hyperparameters: dict[str, Any] | None = None,
        features: str | dict[str, Any] | None = None,
        validation: DatasetRef | None = None,
        test: DatasetRef | None = None,
        num_nodes: int | None = None,
        vcpus: int | None = None,
        memory_mib: int | None = None,
        backend: str | None = None,
        instance_type: str | None = None,
        instance_count: int | None = None,
        spot: bool | None = None,
        max_wait_seconds: int | None = None,
        max_seconds: int | None = None,
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
            max_seconds: The training ends before, with the best model it has by then; default: as the settings say.
            max_cost_usd: Turned into seconds by the price of its compute; the smaller limit holds. See `Job.budget`.
            depends_on: Jobs that have to succeed first.
            **spec: framework, target, task, model, folds, seed, exclude_columns, validation_fraction,
                label_separator, horizon, window, time_column, resample, refit, checkpoint_seconds: see TrainSpec. A
                list of columns of 0 and 1 as target is a multi-label task.

        Raises:
            InvalidRequestError: A hyperparameter is unknown or out of range.
            InvalidDataError: The dataset does not allow it.
        """
        request = job_requests.to_train(
            dataset,
            algorithm=algorithm,
            hyperparameters=hyperparameters,
            features=features,
            validation=validation,
            test=test,
            num_nodes=num_nodes,
            vcpus=vcpus,
            memory_mib=memory_mib,
            backend=backend,
            instance_type=instance_type,
            instance_count=instance_count,
            spot=spot,
            max_wait_seconds=max_wait_seconds,
            max_seconds=max_seconds,
            max_cost_usd=max_cost_usd,
            depends_on=depends_on,
            **spec,
        )
        return self.submit(request)

    def search(
        self,
        dataset: DatasetRef,
        *,
        algorithm: str | None = None,
        candidates: Sequence[str | Candidate | Mapping[str, Any]] | None = None,
        space: Mapping[str, Distribution | Mapping[str, Any]] | None = None,
        objectives: Sequence[str | Objective | Mapping[str, Any]] | None = None,
        sampler: str | None = None,
        pruner: str | None = None,
        max_trials: int | None = None,
        num_workers: int | None = None,
        study: str | None = None,
        max_seconds: int | None = None,
        max_cost_usd: float | None = None,
        **options: Any,
    ) -> Job:
        """Searches for the hyperparameters that are best; the best model is registered. See docs/STUDIES.md.

        Args:
            dataset: A name, `name@version`, or what `upload` returned.
            algorithm: The one whose hyperparameters are searched.
            candidates: Instead of it several: names, or `Candidate`s with a space of their own.
            space: Of `algorithm`, by hyperparameter: `FloatDistribution(...)`, or as in YAML
                `{"type": "float", "low": 1e-3, "high": 1, "log": True}`. Default: the algorithm's own.
            objectives: Metrics, `latency_ms` and `model_bytes`; default: the task's primary metric. Of several the
                report shows the Pareto front.
            sampler: random, grid, qmc, gp, tpe, cmaes or nsga2; default: as fits the space.
            pruner: none, median, asha, hyperband or patient; default: asha where there is one objective.
            max_trials: Of the study in all; default: as time allows.
            num_workers: Containers that carry out trials side by side; default: 1.
            study: One of that name goes on with what it knows; default: a new one.
            max_seconds: To the end of the job, the exported file included.
            max_cost_usd: See `train`.
            **options: max_model_bytes and max_latency_ms, which the model has to keep to; of `algorithm` framework,
                hyperparameters (fixed in all trials), features and resample; all others as in `train`.

        Raises:
            InvalidRequestError: A hyperparameter or distribution is not valid.
            ConflictError: The study has other data, another space or other objectives, or another job works on it.
        """
        request = job_requests.to_search(
            dataset,
            algorithm=algorithm,
            candidates=candidates,
            objectives=objectives,
            space=space,
            sampler=sampler,
            pruner=pruner,
            max_trials=max_trials,
            num_workers=num_workers,
            study=study,
            max_seconds=max_seconds,
            max_cost_usd=max_cost_usd,
            **options,
        )
        return self.submit(request)

    def autotrain(
        self,
        dataset: DatasetRef,
        *,
        preset: str | None = None,
        algorithms: Sequence[str] | None = None,
        max_trials: int | None = None,
        num_workers: int | None = None,
        study: str | None = None,
        max_seconds: int | None = None,
        max_cost_usd: float | None = None,
        **options: Any,
    ) -> Job:
        """From a dataset and a budget to the best model: algorithms, hyperparameters, ensemble, one file.

        Args:
            dataset: A name, `name@version`, or what `upload` returned.
            preset: fast, balanced (the default), best, or small: what it aims at.
            algorithms: Default: all that fit the data.
            max_trials: See `search`, as for the arguments that follow.
            num_workers: See `search`.
            study: See `search`.
            max_seconds: See `search`.
            max_cost_usd: See `train`.
            **options: metric (default: the task's primary one); max_model_bytes and max_latency_ms, which the model has
                to keep to, compressed where it has to be; fuse, to combine the best models in the best of all ways and
                not by weights alone; decompose, to split a table's task among small experts where that is better at
                equal cost; all others as in `train`.

        Raises:
            InvalidRequestError: An algorithm does not fit the data or the task.
            ConflictError: See `search`.
        """
        request = job_requests.to_autotrain(
            dataset,
            preset=preset,
            algorithms=algorithms,
            max_trials=max_trials,
            num_workers=num_workers,
            study=study,
            max_seconds=max_seconds,
            max_cost_usd=max_cost_usd,
            **options,
        )
        return self.submit(request)

    def run_script(
        self,
        source: str | Path,
        *,
        entry_point: str = "train.py",
        dataset: DatasetRef | None = None,
        channels: Mapping[str, DatasetRef] | None = None,
        hyperparameters: Mapping[str, str | int | float | bool] | None = None,
        model: str | None = None,
        max_seconds: int | None = None,
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
            "channels": {name: to_ref(ref) for name, ref in given.items()},
            "hyperparameters": dict(hyperparameters or {}),
            "model": model,
        }
        body: dict[str, Any] = {
            "compute": compute,
            "depends_on": to_ids(depends_on),
            **chosen(max_seconds=max_seconds, max_cost_usd=max_cost_usd),
        }
        # Before anything is sent, what can be checked here is.
        to_request(JobCreate, spec=spec, **body)
        with packing.packed(Path(source), entry_point=entry_point) as path:
            sha256 = uploading.send_source(self._client, path)
        return self.submit(to_request(JobCreate, spec={**spec, "source": sha256}, **body))

    def prepare(
        self,
        dataset: DatasetRef,
        recipe: RecipeLike,
        *,
        output: str | None = None,
        append: bool = False,
        max_seconds: int | None = None,
        max_cost_usd: float | None = None,
        depends_on: Sequence[str | Job] = (),
        **compute: Any,
    ) -> Job:
        """Makes a dataset version of another one by a recipe. See docs/RECIPES.md.

        Args:
            dataset: A name, `name@version`, or what `upload` returned.
            recipe: A `Recipe`, what its file says, or a list of steps such as `{"do": "trim"}`.
            output: The dataset that gets the new version; default: `<dataset>-prepared`. A split writes
                `<output>-<part>`.
            append: Add the rows to that dataset's latest version.
            **compute: vcpus, memory_mib, backend, instance_type: see `train`.

        Raises:
            InvalidRequestError: A step is wrong; `details` say which.
            InvalidDataError: A step needs a column that is not there, or of another type.
        """
        request = job_requests.to_prepare(
            dataset,
            recipe,
            output=output,
            append=append,
            max_seconds=max_seconds,
            max_cost_usd=max_cost_usd,
            depends_on=depends_on,
            **compute,
        )
        return self.submit(request)

    def predict(
        self,
        model: ModelLike,
        dataset: DatasetRef,
        *,
        keys: Sequence[str] = (),
        output: str | None = None,
        append: bool = False,
        num_workers: int | None = None,
        max_seconds: int | None = None,
        max_cost_usd: float | None = None,
        depends_on: Sequence[str | Job] = (),
        **compute: Any,
    ) -> Job:
        """Answers all rows of a dataset version, as a dataset version. See docs/INFERENCE.md.

        Args:
            model: `name`, `name@number`, or a model version.
            dataset: A name, `name@version`, or what `upload` returned.
            keys: Columns of it that go with each answer, beside `row`, its position.
            output: The dataset that gets the new version; default: `<dataset>-predictions`.
            append: Add the rows to that dataset's latest version.
            num_workers: Containers that answer parts of the rows each; default: 1.
            **compute: vcpus, memory_mib, backend, instance_type: see `train`.

        Raises:
            InvalidDataError: The dataset lacks a column that the model reads.
        """
        request = job_requests.to_predict(
            model,
            dataset,
            keys=keys,
            output=output,
            append=append,
            num_workers=num_workers,
            max_seconds=max_seconds,
            max_cost_usd=max_cost_usd,
            depends_on=depends_on,
            **compute,
        )
        return self.submit(request)

    def submit(self, request: JobCreate) -> Job:
        """Submits a request as the API takes it."""
        return self._read(Job, self._client.http.request("POST", _PATH, body=job_requests.to_body(request)))

    def estimate(
        self, what: DatasetRef | ModelLike | Sequence[ModelLike], *, kind: str = JobKind.TRAIN, **arguments: Any
    ) -> JobEstimate:
        """What a job would take: seconds, dollars, memory, disk. Nothing is submitted.

        Args:
            what: The first argument of the method: a dataset, or for `compress` a model, for `fuse` several.
            kind: `train`, `search`, `autotrain`, `compress`, `fuse` or `decompose`.
            **arguments: The others of the method of that name.
        """
        if kind not in _ESTIMATED:
            raise InvalidRequestError(f"Jobs of kind {kind!r} are not estimated. Kinds: {', '.join(_ESTIMATED)}.")
        request = _ESTIMATED[JobKind(kind)](what, **arguments)
        answer = self._client.http.request("POST", f"{_PATH}/estimate", body=job_requests.to_body(request))
        return JobEstimate.model_validate(answer)

    def artifacts(self, job_id: str) -> Sequence[contract.ArtifactLink]:
        """Every file that it left, with URLs that work for some minutes; none until it has ended.

        Of a job that failed those in `output/`: the table of a compression that found nothing within its limits, say.
        """
        return self._get(contract.JobArtifacts, f"{_PATH}/{job_id}/artifacts").artifacts

    def read_artifact(self, job_id: str, name: str) -> bytes | None:
        """One of these files, `output/leaderboard.json` say; None where it left none of that name."""
        url = next((artifact.url for artifact in self.artifacts(job_id) if artifact.name == name), None)
        return None if url is None else self._client.http.fetch(url, name=name)

    def list(self, *, status: str | None = None, kind: str | None = None) -> Pages[Job]:
        """All of the workspace, newest first."""
        return self._list(Job, _PATH, status=status, kind=kind)

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


_ESTIMATED: Mapping[str, Callable[..., JobCreate]] = {
    JobKind.TRAIN: job_requests.to_train,
    JobKind.SEARCH: job_requests.to_search,
    JobKind.AUTOTRAIN: job_requests.to_autotrain,
    JobKind.COMPRESS: job_requests.to_compress,
    JobKind.FUSE: job_requests.to_fuse,
    JobKind.DECOMPOSE: job_requests.to_decompose,
}


def _safe_parts(name: str) -> list[str]:
    """The parts of a relative path. A server may not choose a place outside the folder."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        raise ConnectionFailedError(f"The server names a file {name!r}, which is no path within a folder.")
    return parts
