"""Triggers as their users ask for them, and what fires them.

A run is one transaction: the job, the run and the trigger that names it, guarded by the trigger's revision. So each
version is fired for once, by whichever event comes first; `fire_due`, each minute, makes up for events that are lost.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus
from aimass_core.domain.jobs import Job, JobCreate, JobStatus
from aimass_core.domain.quality import Outcome
from aimass_core.domain.triggers import (
    MAX_TRIGGERS,
    RunStatus,
    Trigger,
    TriggerCreate,
    TriggerRun,
    TriggerStatus,
    TriggerUpdate,
)
from aimass_core.errors import (
    AimassError,
    ConflictError,
    ErrorDetail,
    InvalidRequestError,
    NotFoundError,
    StaleRevisionError,
    UnavailableError,
)
from aimass_core.ports import Delete, Ports, Put, Write, WriteConflictError
from aimass_core.services import job_defaults, job_plans, jobs, platform, promotion, records, schedules

_SCAN_PAGE = 100
_MAX_DUE = 10_000
_MAX_WRITES = 8
_GRACE = timedelta(minutes=1)

_log = logging.getLogger(__name__)


def create(ports: Ports, principal: Principal, request: TriggerCreate) -> Trigger:
    """A trigger that fires from the next version on. What its job needs is looked at now, as far as there is data."""
    dataset = records.find(ports, Dataset, principal.workspace_id, request.dataset)
    if len(_list_of_dataset(ports, principal.workspace_id, dataset.id)) >= MAX_TRIGGERS:
        raise ConflictError(f"The dataset {dataset.name!r} has {MAX_TRIGGERS} triggers already. Delete one first.")
    trigger = Trigger(
        **records.new_fields(ports, principal, Trigger),
        name=request.name,
        description=request.description,
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        job=job_defaults.apply(ports, principal.workspace_id, request.job),
        every_seconds=request.every_seconds,
        cron=request.cron,
        needs_passed=request.needs_passed,
        deploy=request.deploy,
        last_number=dataset.last_number,
    )
    _check(ports, trigger, dataset)
    return records.create(ports, principal, trigger, name=trigger.name)


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[Trigger], str | None]:
    """A page of the workspace's triggers, newest first."""
    return records.list_page(ports, Trigger, principal.workspace_id, limit=limit, start=start)


def get(ports: Ports, principal: Principal, trigger: str) -> Trigger:
    """One trigger by id or name. Raises NotFoundError."""
    return records.find(ports, Trigger, principal.workspace_id, trigger)


def update(ports: Ports, principal: Principal, trigger: str, request: TriggerUpdate, *, revision: int) -> Trigger:
    """Changes what the request names, for the runs to come. Raises StaleRevisionError."""
    found = get(ports, principal, trigger)
    records.require_revision(found, revision)
    changes: dict[str, Any] = {name: getattr(request, name) for name in request.model_fields_set}
    for required in ("status", "description", "job", "needs_passed"):
        if required in changes and changes[required] is None:
            del changes[required]
    if "status" in changes:
        changes["status_reason"] = None
    # One kind of time takes the place of the other.
    for chosen, other in (("cron", "every_seconds"), ("every_seconds", "cron")):
        if changes.get(chosen) is not None:
            changes[other] = None
    if "job" in changes:
        changes["job"] = job_defaults.apply(ports, principal.workspace_id, changes["job"])
    changed = found.model_copy(update=changes)
    misfit = changed.job.find_misfit(found.dataset_name)
    if misfit is not None:
        raise InvalidRequestError(misfit, details=[ErrorDetail(location="body.job.spec", message=misfit)])
    _check(ports, changed, records.get(ports, Dataset, found.workspace_id, found.dataset_id))
    return records.save(ports, found, found.id, principal=principal, **changes)


def delete(ports: Ports, principal: Principal, trigger: str) -> None:
    """With its runs; jobs and models that came of them stay."""
    found = get(ports, principal, trigger)
    try:
        ports.registry.write(
            Delete(key=keys.row(found.workspace_id, Trigger.resource, found.id), expected=found.revision),
            Delete(key=keys.name_row(found.workspace_id, Trigger.resource, found.name), expected=1),
            records.audit(ports, principal, "trigger.delete", found, name=found.name),
        )
    except WriteConflictError as error:
        raise StaleRevisionError(f"The trigger {found.name!r} was changed in this moment. Delete it again.") from error
    for number in range(1, found.num_runs + 1):
        row = ports.registry.get(_run_key(found, number))
        if row is not None:
            ports.registry.write(Delete(key=row.key, expected=row.revision))


