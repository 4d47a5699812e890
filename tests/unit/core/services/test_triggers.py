"""Triggers fire once for each version, whatever is lost, and deploy only what passes the gate."""

import contextlib
import math
from collections.abc import Callable
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts, MemoryRegistry
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.quality import Outcome
from aimass_core.domain.triggers import (
    Gate,
    RunStatus,
    Trigger,
    TriggerCreate,
    TriggerRun,
    TriggerStatus,
    TriggerUpdate,
)
from aimass_core.errors import InvalidDataError, InvalidRequestError, NotFoundError
from aimass_core.ports import Write
from aimass_core.services import datasets, dispatch, endpoints, jobs, models, promotion, reconciler, records, triggers
from tests.factories.platform import (
    ManualClock,
    add_dataset,
    add_version,
    leave_result,
    new_principal,
    reload,
    tell,
)

JOB = {"spec": {"kind": "train", "dataset": "adult", "algorithm": "xgboost"}}


@pytest.fixture
def principal() -> Principal:
    return new_principal()


@pytest.fixture
def dataset(ports: MemoryPorts, principal: Principal) -> Dataset:
    dataset = add_dataset(ports, principal)
    add_version(ports, principal, dataset)
    return dataset


def make(ports: MemoryPorts, principal: Principal, **options: Any) -> Trigger:
    request = TriggerCreate.model_validate({"name": "nightly", "dataset": "adult", "job": JOB, **options})
    return triggers.create(ports, principal, request)


def bring(ports: MemoryPorts, principal: Principal, dataset: Dataset, **fields: Any) -> DatasetVersion:
    """A new version, and the stream's event of it."""
    version = add_version(ports, principal, dataset)
    if fields:
        version = records.save(ports, version, dataset.id, version.number, **fields)
    triggers.fire_for_version(ports, principal.workspace_id, dataset.id)
    return version


def runs(ports: MemoryPorts, principal: Principal) -> list[TriggerRun]:
    found, _ = triggers.list_runs(ports, principal, "nightly", limit=50)
    return found


def job_of(ports: MemoryPorts, run: TriggerRun) -> Job:
    return records.get(ports, Job, run.workspace_id, run.job_id)


def end(ports: MemoryPorts, job: Job, status: JobStatus = JobStatus.SUCCEEDED, *, model: bytes = b"onnx") -> Job:
    """The job runs; the stream's event of its end."""
    dispatch.dispatch(ports, job.workspace_id, job.id)
    if status is JobStatus.SUCCEEDED:
        leave_result(ports, job, model=model)
    tell(ports, job, status, exit_code=0 if status is JobStatus.SUCCEEDED else 64)
    triggers.settle(ports, job.workspace_id, job.id)
    return reload(ports, job)


def test_it_fires_for_each_new_version_with_that_version(
    ports: MemoryPorts, principal: Principal, dataset: Dataset
) -> None:
    make(ports, principal)
    triggers.fire_for_version(ports, principal.workspace_id, dataset.id)
    assert runs(ports, principal) == [], "what was there before is no news"
    bring(ports, principal, dataset)
    (run,) = runs(ports, principal)
    job = job_of(ports, run)
    assert (run.dataset_version, run.status) == (2, RunStatus.RUNNING)
    assert (job.channels["train"].number, job.trigger_id) == (2, run.trigger_id)
    assert job.created_by == "platform:triggers"
    ended = end(ports, job)
    (run,) = runs(ports, principal)
    assert (run.status, run.model_version) == (RunStatus.SUCCEEDED, ended.model_version)


def test_an_event_that_comes_again_fires_nothing(ports: MemoryPorts, principal: Principal, dataset: Dataset) -> None:
    make(ports, principal)
    bring(ports, principal, dataset)
    for _ in range(3):
        triggers.fire_for_version(ports, principal.workspace_id, dataset.id)
    (run,) = runs(ports, principal)
    end(ports, job_of(ports, run))
    triggers.settle(ports, run.workspace_id, run.job_id)
    triggers.fire_for_version(ports, principal.workspace_id, dataset.id)
    assert len(runs(ports, principal)) == 1


def test_versions_that_come_meanwhile_wait_and_the_newest_is_next(
    ports: MemoryPorts, principal: Principal, dataset: Dataset
) -> None:
    make(ports, principal)
    for _ in range(4):
        bring(ports, principal, dataset)
    (run,) = runs(ports, principal)
    end(ports, job_of(ports, run))
    newest, first = runs(ports, principal)
    assert (first.dataset_version, newest.dataset_version, newest.status) == (2, 5, RunStatus.RUNNING)


