"""`aimass grants`."""

from typing import Annotated

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list
from aimass_core.domain.grants import GrantKind, GrantVerb

app = typer.Typer()

Kind = Annotated[GrantKind, typer.Argument()]
Ref = Annotated[str, typer.Argument(metavar="NAME", help="Its name, or its id.")]
Grantee = Annotated[
    str, typer.Argument(help="A workspace (ws_...), or of this one a user (usr_...), an API key (key_...) or a role.")
]


@app.command("add")
def add(
    context: typer.Context, kind: Kind, ref: Ref, grantee: Grantee, verb: Annotated[GrantVerb, typer.Argument()]
) -> None:
    """Let another workspace read it, or somebody of this one edit it whose role is not enough."""
    made = client_of(context).grants.put(kind, ref, grantee, verb=verb)
    say(f"{made.grantee} may {made.verb} the {made.kind} {plain(made.name)}. For others its id is {made.id}.")


@app.command("revoke")
def revoke(context: typer.Context, kind: Kind, ref: Ref, grantee: Grantee) -> None:
    """Take a grant back, at once."""
    client_of(context).grants.revoke(kind, ref, grantee)
    say(f"Revoked the grant of {plain(grantee)}.")


@app.command("list")
def list_grants(context: typer.Context, kind: Kind, ref: Ref, output: Output = OutputFormat.TABLE) -> None:
    """Who may do more with it than their role says."""
    columns = (
        Column("GRANTEE", lambda g: g.grantee),
        Column("MAY", lambda g: str(g.verb)),
        Column("BY", lambda g: g.granted_by),
        Column("AT", lambda g: g.granted_at),
    )
    show_list(client_of(context).grants.list(kind, ref), columns, output=output, empty="Nobody else.")


@app.command("given")
def list_given(
    context: typer.Context,
    to: Annotated[str | None, typer.Option(help="A workspace, a user, an API key or a role.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """What this workspace has granted, and to whom."""
    columns = (
        Column("KIND", lambda g: str(g.kind)),
        Column("NAME", lambda g: g.name),
        Column("GRANTEE", lambda g: g.grantee),
        Column("MAY", lambda g: str(g.verb)),
        Column("BY", lambda g: g.granted_by),
        Column("AT", lambda g: g.granted_at),
    )
    show_list(client_of(context).grants.given(grantee=to), columns, output=output, empty="Nothing.")


@app.command("shared")
def list_shared(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """What other workspaces let this one read: name it by its id."""
    columns = (
        Column("KIND", lambda g: str(g.kind)),
        Column("NAME", lambda g: g.name),
        Column("ID", lambda g: g.id),
        Column("WORKSPACE", lambda g: g.workspace_id),
        Column("SINCE", lambda g: g.granted_at),
    )
    show_list(client_of(context).grants.shared(), columns, output=output, empty="Nothing.")
