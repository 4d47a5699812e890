"""`aimass users`."""

from typing import Annotated

import typer

from aimass.cli.console import console_url
from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list, show_one
from aimass_core.domain.common import Role
from aimass_core.domain.users import User, UserInvited

app = typer.Typer()

Who = Annotated[str, typer.Argument(metavar="USER", help="An e-mail address, or an id.")]


@app.command("invite")
def invite(
    context: typer.Context,
    email: str,
    role: Annotated[Role, typer.Option()] = Role.VIEWER,
    name: Annotated[str, typer.Option()] = "",
    output: Output = OutputFormat.TABLE,
) -> None:
    """Give a person a place. The link is printed now and never again: hand it to them."""
    _show_invitation(context, client_of(context).users.invite(email, role=role, name=name), output)


@app.command("invite-again")
def invite_again(context: typer.Context, user: Who, output: Output = OutputFormat.TABLE) -> None:
    """Another link for one who has not accepted yet; the one before holds no longer."""
    found = _find(context, user)
    _show_invitation(context, client_of(context).users.invite_again(found.id), output)


@app.command("list")
def list_users(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """Who may sign in, and who is invited."""
    columns = (
        Column("E-MAIL", lambda u: u.email),
        Column("NAME", lambda u: u.name),
        Column("ROLE", lambda u: str(u.role)),
        Column("STATUS", lambda u: str(u.status)),
        Column("JOINED", lambda u: u.joined_at),
        Column("ID", lambda u: u.id),
    )
    users = client_of(context).users.list()
    show_list(users, columns, output=output, empty="Nobody yet. Invite somebody: aimass users invite ada@example.com")


@app.command("set")
def set_user(
    context: typer.Context,
    user: Who,
    role: Annotated[Role | None, typer.Option()] = None,
    name: Annotated[str | None, typer.Option()] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Change a role or a name. A role holds from the user's next request on."""
    changed = client_of(context).users.update(_find(context, user).id, role=role, name=name)
    show_one(changed, _fields(changed), output=output)


@app.command("remove")
def remove(context: typer.Context, user: Who) -> None:
    """Take a person's place away: they are out with their next request."""
    found = _find(context, user)
    client_of(context).users.remove(found.id)
    say(f"{plain(found.email)} does not belong to this workspace any more.")


def _find(context: typer.Context, user: str) -> User:
    api = client_of(context).users
    wanted = user.strip().lower()
    found = next((each for each in api.list() if wanted in (each.email, each.id)), None)
    if found is None:
        raise typer.BadParameter(f"nobody in this workspace is {user!r}: see aimass users list", param_hint="USER")
    return found


def _show_invitation(context: typer.Context, invited: UserInvited, output: OutputFormat) -> None:
    link = f"{console_url(client_of(context))}#invitation={invited.invitation}"
    show_one(invited, {**_fields(invited), "expires": invited.invitation_expires_at, "link": link}, output=output)
    if invited.is_mailed:
        say(f"{plain(invited.email)} was sent the link by e-mail.")
    elif invited.mail_fault:
        say(f"No e-mail was sent: {plain(invited.mail_fault)} Hand the link over yourself.")


def _fields(user: User) -> dict[str, object]:
    return {"id": user.id, "e-mail": user.email, "name": user.name, "role": user.role, "status": user.status}
