"""Logs of functions and jobs."""

from datetime import datetime

from aimass.binding import Api, Pages
from aimass_core.domain.logs import LogEntry, LogSeverity


class LogsApi(Api):
    """`client.logs`."""

    def search(
        self,
        *,
        request_id: str | None = None,
        job_id: str | None = None,
        endpoint: str | None = None,
        source: str | None = None,
        text: str | None = None,
        level: LogSeverity | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Pages[LogEntry]:
        """What functions and jobs of the workspace have logged, newest first.

        Args:
            request_id: Of an answer's header X-Request-Id, or of an error.
            job_id: Lines about a job, and those that it printed.
            endpoint: Requests to an endpoint: its id or name.
            source: The function that wrote it, or "job".
            text: A line has it, in any case.
            level: Of this level or above.
            since: Not before this moment; default: an hour before `until`.
            until: Not after this moment; default: now.
        """
        wanted = {
            "request_id": request_id,
            "job_id": job_id,
            "endpoint": endpoint,
            "source": source,
            "text": text,
            "level": None if level is None else str(level),
            "since": None if since is None else since.isoformat(),
            "until": None if until is None else until.isoformat(),
        }
        return self._list(LogEntry, "/v1/logs", **wanted)