def list_runs(
    ports: Ports, principal: Principal, trigger: str, *, limit: int, start: str | None = None
) -> tuple[list[TriggerRun], str | None]:
    """A page of a trigger's runs, newest first."""
    found = get(ports, principal, trigger)
    return records.list_page(ports, TriggerRun, principal.workspace_id, found.id, limit=limit, start=start)


# --- events ----------------------------------------------------------------------------------------------------------


def fire_for_version(ports: Ports, workspace_id: str, dataset_id: str) -> int:
    """A dataset has a new version that is READY: its triggers fire. Idempotent. Returns how many did."""
    return sum(_fire(ports, trigger) for trigger in _list_of_dataset(ports, workspace_id, dataset_id))


def settle(ports: Ports, workspace_id: str, job_id: str) -> None:
    """A job has ended: where a trigger had submitted it, its run ends and its model may be deployed. Idempotent."""
    job = records.get(ports, Job, workspace_id, job_id)
    if job.trigger_id is None or not job.status.is_terminal:
        return
    try:
        trigger = records.get(ports, Trigger, workspace_id, job.trigger_id)
    except NotFoundError:
        return
    if trigger.active_run is None:
        return
    run = records.get(ports, TriggerRun, workspace_id, trigger.id, trigger.active_run)
    if run.job_id == job.id:
        _settle(ports, trigger, run, job)
        _fire(ports, records.get(ports, Trigger, workspace_id, trigger.id))


def fire_due(ports: Ports) -> int:
    """What the time sets going, and what events have missed. Returns how many did something. For the reconciler."""
    num_done = 0
    for status in TriggerStatus:
        for row in ports.registry.query_status(keys.status_partition(Trigger.resource, status), limit=_MAX_DUE):
            trigger = Trigger.model_validate(row.data)
            try:
                num_done += _follow(ports, trigger)
            except AimassError:
                _log.exception("cannot follow a trigger", extra={"trigger_id": trigger.id})
    return num_done


def _follow(ports: Ports, trigger: Trigger) -> bool:
    if trigger.active_run is None:
        return _fire(ports, trigger)
    run = records.get(ports, TriggerRun, trigger.workspace_id, trigger.id, trigger.active_run)
    job = records.get(ports, Job, trigger.workspace_id, run.job_id)
    # The event that a job has ended is given its time.
    if not job.status.is_terminal or job.updated_at > ports.clock() - _GRACE:
        return False
    settle(ports, trigger.workspace_id, job.id)
    return True


def _fire(ports: Ports, trigger: Trigger) -> bool:
    """Submits the job of the newest version where that is due. False where somebody else did, or nothing is due."""
    try:
        dataset = records.get(ports, Dataset, trigger.workspace_id, trigger.dataset_id)
    except NotFoundError:
        _pause(ports, trigger, f"The dataset {trigger.dataset_name!r} was deleted.")
        return False
    number = dataset.latest_version
    if number is None or not _is_due(ports, trigger, number):
        return False
    run_number = trigger.num_runs + 1
    principal = platform.principal("triggers", trigger.workspace_id)

    def beside(job: Job) -> list[Write]:
        run = TriggerRun(
            **records.new_fields(ports, principal, TriggerRun),
            trigger_id=trigger.id,
            number=run_number,
            dataset_version=number,
            job_id=job.id,
            status=RunStatus.RUNNING,
        )
        fired = trigger.model_copy(
            update={
                "last_number": number,
                "last_fired_at": ports.clock(),
                "num_runs": run_number,
                "active_run": run_number,
                "status_reason": None,
                "updated_at": ports.clock(),
                "revision": trigger.revision + 1,
            }
        )
        return [
            Put(row=records.to_row(fired), expected=trigger.revision),
            Put(row=records.to_row(run, trigger.id, run_number)),
        ]

    try:
        jobs.create_triggered(ports, principal, to_job(trigger, number), trigger_id=trigger.id, also=beside)
    except (UnavailableError, ConflictError) as error:
        # Somebody else was faster, or data changes in this moment: the next round sees.
        _note(ports, trigger, f"Not fired for version {number} yet: {error.message}")
        return False
    except AimassError as error:
        _pause(ports, trigger, f"Its job cannot be submitted for version {number}: {error.message}")
        return False
    return True


def to_job(trigger: Trigger, number: int) -> JobCreate:
    """The request for one version: wherever the spec names the dataset, it names this version."""
    body = trigger.job.model_dump(mode="json")
    spec, pinned = body["spec"], f"{trigger.dataset_name}@{number}"
    if "channels" in spec:
        spec["channels"] = {
            name: pinned if reference == trigger.dataset_name else reference
            for name, reference in spec["channels"].items()
        }
    else:
        spec["dataset"] = pinned
    return JobCreate.model_validate(body)


