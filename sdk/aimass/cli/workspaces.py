"""`aimass workspaces` and `aimass whoami`."""

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, show_list, show_one

app = typer.Typer()


@app.command("list")
def list_workspaces(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """Those that the key belongs to."""
    columns = (
        Column("NAME", lambda w: w.name),
        Column("ID", lambda w: w.id),
        Column("DESCRIPTION", lambda w: w.description),
        Column("CREATED", lambda w: w.created_at),
    )
    show_list(client_of(context).workspaces.list(), columns, output=output)


def whoami(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """Whom the key stands for."""
    principal = client_of(context).system.whoami()
    show_one(principal, principal.model_dump(), output=output)
