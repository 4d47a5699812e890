"""AWS Batch runs the containers."""

import re
from collections.abc import Sequence
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.domain.compute_states import ComputeState, is_array, parent_of, to_compute_state
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.job_queues import queue_names, queue_of
from aimass_core.errors import AimassError, InvalidRequestError, UnavailableError
from aimass_core.ports import Submission

_WHAT = "the compute service"
_CHUNK = 100
_ATTEMPTS = 3
# A container ends by itself within its job's max_seconds. One that is so much late, on a machine that was busy at the
# end, hands over what it has; SageMaker gives its containers two minutes.
GRACE_SECONDS = 15
# As in the job definition (infra/cdk/components/job_definition.py; a test compares both): what is sent with a job is in
# place of all of it.
JOB_RETRIES = (
    {"action": "RETRY", "onExitCode": "75"},
    {"action": "RETRY", "onStatusReason": "Host EC2*"},
    {"action": "EXIT", "onReason": "*"},
)
# Of a study: a worker that was killed is replaced, while the others go on.
_WORKER_RETRIES = (
    {"action": "EXIT", "onReason": "OutOfMemory*"},
    {"action": "RETRY", "onExitCode": "75"},
    {"action": "RETRY", "onExitCode": "137"},
    {"action": "RETRY", "onStatusReason": "Host EC2*"},
    {"action": "EXIT", "onReason": "*"},
)
_IS_SWITCHED_OFF = re.compile(r"queue.*(not.*ENABLED|DISABLED)", re.IGNORECASE | re.DOTALL)


class BatchCompute:
    """Satisfies `Compute`.

    Args:
        client: of boto3.
        job_queue: the first; the names of the others begin so (aimass_core.domain.job_queues).
        job_definition: of jobs with one container.
        collect_job_definition: of those that read sources, whose role reads their secrets.
        transfer_job_definition: of exports and imports of workspaces, whose role writes models.
        multinode_job_definition: of jobs on several machines; its one range of nodes has an open end.
    """

    def __init__(
        self,
        client: Any,
        *,
        job_queue: str,
        job_definition: str,
        collect_job_definition: str,
        transfer_job_definition: str,
        multinode_job_definition: str,
    ) -> None:
        self._client, self._job_queue = client, job_queue
        self._job_definition = job_definition
        self._definition_of_kind: dict[str, str] = {
            JobKind.COLLECT: collect_job_definition,
            JobKind.EXPORT: transfer_job_definition,
            JobKind.IMPORT_WORKSPACE: transfer_job_definition,
        }
        self._multinode_job_definition = multinode_job_definition

    def submit(self, submission: Submission) -> str:
        """See Compute."""
        try:
            answer = self._client.submit_job(
                jobName=submission.name,
                jobQueue=self._queue_of(submission),
                **self._what(submission),
                timeout={"attemptDurationSeconds": submission.max_seconds + GRACE_SECONDS},
            )
        except AWS_ERRORS as error:
            raise _to_submit_error(error) from error
        return str(answer["jobId"])

    def _queue_of(self, submission: Submission) -> str:
        compute = submission.compute
        queue = queue_of(
            gpus=compute.gpus or 0,
            num_nodes=compute.num_nodes,
            is_one_of_many=submission.num_workers is not None and submission.num_workers > 1,
        )
        return f"{self._job_queue}{queue}"

    def _what(self, submission: Submission) -> dict[str, Any]:
        num_nodes, overrides = submission.compute.num_nodes, _overrides(submission)
        if submission.num_workers is not None:
            # An array has at least two children.
            size = {"arrayProperties": {"size": submission.num_workers}} if submission.num_workers > 1 else {}
            return {
                "jobDefinition": self._job_definition,
                "containerOverrides": overrides,
                "retryStrategy": {
                    "attempts": submission.max_attempts or _ATTEMPTS,
                    "evaluateOnExit": list(_WORKER_RETRIES),
                },
                **size,
            }
        attempts = submission.max_attempts
        strategy = {"attempts": attempts, "evaluateOnExit": list(JOB_RETRIES)}
        retries = {} if attempts is None else {"retryStrategy": strategy}
        if num_nodes == 1:
            definition = self._definition_of_kind.get(submission.kind, self._job_definition)
            return {"jobDefinition": definition, "containerOverrides": overrides, **retries}
        nodes = [{"targetNodes": "0:", "containerOverrides": overrides}]
        return {
            "jobDefinition": self._multinode_job_definition,
            "nodeOverrides": {"numNodes": num_nodes, "nodePropertyOverrides": nodes},
            **retries,
        }

    def find(self, name: str) -> str | None:
        """See Compute. The filter by name lists jobs in every status."""
        listing = self._client.get_paginator("list_jobs")
        filters = [{"name": "JOB_NAME", "values": [name]}]
        try:
            found = [
                job
                for queue in queue_names(self._job_queue)
                for page in listing.paginate(jobQueue=queue, filters=filters)
                for job in page["jobSummaryList"]
                if job["jobName"] == name
            ]
        except AWS_ERRORS as error:
            raise to_error(error, what=_WHAT) from error
        return str(min(found, key=lambda job: job["createdAt"])["jobId"]) if found else None

    def describe(self, compute_job_ids: Sequence[str]) -> Sequence[ComputeState]:
        """See Compute. Of an array's children the first, worker 0, is the one that tells."""
        jobs = self._describe(compute_job_ids)
        arrays = [job["jobId"] for job in jobs if is_array(job)]
        workers = {parent_of(job): job for job in self._describe([f"{array}:0" for array in arrays])}
        return [to_compute_state(workers.get(job["jobId"], job)) for job in jobs]

    def _describe(self, compute_job_ids: Sequence[str]) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        for first in range(0, len(compute_job_ids), _CHUNK):
            try:
                answer = self._client.describe_jobs(jobs=list(compute_job_ids[first : first + _CHUNK]))
            except AWS_ERRORS as error:
                raise to_error(error, what=_WHAT) from error
            jobs += answer["jobs"]
        return jobs

    def terminate(self, compute_job_id: str, *, reason: str) -> None:
        """See Compute. Batch takes it in any status: what has not started is cancelled, what has ended stays."""
        try:
            self._client.terminate_job(jobId=compute_job_id, reason=reason[:1024] or "Stopped.")
        except AWS_ERRORS as error:
            raise to_error(error, what=_WHAT) from error


def _overrides(submission: Submission) -> dict[str, Any]:
    asked_for = submission.compute
    requirements = {"VCPU": asked_for.vcpus, "MEMORY": asked_for.memory_mib, "GPU": asked_for.gpus or None}
    overrides: dict[str, Any] = {
        "command": ["python", "-m", "batch_jobs", submission.kind],
        "environment": [{"name": name, "value": value} for name, value in submission.environment.items()],
    }
    asked = [{"type": kind, "value": str(value)} for kind, value in requirements.items() if value is not None]
    if asked:
        overrides["resourceRequirements"] = asked
    return overrides


def _to_submit_error(error: Exception) -> AimassError:
    if code_of(error) in ("ClientException", "AccessDeniedException", "ValidationException"):
        # NOTE: Batch's words name the wrong value; ARNs in them are of our own queue and definition.
        words = str(getattr(error, "response", {}).get("Error", {}).get("Message", ""))[:300]
        if _IS_SWITCHED_OFF.search(words):
            return UnavailableError("Its job queue is disabled. Enable it, and the job starts.")
        return InvalidRequestError(f"The compute service will not take this job: {words or code_of(error)}")
    return to_error(error, what=_WHAT)
