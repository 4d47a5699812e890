"""CloudWatch Logs Insights: one query over the logs of all functions, and one over those of containers.

Only `like` is asked of it, which finds a text in a line whether that line is JSON or not.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.domain.logs import JOB_SOURCE
from aimass_core.errors import DeadlineExceededError, UnavailableError
from aimass_core.ports import FoundLine

_SECONDS = 20.0
_POLL_SECONDS = (0.05, 1.0)
_MAX_LINES = 10_000
_AT = "%Y-%m-%d %H:%M:%S.%f"
_GONE = "ResourceNotFoundException"


class InsightsLogSearch:
    """Satisfies `LogSearch`.

    Args:
        client: CloudWatch Logs.
        function_groups: log groups by the short names of functions.
        job_groups: those of containers.
        sleep: between two looks at a query that runs.
    """

    def __init__(
        self,
        client: Any,
        *,
        function_groups: Mapping[str, str],
        job_groups: Sequence[str],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._sleep = client, sleep
        self._function_groups, self._job_groups = function_groups, job_groups

    def search(
        self,
        *,
        functions: Sequence[str],
        streams: Sequence[str] = (),
        containing: Sequence[Sequence[str]] = (),
        text: str | None = None,
        since: datetime,
        until: datetime,
        limit: int,
    ) -> Sequence[FoundLine]:
        """See LogSearch. Raises UnavailableError and DeadlineExceededError."""
        sources = {self._function_groups[name]: name for name in functions}
        # NOTE: a function's line is JSON in ASCII; a container's is whatever it printed.
        filters = [_like("@message", [re.escape(needle) for needle in needles]) for needles in containing]
        filters += [] if text is None else [_like("@message", [_any_case(json.dumps(text)[1:-1])])]
        started = [self._start(list(sources), filters, since, until, limit)] if sources else []
        if streams:
            of_jobs = [_like("@logStream", [f"^{re.escape(stream)}" for stream in streams])]
            of_jobs += [] if text is None else [_like("@message", [_any_case(text)])]
            started += [self._start([group], of_jobs, since, until, limit) for group in self._job_groups]
        deadline = time.monotonic() + _SECONDS
        found = [
            line
            for query_id in started
            if query_id is not None
            for line in self._read(query_id, sources, deadline=deadline)
            if since <= line.at <= until
        ]
        found.sort(key=lambda line: line.at, reverse=True)
        return found[:limit]

    def _start(
        self, groups: list[str], filters: Sequence[str], since: datetime, until: datetime, limit: int
    ) -> str | None:
        """The query's id; None where nothing was ever logged there."""
        milliseconds = round(until.timestamp() * 1_000)
        stages = [
            "fields @timestamp, @message, @log, @logStream",
            f"filter toMillis(@timestamp) <= {milliseconds}",
            *filters,
            "sort @timestamp desc",
            f"limit {min(limit, _MAX_LINES)}",
        ]
        try:
            answer = self._client.start_query(
                logGroupNames=groups,
                startTime=int(since.timestamp()),
                endTime=int(until.timestamp()) + 1,
                queryString=" | ".join(stages),
            )
        except AWS_ERRORS as error:
            if code_of(error) == _GONE and len(groups) == 1:
                return None
            raise to_error(error, what="the log service") from error
        return str(answer["queryId"])

    def _read(self, query_id: str, sources: Mapping[str, str], *, deadline: float) -> list[FoundLine]:
        pause = _POLL_SECONDS[0]
        while True:
            try:
                answer = self._client.get_query_results(queryId=query_id)
            except AWS_ERRORS as error:
                raise to_error(error, what="the log service") from error
            if answer["status"] == "Complete":
                return [_to_line(fields, sources) for fields in answer["results"]]
            if answer["status"] not in ("Scheduled", "Running"):
                raise UnavailableError("The log service gave the search up. Try again, or search a shorter time.")
            if time.monotonic() > deadline:
                self._stop(query_id)
                raise DeadlineExceededError(f"The search took more than {_SECONDS:.0f} s. Search a shorter time.")
            self._sleep(pause)
            pause = min(pause * 1.5, _POLL_SECONDS[1])

    def _stop(self, query_id: str) -> None:
        try:
            self._client.stop_query(queryId=query_id)
        except AWS_ERRORS as error:
            raise to_error(error, what="the log service") from error


def _like(field: str, patterns: Sequence[str]) -> str:
    # NOTE: a slash would end the pattern.
    joined = "|".join(patterns).replace("/", r"\/")
    return f"filter {field} like /{joined}/"


def _any_case(text: str) -> str:
    return f"(?i){re.escape(text)}"


def _to_line(fields: Sequence[Mapping[str, str]], sources: Mapping[str, str]) -> FoundLine:
    values = {field["field"]: field["value"] for field in fields}
    # NOTE: `@log` is `account:group`.
    group = values["@log"].rpartition(":")[2]
    return FoundLine(
        at=datetime.strptime(values["@timestamp"], _AT).replace(tzinfo=UTC),
        source=sources.get(group, JOB_SOURCE),
        stream=values["@logStream"],
        text=values["@message"].rstrip("\n"),
    )
