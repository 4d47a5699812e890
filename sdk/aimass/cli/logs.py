"""`aimass logs`: what functions and jobs have logged."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, format_value, plain, show_list
from aimass.cli.quantities import to_moment
from aimass.client import Client
from aimass_core.domain.logs import LogEntry, LogSeverity

_POLL_SECONDS = 2.0
# Lines take some time to be found.
_LATE = timedelta(seconds=15)


def logs(
    context: typer.Context,
    *,
    request_id: Annotated[str | None, typer.Option("--request-id", help="As an error or X-Request-Id says.")] = None,
    job_id: Annotated[str | None, typer.Option("--job", help="About a job, and what it printed.")] = None,
    endpoint: Annotated[str | None, typer.Option("--endpoint", help="Requests to an endpoint: its id or name.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="A function, such as api, or job.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="A line has it, in any case.")] = None,
    level: Annotated[LogSeverity | None, typer.Option("--level", help="Of this level or above.")] = None,
    since: Annotated[str, typer.Option("--since", help="So long ago (30m, 2d), or a moment as ISO 8601.")] = "1h",
    until: Annotated[str | None, typer.Option("--until", help="The same; default: now.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many lines, the latest.")] = 200,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Search the logs of functions and jobs; the latest line comes last."""
    client = client_of(context)
    wanted: dict[str, Any] = {
        "request_id": request_id,
        "job_id": job_id,
        "endpoint": endpoint,
        "source": source,
        "text": text,
        "level": level,
    }
    first = to_moment(since, option="--since")
    if follow:
        _follow(client, wanted, since=first or datetime.now(UTC))
    found = list(islice(client.logs.search(**wanted, since=first, until=to_moment(until, option="--until")), limit))
    columns = (
        Column("WHEN", lambda line: line.at),
        Column("SOURCE", lambda line: line.source),
        Column("LEVEL", lambda line: line.level),
        Column("LINE", _to_words, is_long=True),
    )
    show_list(found[::-1], columns, output=output, empty="No line matches. A longer time: --since 1d.")


def _follow(client: Client, wanted: dict[str, Any], *, since: datetime) -> None:
    """Prints what is new until somebody ends it. Lines have no id: new is what there is more of than before."""
    seen: Counter[str] = Counter()
    while True:
        lines = list(client.logs.search(**wanted, since=since))[::-1]
        found = Counter(_to_text(line) for line in lines)
        for text in (found - seen).elements():
            typer.echo(text)
        newest = max((line.at for line in lines), default=since)
        since = max(since, newest - _LATE)
        seen = Counter(_to_text(line) for line in lines if line.at >= since)
        time.sleep(_POLL_SECONDS)


def _to_text(line: LogEntry) -> str:
    return f"{format_value(line.at)} {line.source} {line.level or '-'} {_to_words(line)}"


def _to_words(line: LogEntry) -> str:
    details = {"job_id": line.job_id, "request_id": line.request_id, **line.details}
    named = [f"{name}={value}" for name, value in details.items() if value is not None]
    return plain(" ".join([line.message, *named]))
