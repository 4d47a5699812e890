"""Searching the logs of functions and jobs: those lines only that belong to the caller's workspace.

A function's line says whose it is (`workspace_id`), and one that does not is shown to nobody. A container's line is of
the job whose stream it is in.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from aimass_core.domain.common import Principal, Role
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.jobs import Job
from aimass_core.domain.logs import JOB_SOURCE, LogEntry, LogFilter, LogSeverity
from aimass_core.domain.redaction import redact, redact_value
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import FoundLine, Ports
from aimass_core.services import records, workspaces

MAX_DAYS = 31
_MAX_STREAMS = 50
_MAX_JOBS = 200
# Powertools' own fields, which say where a line was written and not what happened.
_PLUMBING = frozenset({"location", "timestamp", "service", "cold_start", "sampling_rate", "function_arn"})
# What only those need who look after the installation.
_INSIDE = frozenset({"exception", "stack_trace"})
LEVELS = (*LogSeverity, "CRITICAL")
_JOB_LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL) (.*)$", re.DOTALL)


def list_page(
    ports: Ports, principal: Principal, wanted: LogFilter, *, limit: int, start: str | None
) -> tuple[list[LogEntry], str | None]:
    """A page of lines, newest first, and where the next begins; it may be short although more follow.

    Raises NotFoundError where the job or the endpoint is not the workspace's, and InvalidRequestError.
    """
    _check(ports, wanted)
    streams = _streams(ports, principal, wanted)
    until, num_seen = _parse_start(start, wanted.until)
    found = ports.log_search.search(
        functions=[name for name in ports.watch.list_functions() if wanted.source in (None, name)],
        streams=list(streams),
        containing=_needles(ports, principal, wanted),
        text=wanted.text,
        since=wanted.since,
        until=until,
        limit=num_seen + limit + 1,
    )
    knows_inside = principal.role is Role.ADMIN and workspaces.is_first(ports, principal.workspace_id)
    entries = [
        entry
        for line in found[num_seen : num_seen + limit]
        if (entry := _to_entry(line, principal, streams, knows_inside=knows_inside)) is not None
        and (wanted.level is None or wanted.level.includes(entry.level or ""))
    ]
    return entries, _next_start(found, num_seen + limit)


def _check(ports: Ports, wanted: LogFilter) -> None:
    if wanted.since >= wanted.until:
        raise InvalidRequestError(f"since is {wanted.since.isoformat()}: it must be before until.")
    if wanted.until - wanted.since > timedelta(days=MAX_DAYS):
        raise InvalidRequestError(f"since and until are more than {MAX_DAYS} days apart. Search a shorter time.")
    sources = (*ports.watch.list_functions(), JOB_SOURCE)
    if wanted.source is not None and wanted.source not in sources:
        raise InvalidRequestError(f"source is {wanted.source!r}: it must be one of {', '.join(sources)}.")


def _streams(ports: Ports, principal: Principal, wanted: LogFilter) -> dict[str, str]:
    """Job ids by their streams: of the job that is named, or of those that ran in this time."""
    if wanted.source not in (None, JOB_SOURCE) or wanted.request_id is not None or wanted.endpoint is not None:
        return {}
    if wanted.job_id is not None:
        jobs = [records.get(ports, Job, principal.workspace_id, wanted.job_id)]
    else:
        latest, _ = records.list_page(ports, Job, principal.workspace_id, limit=_MAX_JOBS)
        jobs = [job for job in latest if job.created_at <= wanted.until and job.updated_at >= wanted.since]
    return {job.log_stream: job.id for job in jobs[:_MAX_STREAMS] if job.log_stream is not None}


def _needles(ports: Ports, principal: Principal, wanted: LogFilter) -> list[list[str]]:
    """What the lines of functions have in common, as they are written; `_to_entry` has the last word on whose they
    are."""
    needles = [[_field("workspace_id", principal.workspace_id)]]
    if wanted.request_id is not None:
        needles.append([_field("request_id", wanted.request_id)])
    if wanted.job_id is not None:
        needles.append([_field("job_id", wanted.job_id)])
    if wanted.level is not None:
        needles.append([_field("level", level) for level in LEVELS if wanted.level.includes(level)])
    if wanted.endpoint is not None:
        endpoint = records.find(ports, Endpoint, principal.workspace_id, wanted.endpoint)
        addresses = [
            f"/{part}/{ref}{end}"
            for part in ("endpoints", "models")
            for ref in (endpoint.id, endpoint.name)
            for end in ("/", '"')
        ]
        needles.append([_field("endpoint_id", endpoint.id), _field("endpoint", endpoint.name), *addresses])
    return needles


def _field(name: str, value: str) -> str:
    return f"{json.dumps(name)}:{json.dumps(value)}"


def _to_entry(
    line: FoundLine, principal: Principal, streams: Mapping[str, str], *, knows_inside: bool
) -> LogEntry | None:
    """None where the line does not say that it belongs to the caller's workspace."""
    if line.source == JOB_SOURCE:
        job_id = next((streams[stream] for stream in streams if line.stream.startswith(stream)), None)
        return None if job_id is None else _to_job_entry(line, job_id)
    fields = _parse(line.text)
    if fields.get("workspace_id") != principal.workspace_id:
        return None
    hidden = _PLUMBING if knows_inside else _PLUMBING | _INSIDE
    shown = {name: value for name, value in redact_value(fields).items() if name not in hidden}
    return LogEntry(
        at=line.at,
        source=line.source,
        level=shown.pop("level", None),
        message=str(shown.pop("message", "")),
        request_id=shown.pop("request_id", None),
        job_id=shown.pop("job_id", None),
        details={name: value for name, value in shown.items() if value is not None and name != "workspace_id"},
    )


def _to_job_entry(line: FoundLine, job_id: str) -> LogEntry:
    match = _JOB_LINE.match(line.text)
    level, message = (match[1], match[2]) if match else (None, line.text)
    return LogEntry(at=line.at, source=JOB_SOURCE, level=level, message=redact(message), job_id=job_id)


def _parse(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _parse_start(start: str | None, until: datetime) -> tuple[datetime, int]:
    """Of lines of one moment some were on the page before."""
    if start is None:
        return until, 0
    moment, _, num_seen = start.partition(" ")
    return datetime.fromisoformat(moment), int(num_seen)


def _next_start(found: Sequence[FoundLine], end: int) -> str | None:
    if len(found) <= end:
        return None
    last = found[end - 1].at
    num_seen = sum(line.at == last for line in found[:end])
    return f"{last.isoformat()} {num_seen}"
