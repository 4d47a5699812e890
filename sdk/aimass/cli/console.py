"""`aimass console`."""

import webbrowser
from typing import Annotated

import typer

from aimass.cli.output import client_of, say
from aimass.client import Client


def console(
    context: typer.Context,
    is_opened: Annotated[bool, typer.Option("--open/--no-open", help="In a browser, or only print the link.")] = True,
) -> None:
    """Open the console in a browser, signed in with this key's role. The link works once, within a minute."""
    client = client_of(context)
    # NOTE: after the #, where no server, proxy or log sees it.
    link = f"{console_url(client)}#code={client.sessions.create_code().code}"
    if is_opened and webbrowser.open(link):
        say(f"The console is open: {console_url(client)}")
        return
    say("Open this within a minute; it works once:")
    typer.echo(link)


def console_url(client: Client) -> str:
    """Where the console of a server lies."""
    return f"{client.http.base_url}/console/"
