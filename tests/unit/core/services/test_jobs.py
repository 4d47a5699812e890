"""What a job request must fulfil, what is pinned, and stop, retry, lists and quota."""

from functools import partial
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.audit import AuditEntry
from aimass_core.domain.common import Principal, new_id
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus
from aimass_core.domain.jobs import Failure, IngestSpec, JobCreate, JobKind, JobStatus, TrainSpec
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from aimass_core.errors import (
    ConflictError,
    InvalidDataError,
    InvalidRequestError,
    NotFoundError,
)
from aimass_core.services import dispatch, job_states, jobs, platform, records
from tests.factories.platform import (
    LIMITS,
    TABLE,
    add_dataset,
    add_job,
    add_version,
    new_principal,
    reload,
    tell,
)

IMAGES = Schema(
    kind=DatasetKind.IMAGES,
    columns=[Column(name="image", type=ColumnType.IMAGE), Column(name="label", type=ColumnType.STRING)],
    target="label",
)


def test_new_job_pins_the_latest_version_and_fills_in_what_was_left_out(
    ports: MemoryPorts, principal: Principal
) -> None:
    job = add_job(ports, principal)
    version = records.get(ports, DatasetVersion, principal.workspace_id, job.channels["train"].dataset_id, 1)
    assert (job.status, job.kind) == (JobStatus.SUBMITTED, JobKind.TRAIN)
    assert job.channels["train"].digest == version.digest
    assert isinstance(job.spec, TrainSpec)
    assert (job.spec.target, job.spec.model) == ("income", "adult")
    actions = [entry.action for entry in _audit(ports, principal)]
    assert actions == ["job.create"]


def test_c10_later_version_does_not_change_the_pin(ports: MemoryPorts, principal: Principal) -> None:
    job = add_job(ports, principal)
    dataset = jobs.get(ports, principal, job.id).channels["train"]
    add_version(ports, principal, _dataset(ports, principal))
    assert add_job(ports, principal).channels["train"].number == 2
    assert add_job(ports, principal, dataset="adult@1").channels["train"] == dataset
    assert reload(ports, job).channels["train"].number == 1


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ({"dataset": "unknown"}, NotFoundError, "unknown"),
        ({"dataset": "adult@7"}, NotFoundError, "7"),
        ({"validation": "unknown"}, NotFoundError, "unknown"),
        ({"target": "incom"}, InvalidDataError, "Did you mean 'income'"),
        ({"target": "zzz"}, InvalidDataError, "'age', 'hours', 'city', 'income'"),
        ({"exclude_columns": ["citty"]}, InvalidDataError, "Did you mean 'city'"),
        ({"exclude_columns": ["income"]}, InvalidRequestError, "target"),
        ({"exclude_columns": ["age", "hours", "city"]}, InvalidDataError, "nothing is left"),
        (
            {"algorithm": "cnn"},
            InvalidDataError,
            "xgboost, lightgbm, catboost, random_forest, extra_trees, linear, mlp",
        ),
        ({"folds": 5, "validation": "adult"}, InvalidRequestError, "exclude each other"),
        ({"folds": 5, "refit": True}, InvalidRequestError, "Leave refit out"),
        ({"algorithm": "nlinear"}, InvalidRequestError, "needs a horizon"),
        ({"window": 5}, InvalidRequestError, "needs a horizon"),
        ({"algorithm": "linear", "horizon": 5}, InvalidRequestError, "does not do forecasting"),
        ({"algorithm": "nlinear", "horizon": 5, "task": "binary"}, InvalidRequestError, "the task is a forecast"),
        ({"algorithm": "nlinear", "horizon": 5, "folds": 3}, InvalidRequestError, "Leave folds out"),
        ({"algorithm": "nlinear", "horizon": 5, "time_column": "hour"}, InvalidDataError, "Did you mean 'hours'"),
    ],
)
def test_request_that_does_not_fit_its_data_is_refused(
    ports: MemoryPorts, principal: Principal, spec: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        add_job(ports, principal, **spec)
    assert _jobs(ports, principal) == []


def test_table_algorithm_on_images_is_refused(ports: MemoryPorts, principal: Principal) -> None:
    add_version(ports, principal, add_dataset(ports, principal, name="digits", target="label"), schema=IMAGES)
    with pytest.raises(InvalidDataError, match="Use one of: cnn"):
        add_job(ports, principal, dataset="digits")


def test_dataset_without_a_ready_version_is_refused(ports: MemoryPorts, principal: Principal) -> None:
    dataset = add_dataset(ports, principal, name="empty")
    with pytest.raises(ConflictError, match="no version that is READY"):
        add_job(ports, principal, dataset="empty")
    add_version(ports, principal, dataset, status=DatasetVersionStatus.INGESTING)
    with pytest.raises(ConflictError, match="INGESTING"):
        add_job(ports, principal, dataset="empty@1")


def test_dataset_without_a_target_needs_one_in_the_request(ports: MemoryPorts, principal: Principal) -> None:
    schema = TABLE.model_copy(update={"target": None})
    add_version(ports, principal, add_dataset(ports, principal, name="bare", target=None), schema=schema)
    with pytest.raises(InvalidRequestError, match="names a target") as caught:
        add_job(ports, principal, dataset="bare")
    assert caught.value.details[0].location == "body.spec.target"
    assert isinstance(add_job(ports, principal, dataset="bare", target="city").spec, TrainSpec)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ([("age", "integer"), ("hours", "number"), ("income", "string")], "column 'city' is missing"),
        ([("age", "string"), ("hours", "number"), ("city", "string"), ("income", "string")], "'age' is string"),
    ],
)
def test_validation_data_must_have_the_same_columns(
    ports: MemoryPorts, principal: Principal, columns: list[tuple[str, str]], words: str
) -> None:
    other = Schema(kind=DatasetKind.TABLE, columns=[Column(name=n, type=ColumnType(t)) for n, t in columns])
    add_version(ports, principal, add_dataset(ports, principal, name="held-out"), schema=other)
    with pytest.raises(InvalidDataError, match=words):
        add_job(ports, principal, validation="held-out")
    assert add_job(ports, principal, validation="held-out", exclude_columns=["age", "city"]).channels.keys() == {
        "train",
        "validation",
    }


