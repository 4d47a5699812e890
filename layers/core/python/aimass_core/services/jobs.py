"""Jobs as their users ask for them: create, list, get, stop, retry. What happens then, the other job modules do."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.datasets import DatasetVersion
from aimass_core.domain.jobs import (
    CollectSpec,
    IngestSpec,
    Job,
    JobCreate,
    JobKind,
    JobStatus,
    PinnedDataset,
)
from aimass_core.domain.study_specs import StudySpec
from aimass_core.domain.transfers import ExportSpec, ImportWorkspaceSpec
from aimass_core.errors import ConflictError, StaleRevisionError, UnavailableError
from aimass_core.ports import Ports, Put, Write, WriteConflictError
from aimass_core.services import (
    backends,
    budgets,
    job_channels,
    job_defaults,
    job_models,
    job_plans,
    job_quotas,
    job_requests,
    job_states,
    platform,
    records,
    studies,
)
from aimass_core.services.job_quotas import JobLimits

INGEST_MAX_SECONDS = 6 * 3600
_SCAN_PAGE = 100
_MAX_SCANNED = 1_000
_MAX_WRITES = 8

_log = logging.getLogger(__name__)


def create(ports: Ports, principal: Principal, request: JobCreate, *, limits: JobLimits) -> Job:
    """Pins data and models by digest and queues the job: the registry's row is the queue.

    A study begins, or goes on, in the same transaction as its job.

    Raises NotFoundError, ConflictError, InvalidRequestError, InvalidDataError or QuotaExceededError.
    """
    if (made := job_requests.find(ports, principal)) is not None:
        return made
    job_quotas.check(ports, principal.workspace_id, limits)
    return _create(ports, principal, request)


def create_triggered(
    ports: Ports, principal: Principal, request: JobCreate, *, trigger_id: str, also: Callable[[Job], Sequence[Write]]
) -> Job:
    """The same for a trigger, whose rows are written in the transaction of the job. It has one job at a time, and
    needs no quota but the budget. Raises ConflictError where a row was changed meanwhile."""
    budgets.require(ports, principal.workspace_id)
    return _create(ports, principal, request, trigger_id=trigger_id, also=also)


def _create(
    ports: Ports,
    principal: Principal,
    request: JobCreate,
    *,
    trigger_id: str | None = None,
    also: Callable[[Job], Sequence[Write]] = lambda _: (),
) -> Job:
    request = job_defaults.apply(ports, principal.workspace_id, request)
    plan = job_plans.resolve(ports, principal.workspace_id, request)
    job = Job(
        **records.new_fields(ports, principal, Job),
        trigger_id=trigger_id,
        kind=plan.spec.kind,
        spec=plan.spec,
        compute=plan.compute,
        max_seconds=plan.max_seconds,
        budget=plan.budget,
        status=JobStatus.SUBMITTED,
        channels={channel.name: channel.to_pin() for channel in plan.channels},
        models={model.role: model.to_pin() for model in plan.models},
        depends_on=list(dict.fromkeys(request.depends_on)),
    )
    return _submit(ports, principal, job, channels=plan.channels, beside=also(job))


def submit_ingest(ports: Ports, workspace_id: str, dataset_id: str, number: int) -> Job:
    """Queues the job that converts a dataset version whose files are too large for a Lambda. Once per version."""
    principal = platform.principal("ingest", workspace_id)
    for _ in range(_MAX_WRITES):
        version = records.get(ports, DatasetVersion, workspace_id, dataset_id, number)
        if version.job_id is not None:
            return records.get(ports, Job, workspace_id, version.job_id)
        job = Job(
            **records.new_fields(ports, principal, Job),
            kind=JobKind.INGEST,
            spec=IngestSpec(dataset_id=dataset_id, number=number),
            max_seconds=INGEST_MAX_SECONDS,
            status=JobStatus.SUBMITTED,
        )
        writes = [
            Put(row=records.to_row(job)),
            records.audit(ports, principal, "job.create", job),
            *job_states.new_writes(job),
        ]
        try:
            records.save(ports, version, dataset_id, number, job_id=job.id, also=writes)
        except StaleRevisionError:
            continue
        return job
    raise UnavailableError(f"The dataset version {dataset_id}/{number} changes too quickly. Try again.")


def submit_transfer(
    ports: Ports,
    principal: Principal,
    spec: ExportSpec | ImportWorkspaceSpec,
    *,
    max_seconds: int,
    limits: JobLimits,
) -> Job:
    """Queues a job that exports or imports the workspace. Raises QuotaExceededError."""
    if (made := job_requests.find(ports, principal)) is not None:
        return made
    job_quotas.check(ports, principal.workspace_id, limits)
    job = Job(
        **records.new_fields(ports, principal, Job),
        kind=spec.kind,
        spec=spec,
        max_seconds=max_seconds,
        status=JobStatus.SUBMITTED,
    )
    return _submit(ports, principal, job, channels=[])


def list_jobs(
    ports: Ports,
    principal: Principal,
    *,
    limit: int,
    start: str | None = None,
    status: JobStatus | None = None,
    kind: JobKind | None = None,
) -> tuple[list[Job], str | None]:
    """A page of the workspace's jobs, newest first, and where the next begins.

    With a status or a kind, a page may be shorter than `limit` although more follow: one request reads a bounded number
    of rows.
    """
    if status is None and kind is None:
        return records.list_page(ports, Job, principal.workspace_id, limit=limit, start=start)
    found: list[Job] = []
    num_scanned = 0
    while True:
        jobs, next_start = records.list_page(ports, Job, principal.workspace_id, limit=_SCAN_PAGE, start=start)
        num_scanned += len(jobs)
        for job in jobs:
            if status not in (None, job.status) or kind not in (None, job.kind):
                continue
            found.append(job)
            if len(found) == limit:
                return found, None if next_start is None and job is jobs[-1] else _sort_key(job)
        if next_start is None or num_scanned >= _MAX_SCANNED:
            return found, next_start
        start = next_start


def get(ports: Ports, principal: Principal, job_id: str) -> Job:
    """One job. Raises NotFoundError."""
    return records.get(ports, Job, principal.workspace_id, job_id)


def stop(ports: Ports, principal: Principal, job_id: str) -> Job:
    """Ends a job that nothing runs yet at once; for others it asks the compute service. Idempotent.

    A job that has been claimed for submission becomes STOPPING: whoever claimed it stops what it submits.
    """

    def decide(job: Job) -> dict[str, Any] | None:
        if job.status is JobStatus.STOPPING:
            return None
        if job.status is JobStatus.SUBMITTED and job.dispatched_at is None:
            return {"status": JobStatus.STOPPED, "status_reason": f"Stopped by {principal.actor}."}
        return {"status": JobStatus.STOPPING, "status_reason": f"{principal.actor} asked to stop it."}

    job = job_states.change(ports, principal.workspace_id, job_id, decide, principal=principal, action="job.stop")
    if job.status is JobStatus.STOPPING:
        terminate(ports, job)
    return job


def terminate(ports: Ports, job: Job) -> None:
    """Asks the compute service to stop a job; where it is busy now, the reconciler asks again."""
    if job.compute_job_id is None:
        return
    try:
        backends.compute_of(ports, job).terminate(job.compute_job_id, reason="Stopped by the user.")
    except UnavailableError as error:
        _log.warning("terminate postponed", extra={"job_id": job.id, "reason": error.message})


def retry(ports: Ports, principal: Principal, job_id: str, *, limits: JobLimits) -> Job:
    """Submits the same work on the same data and models again, as a new job.

    Raises QuotaExceededError, and ConflictError where the job has not failed or been stopped, where its data or models
    are gone, or for an ingest job: its version is rejected, and the next upload makes another.
    """
    if (made := job_requests.find(ports, principal)) is not None:
        return made
    job_quotas.check(ports, principal.workspace_id, limits)
    former = get(ports, principal, job_id)
    if former.kind is JobKind.INGEST:
        raise ConflictError(f"The job {former.id} ingested an upload. Upload the files again instead of retrying it.")
    if former.kind is JobKind.REPORT:
        raise ConflictError(f"The job {former.id} makes a report. Make that again: aimass reports create")
    if isinstance(former.spec, CollectSpec):
        source = former.spec.source
        raise ConflictError(f"The job {former.id} reads a source. Run that again: aimass sources run {source}")
    if isinstance(former.spec, ExportSpec | ImportWorkspaceSpec):
        what = "exports" if former.kind is JobKind.EXPORT else "imports"
        raise ConflictError(
            f"The job {former.id} {what} the workspace. An admin does so again: aimass workspaces --help"
        )
    if former.status not in (JobStatus.FAILED, JobStatus.STOPPED):
        raise ConflictError(f"The job {former.id} is {former.status}; only a FAILED or STOPPED one can be retried.")
    job = Job(
        **records.new_fields(ports, principal, Job),
        kind=former.kind,
        spec=former.spec,
        compute=former.compute,
        max_seconds=former.max_seconds,
        budget=former.budget,
        status=JobStatus.SUBMITTED,
        channels=former.channels,
        models=former.models,
        depends_on=former.depends_on,
        retry_of=former.id,
    )
    channels = job_channels.resolve_pins(ports, principal.workspace_id, former.channels)
    return _submit(ports, principal, job, channels=channels)


def list_active(ports: Ports, workspace_id: str) -> list[Job]:
    """The jobs of a workspace that have not ended (for: is this dataset still in use?)."""
    return [
        records.get(ports, Job, workspace_id, active_id)
        for active_id in job_states.list_active_ids(ports, workspace_id)
    ]


def to_input_data_config(workspace_id: str, channels: Mapping[str, PinnedDataset]) -> dict[str, dict[str, str]]:
    """The channels as `inputdataconfig.json` of the SageMaker contract, with the manifest to read."""
    return {
        name: {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
            "manifest": keys.dataset_version_object(
                pin.workspace_id or workspace_id, pin.dataset_id, pin.number, "manifest.json"
            ),
            "digest": pin.digest,
            "workspace_id": pin.workspace_id or workspace_id,
        }
        for name, pin in channels.items()
    }


def _submit(
    ports: Ports,
    principal: Principal,
    job: Job,
    *,
    channels: Sequence[job_channels.Channel],
    beside: Sequence[Write] = (),
) -> Job:
    _check_dependencies(ports, principal, job.depends_on)
    checks = {check.key: check for channel in channels for check in channel.to_checks()}
    of_study: list[Write] = []
    if isinstance(job.spec, StudySpec):
        joined = studies.join(ports, principal, job)
        job, of_study = joined.job, joined.writes
    of_request = job_requests.new_writes(ports, principal, job)
    told = _tell_owners(ports, principal, job, channels)
    also = [*job_states.new_writes(job), *of_request, *checks.values(), *of_study, *told, *beside]
    conflict: WriteConflictError | None = None
    # Jobs on the same models are submitted side by side: each changes their rows, so those are read anew.
    for _ in range(_MAX_WRITES if job.models else 1):
        try:
            return records.create(ports, principal, job, also=[*also, *job_models.hold_writes(ports, job)])
        except WriteConflictError as error:
            conflict = error
        if (made := job_requests.find(ports, principal)) is not None:
            return made
    what = "A dataset version or the study" if of_study else "A dataset or model version"
    raise ConflictError(f"{what} of the job changed in this moment. Submit it again.") from conflict


def _tell_owners(ports: Ports, principal: Principal, job: Job, channels: Sequence[job_channels.Channel]) -> list[Write]:
    """Entries in the audit trails of other workspaces, whose datasets the job reads."""
    granted = {channel.version.id: channel.version for channel in channels if channel.grant is not None}
    writes: list[Write] = []
    for version in granted.values():
        guest = principal.model_copy(update={"workspace_id": version.workspace_id, "role": Role.VIEWER})
        reader_id = principal.workspace_id
        writes.append(records.audit(ports, guest, "dataset_version.use", version, job_id=job.id, workspace=reader_id))
    return writes


def _check_dependencies(ports: Ports, principal: Principal, depends_on: Sequence[str]) -> None:
    for dependency_id in depends_on:
        dependency = get(ports, principal, dependency_id)
        if dependency.status in (JobStatus.FAILED, JobStatus.STOPPED):
            raise ConflictError(
                f"It depends on {dependency.id}, which is {dependency.status}. "
                f"Retry that one first (aimass jobs retry {dependency.id}) and depend on the new job."
            )


def _sort_key(job: Job) -> str:
    return keys.row(job.workspace_id, Job.resource, job.id).sort
