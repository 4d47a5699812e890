"""`aimass sql`: ask datasets."""

import itertools
from pathlib import Path
from typing import Annotated

import typer

from aimass.cli.output import Output, OutputFormat, client_of, format_bytes, plain, say, show_rows
from aimass.resources.queries import Query
from aimass_core.domain.queries import FLOATS, INTEGERS

_SHOWN = 100


def sql(
    context: typer.Context,
    statement: Annotated[
        str, typer.Argument(help='One SELECT: "select count(*) from adult", or from the version "adult@3" in quotes.')
    ],
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Read this one only; the query may call it `data`.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many rows.")] = _SHOWN,
    save: Annotated[
        Path | None, typer.Option("--save", help="All rows into a file: .parquet, or else CSV for spreadsheets.")
    ] = None,
    max_seconds: Annotated[int | None, typer.Option(min=1, help="End the query after so long.")] = None,
    max_bytes: Annotated[int | None, typer.Option(min=1, help="End it once it has read more.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Query datasets with SQL (Trino's dialect); it only reads."""
    started = client_of(context).queries.create(
        statement, dataset=dataset, max_seconds=max_seconds, max_bytes=max_bytes
    )
    query = started.wait()
    if save is not None:
        say(f"Saved {plain(str(query.download(save)))}.")
    else:
        rows = list(itertools.islice(query, limit + 1))
        names = [column.name for column in query.columns]
        numbers = [column.type in INTEGERS | FLOATS for column in query.columns]
        show_rows(names, rows[:limit], numbers=numbers, output=output)
        if len(rows) > limit:
            say(f"[yellow]Note:[/] only the first {limit:,} rows are shown; --limit shows more, --save FILE saves all.")
    say(_costs(query))


def _costs(query: Query) -> str:
    cost = "" if query.cost_usd is None else f", {query.cost_usd:.6f} USD on Athena"
    seconds = "" if query.seconds is None else f" in {query.seconds:.2f} s"
    return (
        f"[dim]Read {format_bytes(query.scanned_bytes)} of {', '.join(query.datasets) or 'nothing'}{seconds}{cost}.[/]"
    )
