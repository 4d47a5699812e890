"""`aimass audit`."""

from itertools import islice
from typing import Annotated

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, show_list


def show_audit(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Who did what, newest first."""
    columns = (
        Column("WHEN", lambda a: a.created_at),
        Column("WHO", lambda a: a.created_by),
        Column("ACTION", lambda a: a.action),
        Column("TARGET", lambda a: a.target_id),
    )
    show_list(islice(client_of(context).audit.list(), limit), columns, output=output)