def test_d5_what_events_have_missed_is_made_up_for(
    ports: MemoryPorts, principal: Principal, dataset: Dataset, clock: ManualClock
) -> None:
    make(ports, principal)
    add_version(ports, principal, dataset)
    assert reconciler.run(ports).fired == 1
    (run,) = runs(ports, principal)
    job = job_of(ports, run)
    dispatch.dispatch(ports, job.workspace_id, job.id)
    leave_result(ports, job)
    tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
    assert reconciler.run(ports).fired == 0, "the event has its time"
    clock.advance(61)
    assert reconciler.run(ports).fired == 1
    assert runs(ports, principal)[0].status is RunStatus.SUCCEEDED
    assert reconciler.run(ports).fired == 0


def test_it_fires_at_intervals_on_the_newest_version(
    ports: MemoryPorts, principal: Principal, dataset: Dataset, clock: ManualClock
) -> None:
    make(ports, principal, every_seconds=3600)
    bring(ports, principal, dataset)
    assert runs(ports, principal) == []
    clock.advance(3600)
    assert reconciler.run(ports).fired == 1
    end(ports, job_of(ports, runs(ports, principal)[0]))
    assert reconciler.run(ports).fired == 0
    # A day in which nothing ran is made up for by one run.
    clock.advance(86_400)
    assert reconciler.run(ports).fired == 1
    assert [run.dataset_version for run in runs(ports, principal)] == [2, 2]


def test_it_fires_at_times_of_the_day(
    ports: MemoryPorts, principal: Principal, dataset: Dataset, clock: ManualClock
) -> None:
    hour = (clock().hour + 2) % 24
    made = make(ports, principal, cron=f"0 {hour} * * *")
    bring(ports, principal, dataset)
    assert runs(ports, principal) == []
    clock.advance(2 * 3600)
    assert reconciler.run(ports).fired == 1
    end(ports, job_of(ports, runs(ports, principal)[0]))
    assert reconciler.run(ports).fired == 0
    # Three days in which nothing ran are made up for by one run.
    clock.advance(3 * 86_400)
    assert reconciler.run(ports).fired == 1
    end(ports, job_of(ports, runs(ports, principal)[0]))
    present = triggers.get(ports, principal, made.id)
    hourly = triggers.update(ports, principal, made.id, TriggerUpdate(every_seconds=3600), revision=present.revision)
    assert (hourly.every_seconds, hourly.cron) == (3600, None)


@pytest.mark.parametrize(
    ("quality", "needs_passed", "fires"),
    [
        (Outcome.PASSED, True, True),
        (Outcome.WARNED, True, False),
        (None, True, False),
        (Outcome.WARNED, False, True),
        (Outcome.FAILED, False, False),
    ],
)
def test_only_versions_that_pass_fire_it(
    ports: MemoryPorts, principal: Principal, dataset: Dataset, quality: Outcome | None, needs_passed: bool, fires: bool
) -> None:
    make(ports, principal, needs_passed=needs_passed)
    add_version(ports, principal, dataset, status=DatasetVersionStatus.REJECTED)
    bring(ports, principal, dataset, quality=quality)
    assert len(runs(ports, principal)) == fires


def test_a_failed_job_is_told_and_the_next_version_is_tried(
    ports: MemoryPorts, principal: Principal, dataset: Dataset
) -> None:
    make(ports, principal)
    bring(ports, principal, dataset)
    end(ports, job_of(ports, runs(ports, principal)[0]), JobStatus.FAILED)
    (run,) = runs(ports, principal)
    assert run.status is RunStatus.FAILED
    assert run.reason
    bring(ports, principal, dataset)
    assert runs(ports, principal)[0].dataset_version == 3


def test_a_model_is_deployed_and_replaced_only_where_the_gate_holds(
    ports: MemoryPorts, principal: Principal, dataset: Dataset
) -> None:
    make(ports, principal, deploy={"endpoint": "live", "gate": {"min_gain": 0.01}})
    bring(ports, principal, dataset)
    end(ports, job_of(ports, runs(ports, principal)[0]))
    (run,) = runs(ports, principal)
    assert (run.status, run.reason) == (RunStatus.PROMOTED, "adult@1 was given to the endpoint 'live'.")
    endpoint = endpoints.get(ports, principal, "live")
    assert endpoint.candidate is not None
    endpoints.activate(ports, principal.workspace_id, endpoint.id)
    bring(ports, principal, dataset)
    end(ports, job_of(ports, runs(ports, principal)[0]), model=b"another")
    held = runs(ports, principal)[0]
    assert held.status is RunStatus.HELD
    assert "a gain of 0, and 0.01 is wanted" in str(held.reason)
    serving = records.get(ports, Endpoint, principal.workspace_id, endpoint.id).serving
    assert serving is not None
    assert serving.number == 1


