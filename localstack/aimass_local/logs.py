"""Reads the server's log file and the CloudWatch logs of a function."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from aimass_local.clients import build_client

_POLL_SECONDS = 0.5
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
    seen: set[str] = set()
    since = 0
    events = _read_events(client, group, since)[-num_lines:]
    while True:
        for event in events:
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                since = max(since, event["timestamp"])
                yield event["message"].rstrip("\n")
        if not follow:
            return
        time.sleep(_POLL_SECONDS)
        events = _read_events(client, group, since)


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


def _read_events(client: Any, group: str, since: int) -> list[dict[str, Any]]:
    try:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
        events = [event for page in pages for event in page["events"]]
    except ClientError as error:
        raise LogNotFoundError(f"{group}: {error}") from error
    return sorted(events, key=lambda event: event["timestamp"])