def test_integers_and_numbers_fit_each_other(ports: MemoryPorts, principal: Principal) -> None:
    columns = [
        column.model_copy(update={"type": ColumnType.NUMBER}) if column.name == "age" else column
        for column in TABLE.columns
    ]
    test = TABLE.model_copy(update={"columns": columns})
    add_version(ports, principal, add_dataset(ports, principal, name="test"), schema=test)
    assert "test" in add_job(ports, principal, test="test").channels


def test_c11_dependencies_must_be_known_and_not_failed(ports: MemoryPorts, principal: Principal) -> None:
    stranger = new_principal()
    with pytest.raises(NotFoundError):
        add_job(ports, principal, depends_on=[new_id("job")])
    add_version(ports, stranger, add_dataset(ports, stranger))
    with pytest.raises(NotFoundError):
        add_job(ports, principal, depends_on=[add_job(ports, stranger).id])
    stopped = jobs.stop(ports, principal, add_job(ports, principal).id)
    with pytest.raises(ConflictError, match="STOPPED"):
        add_job(ports, principal, depends_on=[stopped.id])


def test_d9_stop_before_submission_ends_the_job_at_once(ports: MemoryPorts, principal: Principal) -> None:
    job = add_job(ports, principal)
    stopped = jobs.stop(ports, principal, job.id)
    assert (stopped.status, stopped.ended_at) == (JobStatus.STOPPED, ports.clock())
    assert jobs.stop(ports, principal, job.id) == stopped, "idempotent"
    assert dispatch.dispatch(ports, job.workspace_id, job.id).status is JobStatus.STOPPED
    assert ports.compute.submissions == {}
    assert [entry.action for entry in _audit(ports, principal)].count("job.stop") == 1


def test_d9_stop_of_a_running_job_terminates_its_container(ports: MemoryPorts, principal: Principal) -> None:
    job = add_job(ports, principal)
    job = dispatch.dispatch(ports, job.workspace_id, job.id)
    tell(ports, job, JobStatus.RUNNING)
    stopping = jobs.stop(ports, principal, job.id)
    assert stopping.status is JobStatus.STOPPING
    assert ports.compute.states[str(job.compute_job_id)].status is JobStatus.FAILED
    assert jobs.stop(ports, principal, job.id).revision == stopping.revision, "idempotent"


def test_job_of_another_workspace_is_not_found(ports: MemoryPorts, principal: Principal) -> None:
    job = add_job(ports, principal)
    stranger = new_principal()
    for use_case in (jobs.get, jobs.stop, partial(jobs.retry, limits=LIMITS)):
        with pytest.raises(NotFoundError):
            use_case(ports, stranger, job.id)  # type: ignore[operator]


