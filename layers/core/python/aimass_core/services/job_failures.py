"""Why a job failed, in words that name the next step: from the container's own record, or from how it ended."""

import re

from pydantic import ValidationError

from aimass_core.domain import keys
from aimass_core.domain.compute import Backend
from aimass_core.domain.compute_states import ComputeState
from aimass_core.domain.jobs import CollectSpec, Failure, Job, JobKind
from aimass_core.ports import BlobNotFoundError, Ports

_MAX_RECORD_BYTES = 256 * 1024
_MAX_CAUSE = 2_000
_MAX_TRACEBACK = 8_000

# What the compute service did outranks what the container noted: a container that is being killed cannot know why.
_REASONS = {
    "out_of_memory": re.compile(r"OutOfMemory|instance type with more memory", re.IGNORECASE),
    "timeout": re.compile(r"exceeded timeout|timed out", re.IGNORECASE),
    "no_machines": re.compile(r"MaxWaitTimeExceeded|^CapacityError", re.IGNORECASE),
    "host_terminated": re.compile(r"^Host EC2|; Host EC2|^InternalServerError", re.IGNORECASE),
    "could_not_start": re.compile(
        r"Cannot(Pull|Create|Start)|ResourceInitialization|^ClientError: (Data|Checkpoint) download", re.IGNORECASE
    ),
}
_EXIT_CODES = {
    64: "user_error",
    65: "data_error",
    75: "interrupted",
    134: "aborted",
    137: "killed",
    139: "segmentation_fault",
    143: "terminated",
}
_GOES_ON = "Within minutes another job converts the version."
_CAUSES = {
    "out_of_memory": "The container needed more memory than the {memory} that it had, and was killed (exit code 137). "
    "Submit it with more memory (compute.memory_mib), or on less data.",
    "timeout": "It did not end within its max_seconds of {max_seconds}.{budget} Submit it with a higher max_seconds, "
    "or on less data.",
    "no_machines": "There were no machines for it in its time ({reason}). Submit it with a longer "
    "compute.max_wait_seconds, with another compute.instance_type, or without spot.",
    "host_terminated": "The machine that it ran on went away ({reason}). {retry}",
    "could_not_start": "The container could not be started: {reason}. {retry} If it happens again, the job definition "
    "or the image is wrong.",
    "user_error": "The container refused the job's configuration (exit code 64) without saying why. {logs}",
    "data_error": "The container refused the job's data (exit code 65) without saying why. {logs}",
    "interrupted": "It was interrupted (exit code 75) in each of its attempts. {retry}",
    "aborted": "The process aborted itself (exit code 134, SIGABRT), in native code most likely. {logs}",
    "killed": "The process was killed (exit code 137, SIGKILL), by the operating system for memory or by hand. {retry}",
    "segmentation_fault": "The process crashed in native code (exit code 139, segmentation fault). {logs}",
    "terminated": "The process was asked to end (exit code 143, SIGTERM) from outside the platform. {retry}",
    "failed": "The compute service says: {reason} (exit code {exit_code}). {logs}",
}


def explain(ports: Ports, job: Job, state: ComputeState) -> Failure:
    """The failure of a job that its compute service calls FAILED."""
    code = next((code for code, pattern in _REASONS.items() if pattern.search(state.reason or "")), None)
    if code is None:
        recorded = load_record(ports, job, attempt=max(job.attempt, state.attempt))
        if recorded is not None and recorded.code != "interrupted":
            return recorded.model_copy(update={"exit_code": state.exit_code or recorded.exit_code})
        code = _EXIT_CODES.get(state.exit_code or 0, "failed")
    return describe(code, job, reason=state.reason, exit_code=state.exit_code)


def describe(code: str, job: Job, *, reason: str | None = None, exit_code: int | None = None) -> Failure:
    """A failure whose cause we tell from how the container ended."""
    memory = "memory of the job definition"
    if job.compute.backend is Backend.SAGEMAKER:
        memory = f"memory of {job.compute.instance_type}"
    elif job.compute.memory_mib:
        memory = f"{job.compute.memory_mib} MiB"
    cause = _CAUSES[code].format(
        memory=memory,
        max_seconds=job.max_seconds,
        budget=_tell_budget(job),
        reason=reason or "nothing",
        exit_code="none" if exit_code is None else exit_code,
        retry=_GOES_ON if code == "interrupted" and job.kind is JobKind.INGEST else next_step(job),
        logs=f"Read its log with: aimass jobs logs {job.id}",
    )
    return Failure(code=code, cause=cause[:_MAX_CAUSE], exit_code=exit_code)


def _tell_budget(job: Job) -> str:
    if job.budget is None or job.budget.seconds > job.max_seconds:
        return ""
    return f" Its max_cost_usd of {job.budget.max_cost_usd:g} bought no more."


def next_step(job: Job) -> str:
    """What the user does now. An ingest job is not retried: its version is rejected."""
    if job.kind is JobKind.INGEST:
        return "Upload the files again."
    if job.kind is JobKind.REPORT:
        return "Make the report again: aimass reports create"
    if isinstance(job.spec, CollectSpec):
        return f"Run its source again: aimass sources run {job.spec.source}"
    if job.kind in (JobKind.EXPORT, JobKind.IMPORT_WORKSPACE):
        return "Do it again: aimass workspaces export, or import, which goes on where it ended."
    return f"Retry it with: aimass jobs retry {job.id}"


def lost(job: Job) -> Failure:
    """The compute service does not know the job any more, and it left no result."""
    return Failure(
        code="lost",
        cause="The compute service does not know this job any more, and it left no result. " + next_step(job),
    )


def not_dispatched(job: Job, *, reason: str) -> Failure:
    """The compute service was never able to take the job."""
    return Failure(
        code="not_dispatched",
        cause=f"The compute service did not take the job in {job.dispatch_attempts} attempts: {reason} "
        + next_step(job),
    )


def misconfigured(reason: str) -> Failure:
    """The compute service will never take the job as it is."""
    return Failure(code="configuration", cause=f"The compute service refuses the job: {reason}")


def load_record(ports: Ports, job: Job, *, attempt: int) -> Failure | None:
    """`failure.json` of an attempt, cut to what a row can hold. None where it is absent or unreadable."""
    key = keys.job_attempt(job.workspace_id, job.id, attempt, "failure.json")
    info = ports.lake.head(key)
    if info is None or info.num_bytes > _MAX_RECORD_BYTES:
        return None
    try:
        failure = Failure.model_validate_json(ports.lake.get(key))
    except (ValidationError, BlobNotFoundError):
        return None
    traceback = failure.traceback[-_MAX_TRACEBACK:] if failure.traceback else None
    return failure.model_copy(update={"cause": failure.cause[:_MAX_CAUSE], "traceback": traceback})
