"""What the SDK raises: the server's own error classes (`aimass_core.errors`) and these of the client.

AimassError
├── the server's tree                  raised again as the same class
├── ConfigurationError                 no API key, no such profile
├── ConnectionFailedError              the server could not be reached, or answered something else
├── MissingPackageError                an optional package is not installed
├── WaitTimeoutError                   `wait` gave up; the work itself goes on
├── InvalidSignatureError              a webhook's delivery is not ours, or an old one
├── JobFailedError                     the job that was waited for FAILED or was STOPPED
└── RejectedDataError                  the files that were uploaded did not become a version
"""

from typing import TYPE_CHECKING

from aimass_core.domain.datasets import FileIssue
from aimass_core.errors import AimassError, ErrorDetail

__all__ = [
    "AimassError",
    "ConfigurationError",
    "ConnectionFailedError",
    "InvalidSignatureError",
    "JobFailedError",
    "MissingPackageError",
    "RejectedDataError",
    "WaitTimeoutError",
]

_MAX_DETAILS = 5

if TYPE_CHECKING:
    from aimass.resources.datasets import DatasetVersion
    from aimass.resources.jobs import Job
    from aimass.resources.queries import Query


class ConfigurationError(AimassError):
    """The client does not know whom to ask, or as whom."""

    code = "configuration"


class ConnectionFailedError(AimassError):
    """No answer, or none that AI Mass gives."""

    code = "connection_failed"


class InvalidSignatureError(AimassError):
    """A delivery that nobody should believe."""

    code = "invalid_signature"


class MissingPackageError(AimassError):
    """What was asked for needs a package of one of the extras."""

    code = "missing_package"


class WaitTimeoutError(AimassError):
    """The time given to `wait` is over."""

    code = "wait_timeout"


class JobFailedError(AimassError):
    """The job ended without success; `job` tells why."""

    code = "job_failed"

    def __init__(self, job: "Job") -> None:
        cause = job.failure.cause if job.failure else job.status_reason or f"The job is {job.status}."
        super().__init__(f"Job {job.id} {job.status.lower()}: {cause}")
        self.job = job


class QueryFailedError(AimassError):
    """The query ended without rows; `query.status_reason` is what the engine says."""

    code = "query_failed"

    def __init__(self, query: "Query") -> None:
        super().__init__(f"The query {query.status.lower()}: {query.status_reason or 'no reason was given'}")
        self.query = query


class RejectedDataError(AimassError):
    """The files were refused; `version.issues` says what, where and what to do."""

    code = "rejected_data"

    def __init__(self, version: "DatasetVersion") -> None:
        others = [issue for issue in version.issues if issue.reason not in (version.status_reason or "")]
        super().__init__(
            f"Version {version.number} of {version.dataset_name} was rejected: {version.status_reason}",
            details=[ErrorDetail(location=_place(issue), message=issue.reason) for issue in others[:_MAX_DETAILS]],
        )
        self.version = version


def _place(issue: FileIssue) -> str:
    return ", ".join(
        [
            issue.file,
            *([f"line {issue.line}"] if issue.line else []),
            *([f"column {issue.column}"] if issue.column else []),
        ]
    )