def test_a_model_takes_over_by_the_triggers_rollout_where_another_one_is_served(
    ports: MemoryPorts, principal: Principal, dataset: Dataset
) -> None:
    make(ports, principal, deploy={"rollout": {"percent": 5}, "gate": {"min_gain": None}})
    for _ in range(2):
        bring(ports, principal, dataset)
        end(ports, job_of(ports, runs(ports, principal)[0]))
        endpoints.activate(ports, principal.workspace_id, endpoints.get(ports, principal, "adult").id)
    endpoint = endpoints.get(ports, principal, "adult")
    assert endpoint.serving is not None
    assert endpoint.rollout is not None
    assert (endpoint.serving.ref, endpoint.rollout.model.ref, endpoint.rollout.percent) == ("adult@1", "adult@2", 5)


def test_a_crash_after_the_deployment_deploys_once(ports: MemoryPorts, principal: Principal, dataset: Dataset) -> None:
    trigger = make(ports, principal, deploy={})
    bring(ports, principal, dataset)
    job = job_of(ports, runs(ports, principal)[0])
    dispatch.dispatch(ports, job.workspace_id, job.id)
    leave_result(ports, job)
    job = tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
    assert trigger.deploy is not None
    assert job.model_version is not None
    promotion.promote(ports, principal, trigger.deploy, job.model_version)
    triggers.settle(ports, job.workspace_id, job.id)
    assert runs(ports, principal)[0].status is RunStatus.PROMOTED
    assert endpoints.get(ports, principal, "adult").revision == 1


class CrashError(Exception):
    """The process is gone."""


class Crashing(MemoryRegistry):
    """Its process dies before or after a write."""

    def __init__(self) -> None:
        super().__init__()
        self.num_writes_left: float = math.inf
        self.is_written = False

    def write(self, *writes: Write) -> None:
        """See Registry."""
        self.num_writes_left -= 1
        if self.num_writes_left == 0 and not self.is_written:
            raise CrashError
        super().write(*writes)
        if self.num_writes_left == 0:
            raise CrashError


@pytest.mark.parametrize("is_written", [True, False])
@pytest.mark.parametrize("num_writes", range(1, 5))
def test_j6_a_crash_between_any_two_writes_is_made_up_for(
    ports: MemoryPorts, principal: Principal, clock: ManualClock, num_writes: int, is_written: bool
) -> None:
    registry = Crashing()
    ports.registry = registry
    dataset = add_dataset(ports, principal)
    add_version(ports, principal, dataset)
    make(ports, principal, deploy={})
    add_version(ports, principal, dataset)

    def survive(act: Callable[[], object]) -> None:
        with contextlib.suppress(CrashError):
            act()

    registry.num_writes_left, registry.is_written = num_writes, is_written
    survive(lambda: triggers.fire_for_version(ports, principal.workspace_id, dataset.id))
    left, registry.num_writes_left = registry.num_writes_left, math.inf
    reconciler.run(ports)
    job = job_of(ports, runs(ports, principal)[0])
    dispatch.dispatch(ports, job.workspace_id, job.id)
    leave_result(ports, job)
    tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
    registry.num_writes_left = left
    survive(lambda: triggers.settle(ports, job.workspace_id, job.id))
    registry.num_writes_left = math.inf
    for _ in range(2):
        clock.advance(61)
        reconciler.run(ports)

    (run,) = runs(ports, principal)
    assert (run.status, run.job_id) == (RunStatus.PROMOTED, job.id)
    assert triggers.get(ports, principal, "nightly").active_run is None
    submitted, _ = jobs.list_jobs(ports, principal, limit=10)
    assert [each.id for each in submitted] == [job.id]
    serving = endpoints.get(ports, principal, "adult").serving
    assert serving is not None
    assert serving.number == 1


def version(number: int, **metrics: float) -> ModelVersion:
    return ModelVersion.model_validate(
        {
            "id": "mv",
            "workspace_id": "ws",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "created_by": "job",
            "model_id": "mdl",
            "model_name": "adult",
            "number": number,
            "job_id": "job",
            "algorithm": "xgboost",
            "task": "binary",
            "metrics": {name.replace("_of_", "/"): value for name, value in metrics.items()},
            "primary_metric": "roc_auc",
            "artifacts": [],
            "digest": "0" * 64,
            "model_bytes": 1,
        }
    )