def _is_due(ports: Ports, trigger: Trigger, number: int) -> bool:
    if trigger.status is not TriggerStatus.ACTIVE or trigger.active_run is not None:
        return False
    due_at = _due_at(trigger)
    is_due = number > trigger.last_number if due_at is None else ports.clock() >= due_at
    return is_due and _is_good(ports, trigger, number)


def _due_at(trigger: Trigger) -> datetime | None:
    """When it fires next; None where versions decide. Times that were missed are made up for by one run."""
    since = trigger.last_fired_at or trigger.created_at
    if trigger.every_seconds is not None:
        return since + timedelta(seconds=trigger.every_seconds)
    return None if trigger.cron is None else schedules.next_of_cron(trigger.cron, since, location="body.cron")


def _is_good(ports: Ports, trigger: Trigger, number: int) -> bool:
    version = records.get(ports, DatasetVersion, trigger.workspace_id, trigger.dataset_id, number)
    is_passed = version.quality is Outcome.PASSED
    is_failed = version.quality is Outcome.FAILED
    return version.status is DatasetVersionStatus.READY and (is_passed if trigger.needs_passed else not is_failed)


def _settle(ports: Ports, trigger: Trigger, run: TriggerRun, job: Job) -> None:
    """Ends the run. The deployment comes first and is idempotent: after a crash it is done once more."""
    if job.status is not JobStatus.SUCCEEDED or job.model_version is None:
        reason = "The job left no model." if job.status is JobStatus.SUCCEEDED else job.status_reason
        is_done = job.status is JobStatus.SUCCEEDED and trigger.deploy is None
        ended = promotion.Promotion(
            status=RunStatus.SUCCEEDED if is_done else RunStatus.FAILED, reason=None if is_done else reason
        )
    elif trigger.deploy is None:
        ended = promotion.Promotion(status=RunStatus.SUCCEEDED, reason=None)
    else:
        principal = platform.principal("triggers", trigger.workspace_id)
        try:
            ended = promotion.promote(ports, principal, trigger.deploy, job.model_version)
        except (InvalidRequestError, NotFoundError) as error:
            ended = promotion.Promotion(status=RunStatus.FAILED, reason=error.message)
    for _ in range(_MAX_WRITES):
        present = records.get(ports, Trigger, trigger.workspace_id, trigger.id)
        if present.active_run != run.number:
            return
        freed = present.model_copy(
            update={"active_run": None, "updated_at": ports.clock(), "revision": present.revision + 1}
        )
        try:
            records.save(
                ports,
                run,
                trigger.id,
                run.number,
                also=[Put(row=records.to_row(freed), expected=present.revision)],
                status=ended.status,
                reason=ended.reason,
                model_version=job.model_version,
                endpoint_id=ended.endpoint_id,
            )
        except WriteConflictError:
            continue
        except StaleRevisionError:
            return
        return
    raise UnavailableError(f"The trigger {trigger.name!r} changes too quickly. Try again.")


def _note(ports: Ports, trigger: Trigger, reason: str) -> None:
    """Says why it waits, once."""
    if reason == trigger.status_reason:
        return
    try:
        records.save(ports, trigger, trigger.id, status_reason=reason)
    except StaleRevisionError:
        _log.info("somebody else fired", extra={"trigger_id": trigger.id})


def _pause(ports: Ports, trigger: Trigger, reason: str) -> None:
    """What cannot work is not tried each minute."""
    try:
        records.save(
            ports,
            trigger,
            trigger.id,
            principal=platform.principal("triggers", trigger.workspace_id),
            action="trigger.pause",
            status=TriggerStatus.PAUSED,
            status_reason=f"{reason} Change it, then resume it (aimass triggers resume {trigger.name}).",
        )
    except StaleRevisionError:
        _log.info("trigger was changed meanwhile", extra={"trigger_id": trigger.id})


def _check(ports: Ports, trigger: Trigger, dataset: Dataset) -> None:
    """Raises InvalidRequestError where its times cannot be followed, or its job cannot run on what there is."""
    _due_at(trigger)
    if dataset.latest_version is not None:
        job_plans.resolve(ports, trigger.workspace_id, to_job(trigger, dataset.latest_version))


def _list_of_dataset(ports: Ports, workspace_id: str, dataset_id: str) -> list[Trigger]:
    found: list[Trigger] = []
    start: str | None = None
    while True:
        page, start = records.list_page(ports, Trigger, workspace_id, limit=_SCAN_PAGE, start=start)
        found += [trigger for trigger in page if trigger.dataset_id == dataset_id]
        if start is None:
            return found


def _run_key(trigger: Trigger, number: int) -> keys.RowKey:
    return keys.row(trigger.workspace_id, TriggerRun.resource, trigger.id, number)
