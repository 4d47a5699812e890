"""`aimass api-keys`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, say, show_list, show_one
from aimass_core.domain.common import Role

app = typer.Typer()


@app.command("create")
def create_key(
    context: typer.Context,
    name: str,
    role: Annotated[Role, typer.Option()] = Role.DEVELOPER,
    expires_in_days: Annotated[int | None, typer.Option(min=1)] = None,
    requests_per_second: Annotated[
        float | None, typer.Option(help="Of predictions, as a mean of ten seconds; above it they are answered 429.")
    ] = None,
    requests_per_day: Annotated[int | None, typer.Option(min=1, help="Of predictions, from midnight UTC on.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a key. Its secret is printed now and never again."""
    expires_at = datetime.now(UTC) + timedelta(days=expires_in_days) if expires_in_days else None
    key = client_of(context).api_keys.create(
        name,
        role=role,
        expires_at=expires_at,
        max_requests_per_second=requests_per_second,
        max_requests_per_day=requests_per_day,
    )
    fields = {"id": key.id, "name": key.name, "role": key.role, "expires": key.expires_at, "secret": key.secret}
    show_one(key, fields, output=output)


@app.command("list")
def list_keys(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """All keys of the workspace."""
    columns = (
        Column("ID", lambda k: k.id),
        Column("NAME", lambda k: k.name),
        Column("ROLE", lambda k: str(k.role)),
        Column("CREATED", lambda k: k.created_at),
        Column("EXPIRES", lambda k: k.expires_at),
        Column("REVOKED", lambda k: k.revoked_at),
    )
    show_list(client_of(context).api_keys.list(), columns, output=output)


@app.command("rotate")
def rotate_key(
    context: typer.Context,
    key_id: str,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=720, help="So long the former secret holds too. 0: it ends now.")
    ] = 24,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Give a key another secret; it keeps its role, limits and grants."""
    key = client_of(context).api_keys.rotate(key_id, overlap_seconds=round(overlap_hours * 3600))
    fields = {
        "id": key.id,
        "name": key.name,
        "former secret holds until": key.former_secret_until,
        "secret": key.secret,
    }
    show_one(key, fields, output=output)


@app.command("revoke")
def revoke_key(context: typer.Context, key_id: str) -> None:
    """End a key at once."""
    client_of(context).api_keys.revoke(key_id)
    say(f"Revoked {key_id}.")