@pytest.mark.parametrize(
    ("gate", "new", "old", "words"),
    [
        ({}, {"test_of_roc_auc": 0.9}, {"test_of_roc_auc": 0.9}, None),
        ({}, {"test_of_roc_auc": 0.89}, {"test_of_roc_auc": 0.9}, "a gain of -0.01, and 0 is wanted"),
        ({"min_gain": None}, {"test_of_roc_auc": 0.5}, {"test_of_roc_auc": 0.9}, None),
        ({"worst": 0.8}, {"validation_of_roc_auc": 0.7}, None, "at least 0.8 is wanted"),
        ({"worst": 0.8}, {"validation_of_roc_auc": 0.8}, None, None),
        ({"metric": "rmse", "worst": 2}, {"test_of_rmse": 2.5}, None, "at most 2 is wanted"),
        ({"metric": "rmse"}, {"test_of_rmse": 2.5}, {"test_of_rmse": 2.6}, None),
        ({"metric": "rmse", "min_gain": 0.2}, {"test_of_rmse": 2.5}, {"test_of_rmse": 2.6}, "a gain of 0.1, and 0.2"),
        ({}, {"test_of_roc_auc": 0.9}, {"validation_of_roc_auc": 0.8}, "It cannot be compared with adult@1"),
        ({"metric": "f2"}, {"test_of_roc_auc": 0.9}, None, "has no metric 'f2'. It has: roc_auc"),
    ],
)
def test_the_gate(gate: dict[str, Any], new: dict[str, float], old: dict[str, float] | None, words: str | None) -> None:
    serving = None if old is None else version(1, **old)
    held = promotion.check(Gate.model_validate(gate), version(2, **new), serving)
    assert held is None if words is None else words in str(held)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"spec": {**JOB["spec"], "dataset": "adult@3"}}, "names 'adult@3': leave the version out"),
        ({"spec": {**JOB["spec"], "dataset": "other"}}, "does not read 'adult'"),
        ({"spec": {"kind": "autotrain", "dataset": "adult", "study": "mine"}}, "leave study 'mine' out"),
        ({"spec": {"kind": "compress", "model": "adult"}}, "compress"),
    ],
)
def test_a_job_that_does_not_fit_is_refused(
    ports: MemoryPorts, principal: Principal, dataset: Dataset, job: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        make(ports, principal, job=job)


def test_what_the_job_needs_is_looked_at_when_the_trigger_is_made_or_changed(
    ports: MemoryPorts, principal: Principal, dataset: Dataset
) -> None:
    with pytest.raises(InvalidDataError, match="incom"):
        make(ports, principal, job={"spec": {**JOB["spec"], "target": "incom"}})
    with pytest.raises(NotFoundError):
        make(ports, principal, dataset="gone", job={"spec": {**JOB["spec"], "dataset": "gone"}})
    trigger = make(ports, principal)
    other = TriggerUpdate.model_validate({"job": {"spec": {**JOB["spec"], "dataset": "other"}}})
    with pytest.raises(InvalidRequestError, match="does not read 'adult'"):
        triggers.update(ports, principal, "nightly", other, revision=trigger.revision)


def test_one_that_cannot_work_any_more_is_paused_with_the_reason(
    ports: MemoryPorts, principal: Principal, dataset: Dataset
) -> None:
    held_out = add_dataset(ports, principal, name="held-out")
    add_version(ports, principal, held_out)
    trigger = make(ports, principal, job={"spec": {**JOB["spec"], "test": "held-out"}})
    datasets.delete(ports, principal, "held-out")
    bring(ports, principal, dataset)
    paused = triggers.get(ports, principal, trigger.id)
    assert paused.status is TriggerStatus.PAUSED
    assert "no dataset named 'held-out'" in str(paused.status_reason)
    assert "aimass triggers resume nightly" in str(paused.status_reason)
    update = TriggerUpdate.model_validate({"status": "ACTIVE", "job": JOB})
    triggers.update(ports, principal, trigger.id, update, revision=paused.revision)
    assert reconciler.run(ports).fired == 1


def test_a_paused_one_does_not_fire_and_its_run_ends_all_the_same(
    ports: MemoryPorts, principal: Principal, dataset: Dataset
) -> None:
    make(ports, principal)
    bring(ports, principal, dataset)
    trigger = triggers.get(ports, principal, "nightly")
    triggers.update(ports, principal, "nightly", TriggerUpdate(status=TriggerStatus.PAUSED), revision=trigger.revision)
    bring(ports, principal, dataset)
    end(ports, job_of(ports, runs(ports, principal)[0]))
    (run,) = runs(ports, principal)
    assert run.status is RunStatus.SUCCEEDED


def test_its_runs_go_with_it_and_the_models_stay(ports: MemoryPorts, principal: Principal, dataset: Dataset) -> None:
    trigger = make(ports, principal)
    bring(ports, principal, dataset)
    job = end(ports, job_of(ports, runs(ports, principal)[0]))
    triggers.delete(ports, principal, "nightly")
    with pytest.raises(NotFoundError):
        triggers.get(ports, principal, "nightly")
    assert records.list_page(ports, TriggerRun, principal.workspace_id, trigger.id, limit=10) == ([], None)
    triggers.settle(ports, principal.workspace_id, job.id)
    assert models.get_version(ports, principal, "adult").job_id == job.id