def test_retry_is_a_new_job_on_the_same_bytes(ports: MemoryPorts, principal: Principal) -> None:
    job = add_job(ports, principal)
    with pytest.raises(ConflictError, match="SUBMITTED"):
        jobs.retry(ports, principal, job.id, limits=LIMITS)
    job_states.fail(ports, job.workspace_id, job.id, Failure(code="killed", cause="killed"))
    add_version(ports, principal, _dataset(ports, principal))
    again = jobs.retry(ports, principal, job.id, limits=LIMITS)
    assert (again.retry_of, again.status, again.channels) == (job.id, JobStatus.SUBMITTED, job.channels)
    assert again.failure is None


def test_c10_retry_without_its_data_is_refused(ports: MemoryPorts, principal: Principal) -> None:
    job = jobs.stop(ports, principal, add_job(ports, principal).id)
    pin = job.channels["train"]
    version = records.get(ports, DatasetVersion, job.workspace_id, pin.dataset_id, 1)
    records.save(ports, version, pin.dataset_id, 1, digest="0" * 64)
    with pytest.raises(ConflictError, match="not the one"):
        jobs.retry(ports, principal, job.id, limits=LIMITS)


def test_list_by_status_goes_through_every_page(ports: MemoryPorts, principal: Principal) -> None:
    made = [add_job(ports, principal) for _ in range(12)]
    for job in made[::3]:
        jobs.stop(ports, principal, job.id)
    found, start = [], None
    while True:
        page, start = jobs.list_jobs(ports, principal, limit=3, start=start, status=JobStatus.STOPPED)
        found += [job.id for job in page]
        if start is None:
            break
    assert sorted(found) == sorted(job.id for job in made[::3])


def test_list_by_kind_leaves_the_other_kinds_out(ports: MemoryPorts, principal: Principal) -> None:
    trained = add_job(ports, principal)
    dataset = add_dataset(ports, principal, name="large")
    version = add_version(ports, principal, dataset, status=DatasetVersionStatus.INGESTING)
    jobs.submit_ingest(ports, principal.workspace_id, dataset.id, version.number)
    found, start = jobs.list_jobs(ports, principal, limit=10, kind=JobKind.TRAIN)
    assert ([job.id for job in found], start) == ([trained.id], None)


def test_ingest_is_submitted_once_for_a_version(ports: MemoryPorts, principal: Principal) -> None:
    dataset = add_dataset(ports, principal, name="large")
    version = add_version(ports, principal, dataset, status=DatasetVersionStatus.INGESTING)
    first = jobs.submit_ingest(ports, principal.workspace_id, dataset.id, version.number)
    assert jobs.submit_ingest(ports, principal.workspace_id, dataset.id, version.number) == first
    assert first.spec == IngestSpec(dataset_id=dataset.id, number=1)
    assert len(_jobs(ports, principal)) == 1


def test_ingest_job_is_not_retried_but_its_files_are_uploaded_again(ports: MemoryPorts, principal: Principal) -> None:
    dataset = add_dataset(ports, principal, name="large")
    add_version(ports, principal, dataset, status=DatasetVersionStatus.INGESTING)
    job = jobs.submit_ingest(ports, principal.workspace_id, dataset.id, 1)
    job = dispatch.dispatch(ports, job.workspace_id, job.id)
    failed = tell(ports, job, JobStatus.FAILED, exit_code=137)
    assert failed.failure is not None
    assert failed.failure.cause.endswith("Upload the files again.")
    with pytest.raises(ConflictError, match="Upload the files again"):
        jobs.retry(ports, principal, job.id, limits=LIMITS)


def test_platform_acts_under_its_own_name() -> None:
    assert platform.principal("dispatch", "ws_1").actor == "platform:dispatch"


def test_c7_unknown_field_is_refused() -> None:
    with pytest.raises(ValueError, match="surprise"):
        JobCreate.model_validate({"spec": {"dataset": "adult", "algorithm": "xgboost", "surprise": 1}})


def _jobs(ports: MemoryPorts, principal: Principal) -> list[str]:
    return [job.id for job in jobs.list_jobs(ports, principal, limit=100)[0]]


def _dataset(ports: MemoryPorts, principal: Principal) -> Dataset:
    return records.find(ports, Dataset, principal.workspace_id, "adult")


def _audit(ports: MemoryPorts, principal: Principal) -> list[AuditEntry]:
    page = ports.registry.query(keys.partition(principal.workspace_id), keys.row_prefix("audit"), limit=100)
    entries = [AuditEntry.model_validate(row.data) for row in page.rows]
    return [entry for entry in entries if entry.target_resource == "job"]
