"""The statuses of jobs. Apart from jobs, whose kinds cost whoever only serves models a slow start."""

from enum import StrEnum


class JobStatus(StrEnum):
    """The one status machine, whichever service runs the job."""

    SUBMITTED = "SUBMITTED"
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def is_terminal(self) -> bool:
        """Whether it never changes again."""
        return self in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED)

    def may_become(self, other: "JobStatus") -> bool:
        """Monotone: a status only moves forward, and a terminal one is never left.

        RUNNING -> QUEUED is the one step back: the host went away and Batch starts a new attempt.
        """
        return other in _NEXT[self]


_TERMINAL = {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED}
_NEXT: dict[JobStatus, set[JobStatus]] = {
    JobStatus.SUBMITTED: {JobStatus.QUEUED, JobStatus.STARTING, JobStatus.RUNNING, JobStatus.STOPPING} | _TERMINAL,
    JobStatus.QUEUED: {JobStatus.STARTING, JobStatus.RUNNING, JobStatus.STOPPING} | _TERMINAL,
    JobStatus.STARTING: {JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.STOPPING} | _TERMINAL,
    JobStatus.RUNNING: {JobStatus.QUEUED, JobStatus.STOPPING} | _TERMINAL,
    JobStatus.STOPPING: set(_TERMINAL),
    JobStatus.SUCCEEDED: set(),
    JobStatus.FAILED: set(),
    JobStatus.STOPPED: set(),
}
