"""Datasets, job results and containers as the other parts of the platform leave them, for tests on memory ports."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aimass_core.adapters.memory import MemoryPorts, MemoryPredictor
from aimass_core.domain import keys
from aimass_core.domain.common import MonotonicIds, Principal, Role, new_id
from aimass_core.domain.datasets import DataFile, Dataset, DatasetVersion, DatasetVersionStatus, Manifest, WriteMode
from aimass_core.domain.jobs import Artifact, Job, JobCreate, JobResult, JobStatus, TrainSpec
from aimass_core.domain.reports import ModelReport
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from aimass_core.domain.signatures import Card, Datatype, Evaluation, ExportCheck, Golden, Signature, Task, TensorSpec
from aimass_core.domain.studies import BestSoFar
from aimass_core.ports import Ports, Put
from aimass_core.services import dispatch, job_events, jobs, records
from aimass_core.services.job_quotas import JobLimits

TABLE = Schema(
    kind=DatasetKind.TABLE,
    columns=[
        Column(name="age", type=ColumnType.INTEGER),
        Column(name="hours", type=ColumnType.NUMBER),
        Column(name="city", type=ColumnType.STRING),
        Column(name="income", type=ColumnType.STRING),
    ],
    target="income",
)
SIGNATURE = Signature(
    kind=DatasetKind.TABLE,
    task=Task.BINARY,
    target="income",
    inputs=[
        TensorSpec(name="age", datatype=Datatype.FP32, shape=[-1, 1], column="age", column_type=ColumnType.INTEGER)
    ],
    outputs=[
        TensorSpec(name="label", datatype=Datatype.BYTES, shape=[-1]),
        TensorSpec(name="probabilities", datatype=Datatype.FP32, shape=[-1, 2]),
    ],
    labels=["no", "yes"],
)
LIMITS = JobLimits(max_active=1_000, max_per_window=1_000)
# What a deployment for tests allows: many jobs within one moment, and few queries.
QUOTAS = {"quotas": {"max_jobs_active": 1_000, "max_jobs_per_10_seconds": 1_000, "max_queries_active": 3}}
GOLDEN = Golden(inputs={"age": [[39.0]]}, outputs={"label": ["yes"], "probabilities": [[0.25, 0.75]]})


@dataclass
class ManualClock:
    """A clock that only a test moves."""

    now: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += timedelta(seconds=seconds)


def new_ports(clock: ManualClock | None = None) -> MemoryPorts:
    """Ports in memory whose predictor gives the golden answer."""
    predictor = MemoryPredictor(lambda _: {"outputs": GOLDEN.outputs})
    clock = clock or ManualClock()
    new_id = MonotonicIds(clock=clock)
    return MemoryPorts(clock=clock, new_id=new_id, predictor=predictor, deployment_settings=QUOTAS)


def new_principal(role: Role = Role.DEVELOPER) -> Principal:
    """Somebody in a workspace of their own."""
    return Principal(workspace_id=new_id("ws"), workspace_name="team", actor=new_id("key"), role=role)


def add_dataset(
    ports: Ports, principal: Principal, *, name: str = "adult", schema: Schema = TABLE, target: str | None = "income"
) -> Dataset:
    """A dataset without a version."""
    dataset = Dataset(**records.new_fields(ports, principal, Dataset), name=name, target=target)
    return records.create(ports, principal, dataset, name=name)


def add_version(
    ports: Ports,
    principal: Principal,
    dataset: Dataset,
    *,
    schema: Schema = TABLE,
    status: DatasetVersionStatus = DatasetVersionStatus.READY,
) -> DatasetVersion:
    """The dataset's next version, with its schema and its manifest in the lake."""
    dataset = records.get(ports, Dataset, principal.workspace_id, dataset.id)
    number = dataset.last_number + 1
    file = DataFile(sha256=hashlib.sha256(f"{dataset.id}/{number}".encode()).hexdigest(), num_bytes=1, num_rows=1)
    manifest = Manifest(dataset_id=dataset.id, number=number, data_schema=schema, files=[file])
    version = DatasetVersion(
        **records.new_fields(ports, principal, DatasetVersion),
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        number=number,
        status=status,
        mode=WriteMode.REPLACE,
        kind=schema.kind,
        target=schema.target,
        digest=manifest.digest(),
    )
    for name, document in (("schema.json", schema), ("manifest.json", manifest)):
        key = keys.dataset_version_object(principal.workspace_id, dataset.id, number, name)
        ports.lake.put(key, document.model_dump_json().encode())
    latest = number if status is DatasetVersionStatus.READY else dataset.latest_version
    put = Put(row=records.to_row(version, dataset.id, number))
    records.save(ports, dataset, dataset.id, last_number=number, latest_version=latest, also=[put])
    return version


def train_request(dataset: str = "adult", *, depends_on: list[str] | None = None, **spec: object) -> JobCreate:
    """A request to train on a dataset."""
    fields = {"dataset": dataset, "algorithm": "xgboost", **spec}
    return JobCreate(spec=TrainSpec.model_validate(fields), depends_on=depends_on or [])


