"""`aimass configure`."""

from typing import Annotated

import typer

from aimass.cli.output import say
from aimass.client import Client
from aimass.profiles import DEFAULT_BASE_URL, Profile, save_profile


def configure(
    name: Annotated[str, typer.Option(help="Of the profile.")] = "default",
    base_url: Annotated[str, typer.Option(prompt=True)] = DEFAULT_BASE_URL,
    api_key: Annotated[
        str, typer.Option(prompt=True, hide_input=True, help="Asked for, so that it stays out of the history.")
    ] = "",
) -> None:
    """Save a server and a key as a profile, after trying them."""
    with Client(base_url=base_url, api_key=api_key) as client:
        principal = client.system.whoami()
    path = save_profile(name, Profile(base_url=base_url, api_key=api_key), make_default=True)
    say(f"{principal.role} of {principal.workspace_name}. Saved as profile [bold]{name}[/] in {path}.")
