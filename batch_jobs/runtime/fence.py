"""One live attempt may write: an attempt claims its job, and one that was overtaken or stopped is shut out."""

from dataclasses import dataclass
from typing import Any

from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.ports import Ports
from aimass_core.services import job_states, records


class SupersededError(Exception):
    """This attempt may not write any more: a later one has begun, or the job was stopped or has ended."""


@dataclass(slots=True, kw_only=True)
class Fence:
    """The right of one attempt to write, checked against the registry.

    Attributes:
        attempt: from 1, as the compute service counts; 0 where it does not (SageMaker), then the claim counts.
    """

    ports: Ports
    workspace_id: str
    job_id: str
    attempt: int = 0

    def claim(self) -> Job:
        """Makes this attempt the one that may write; the job then. Raises SupersededError where it came too late.

        A container that claims its job runs: the row says so at once, whenever the compute service's event arrives.
        """
        if self.attempt == 0:
            self.attempt = _count(records.get(self.ports, Job, self.workspace_id, self.job_id))
        return job_states.change(self.ports, self.workspace_id, self.job_id, self._claim)

    def look(self) -> Job:
        """The job as it is now, for who writes nothing. Raises SupersededError where this attempt may not run.

        Where nobody counts attempts of the job, the claim of another process of this one is not a later attempt.
        """
        job = records.get(self.ports, Job, self.workspace_id, self.job_id)
        if self.attempt:
            self.require(job)
        else:
            _require_open(job)
        return job

    def check(self) -> Job:
        """The job as it is now. Raises SupersededError."""
        job = records.get(self.ports, Job, self.workspace_id, self.job_id)
        self.require(job)
        return job

    def require(self, job: Job) -> None:
        """Raises SupersededError unless this attempt may write to the job as it was read."""
        if job.attempt > self.attempt:
            raise SupersededError(f"Attempt {self.attempt} was overtaken by attempt {job.attempt}: it writes no more.")
        _require_open(job)

    def _claim(self, job: Job) -> dict[str, Any] | None:
        self.require(job)
        changes: dict[str, Any] = {} if job.attempt == self.attempt else {"attempt": self.attempt}
        if job.status is not JobStatus.RUNNING:
            changes |= {"status": JobStatus.RUNNING, "status_reason": None}
        return changes or None


def _require_open(job: Job) -> None:
    if job.status.is_terminal or job.status is JobStatus.STOPPING:
        raise SupersededError(f"The job is {job.status}: its containers write no more.")


def _count(job: Job) -> int:
    """SageMaker restarts a container within its job. Only a claim makes such a job RUNNING, so another one was here."""
    return job.attempt + 1 if job.status is JobStatus.RUNNING else max(job.attempt, job.num_attempts_ended + 1)
