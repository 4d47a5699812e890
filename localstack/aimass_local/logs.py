"""Reads the server's log file and the CloudWatch logs of a function."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimass_local.clients import build_client

_POLL_SECONDS = 0.5
_LATE_MILLISECONDS = 10_000
_GROUP_PREFIX = "/aws/lambda/"


class LogNotFoundError(Exception):
    """There is no such log."""


def read_server_log(path: Path, *, num_lines: int, follow: bool) -> Iterator[str]:
    """The last lines of the server's log, and with `follow` those to come.

    Raises:
        LogNotFoundError: the server was never started in the background.
    """
    if not path.exists():
        raise LogNotFoundError(f"{path} does not exist: the server was not started here yet")
    with path.open(errors="replace") as log:
        yield from (line.rstrip("\n") for line in deque(log, maxlen=num_lines))
        while follow:
            line = log.readline()
            if line:
                yield line.rstrip("\n")
            else:
                time.sleep(_POLL_SECONDS)


def read_function_log(function: str, *, port: int, num_lines: int, follow: bool) -> Iterator[str]:
    """The last lines that a function logged, over all its workers, and with `follow` those to come.

    Args:
        function: the function's name or a part of it that only one function has, such as `api`.
        port: the local cloud's port.
        num_lines: how many of the last lines.
        follow: go on for ever.

    Raises:
        LogNotFoundError: no function, or more than one, is called so.
    """
    client = build_client("logs", port=port)
    group = _find_group(client, function)
    events = _read_events(client, group, since=0)
    yield from (event.message for event in events[-num_lines:])
    while follow:
        time.sleep(_POLL_SECONDS)
        since = max((event.timestamp for event in events), default=0) - _LATE_MILLISECONDS
        # Events have no id that lasts: what is new is what there is more of than before.
        seen = Counter(event for event in events if event.timestamp >= since)
        events = _read_events(client, group, since=max(0, since))
        yield from (event.message for event in (Counter(events) - seen).elements())


@dataclass(frozen=True, slots=True)
class _Event:
    timestamp: int
    stream: str
    message: str


def _find_group(client: Any, function: str) -> str:
    groups = [
        group["logGroupName"]
        for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=_GROUP_PREFIX)
        for group in page["logGroups"]
    ]
    names = [group.removeprefix(_GROUP_PREFIX) for group in groups]
    matching = [name for name in names if name == function] or [
        name for name in names if function.lower() in name.lower()
    ]
    if len(matching) != 1:
        found = f"{len(matching)} functions match" if matching else "no function that has run is called"
        raise LogNotFoundError(f"{found} {function!r}; functions with logs: {', '.join(sorted(names)) or 'none'}")
    return f"{_GROUP_PREFIX}{matching[0]}"


def _read_events(client: Any, group: str, *, since: int) -> list[_Event]:
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
    events = [
        _Event(event["timestamp"], event["logStreamName"], event["message"].rstrip("\n"))
        for page in pages
        for event in page["events"]
    ]
    # The lines of one millisecond stay in their order.
    return sorted(events, key=lambda event: event.timestamp)