def search_request(dataset: str = "adult", **spec: object) -> JobCreate:
    """A request to search, by default for the hyperparameters of one algorithm; `candidates`, or parts of the one."""
    one = {name: spec.pop(name) for name in ("algorithm", "framework", "hyperparameters", "space") if name in spec}
    body = {"kind": "search", "dataset": dataset, "candidates": [{"algorithm": "xgboost", **one}], **spec}
    return JobCreate.model_validate({"spec": body})


def leave_result(
    ports: Ports,
    job: Job,
    *,
    attempt: int = 1,
    model: bytes = b"onnx",
    signature: Signature = SIGNATURE,
    parts: Sequence[str] = (),
    extra: Mapping[str, bytes] | None = None,
) -> JobResult:
    """What a container leaves when it ends well; `parts` are those of a decomposition."""
    contents = {**_model_files(model, signature), "output/validation_predictions.parquet": b"PAR1"}
    for part in parts:
        of_part = _model_files(model + part.encode(), signature)
        contents |= {name.replace("model", f"parts/{part}", 1): body for name, body in of_part.items()}
    contents |= extra or {}
    artifacts = _leave(ports, contents, lambda name: keys.job_attempt(job.workspace_id, job.id, attempt, name))
    result = JobResult(job_id=job.id, attempt=attempt, artifacts=artifacts, metrics={"validation/roc_auc": 0.93})
    key = keys.job_attempt(job.workspace_id, job.id, attempt, "result.json")
    ports.lake.put(key, result.model_dump_json().encode())
    return result


def leave_best(
    ports: Ports, job: Job, *, trial: int = 3, model: bytes = b"best", at: datetime | None = None
) -> BestSoFar:
    """What the worker of a study leaves of a trial that became the best."""
    study_id = str(job.study_id)
    contents = {name: body for name, body in _model_files(model).items() if "report" not in name}
    contents["output/validation_scores.npy"] = b"NUMPY"
    artifacts = _leave(ports, contents, lambda name: keys.study_trial(job.workspace_id, study_id, trial, name))
    metrics = {"validation/roc_auc": 0.95}
    best = BestSoFar(trial=trial, values=[0.95], metrics=metrics, artifacts=artifacts, at=at or ports.clock())
    ports.lake.put(keys.study_best(job.workspace_id, study_id), best.model_dump_json().encode())
    return best


def _model_files(model: bytes, signature: Signature = SIGNATURE) -> dict[str, bytes]:
    return {
        "model/model.onnx": model,
        "model/signature.json": signature.model_dump_json().encode(),
        "model/card.json": _card(signature).model_dump_json().encode(),
        "model/golden.json": GOLDEN.model_dump_json().encode(),
        "model/report.html": b"<html></html>",
        "model/report.json": ModelReport(channel="validation", num_rows=2).model_dump_json().encode(),
    }


def _leave(ports: Ports, contents: Mapping[str, bytes], key_of: Callable[[str], str]) -> list[Artifact]:
    for name, body in contents.items():
        ports.lake.put(key_of(name), body)
    return [
        Artifact(name=name, num_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
        for name, body in contents.items()
    ]


def artifact_key(job: Job, name: str, *, attempt: int = 1) -> str:
    """Where an artifact of an attempt lies."""
    return keys.job_attempt(job.workspace_id, job.id, attempt, name)


def tell(
    ports: MemoryPorts,
    job: Job,
    status: JobStatus,
    *,
    reason: str | None = None,
    exit_code: int | None = None,
    attempt: int = 1,
) -> Job:
    """The compute service reaches a state and its event arrives."""
    compute_job_id = ports.compute.find(job.id)
    assert compute_job_id is not None, "the job was never submitted"
    state = ports.compute.set_state(compute_job_id, status, reason=reason, exit_code=exit_code, attempt=attempt)
    told = job_events.apply(ports, job.workspace_id, job.id, state)
    assert told is not None
    return told


def reload(ports: Ports, job: Job) -> Job:
    """The job as it is stored now."""
    return records.get(ports, Job, job.workspace_id, job.id)


def add_job(ports: Ports, principal: Principal, **request: object) -> Job:
    """A submitted training job on a dataset that is there."""
    return jobs.create(ports, principal, train_request(**request), limits=LIMITS)  # type: ignore[arg-type]


def make_model(
    ports: MemoryPorts,
    principal: Principal,
    *,
    model: bytes = b"onnx",
    signature: Signature = SIGNATURE,
    **spec: object,
) -> Job:
    """A model version that a training made: the job that did."""
    job = add_job(ports, principal, **spec)
    job = dispatch.dispatch(ports, job.workspace_id, job.id)
    leave_result(ports, job, model=model, signature=signature)
    return tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)


def _card(signature: Signature) -> Card:
    return Card(
        algorithm="xgboost",
        framework="xgboost",
        task=signature.task,
        target=signature.target,
        hyperparameters={},
        seed=0,
        dataset="adult@1",
        num_train_rows=100,
        evaluations=[Evaluation(channel="validation", num_rows=20, metrics={"roc_auc": 0.93})],
        primary_metric="roc_auc",
        primary_value=0.93,
        export_check=ExportCheck(num_rows=20, max_abs_difference=1e-7, num_label_differences=0, tolerance=1e-4),
        model_bytes=4,
        latency_ms=0.5,
        training_seconds=1.0,
    )


MODEL_FILES = list(_model_files(b"onnx"))
