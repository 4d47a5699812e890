"""CloudWatch Logs, where containers write."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.domain.jobs import LogLine
from aimass_core.errors import InvalidRequestError


class CloudWatchLogs:
    """Satisfies `Logs`. The cursor is the service's own forward token."""

    def __init__(self, client: Any, *, group: str) -> None:
        self._client, self._group = client, group

    def read(self, stream: str, *, cursor: str | None, limit: int) -> tuple[Sequence[LogLine], str | None]:
        """See Logs. A stream that does not exist yet has no lines."""
        token = {"nextToken": cursor} if cursor else {}
        try:
            answer = self._client.get_log_events(
                logGroupName=self._group, logStreamName=stream, startFromHead=True, limit=limit, **token
            )
        except AWS_ERRORS as error:
            if code_of(error) == "ResourceNotFoundException":
                return [], cursor
            if code_of(error) == "InvalidParameterException":
                raise InvalidRequestError(
                    "This cursor is not one of this log. Begin again without a cursor."
                ) from error
            raise to_error(error, what="the log service") from error
        lines = [
            LogLine(at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC), message=event["message"])
            for event in answer["events"]
        ]
        return lines, answer.get("nextForwardToken") or cursor


class TrainingJobLogs(CloudWatchLogs):
    """Satisfies `Logs` for SageMaker, which names streams `job/host-time` and tells nobody the time."""

    def read(self, stream: str, *, cursor: str | None, limit: int) -> tuple[Sequence[LogLine], str | None]:
        """See Logs. `stream` is `job/host`; read is the newest of its streams, that of its latest restart."""
        try:
            answer = self._client.describe_log_streams(logGroupName=self._group, logStreamNamePrefix=f"{stream}-")
        except AWS_ERRORS as error:
            if code_of(error) == "ResourceNotFoundException":
                return [], cursor
            raise to_error(error, what="the log service") from error
        names = [str(found["logStreamName"]) for found in answer["logStreams"]]
        return super().read(max(names), cursor=cursor, limit=limit) if names else ([], cursor)
