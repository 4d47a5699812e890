"""`aimass endpoints set|settings|revert`: live parameters."""

import json
from typing import Annotated, Any

import typer

from aimass.cli.output import Output, OutputFormat, client_of, say, show_one
from aimass.resources.endpoints import Endpoint
from aimass_core.domain.endpoint_settings import EndpointSettingsChange

app = typer.Typer()

_LISTS = ("hidden", "keys")


@app.command("set")
def set_settings(
    context: typer.Context,
    endpoint: str,
    settings: Annotated[
        list[str],
        typer.Argument(
            help="threshold=0.7 threads=2 timeout_seconds=5 sticky_by=header:x-customer log_level=debug warm=true "
            "batching.max_rows=64 capture.percent=5 capture.hidden=name,city capture.keys=id; `default` brings back a "
            "default."
        ),
    ],
    output: Output = OutputFormat.TABLE,
) -> None:
    """Change live parameters. They hold within seconds; nothing is restarted."""
    changed = client_of(context).endpoints.set(endpoint, **_read(settings))
    _show(changed, output)


@app.command("settings")
def show_settings(context: typer.Context, endpoint: str, output: Output = OutputFormat.TABLE) -> None:
    """The live parameters that hold now."""
    _show(client_of(context).endpoints.get(endpoint), output)


@app.command("revert")
def revert_settings(
    context: typer.Context,
    endpoint: str,
    to: Annotated[int | None, typer.Option(help="A version of the settings; default: the one before.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Bring back former live parameters."""
    _show(client_of(context).endpoints.revert(endpoint, version=to), output)


def _read(texts: list[str]) -> dict[str, Any]:
    """`a=1 b.c=2` as {"a": 1, "b": {"c": 2}}. Raises BadParameter."""
    found: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        path = name.split(".")
        if not separator or path[0] not in EndpointSettingsChange.model_fields or len(path) > 2:
            names = ", ".join(EndpointSettingsChange.model_fields)
            raise typer.BadParameter(
                f"{text!r} is no setting: write name=value, with one of {names}", param_hint="SETTINGS"
            )
        inside = found if len(path) == 1 else found.setdefault(path[0], {})
        if not isinstance(inside, dict) or path[-1] in inside:
            raise typer.BadParameter(f"{name!r} comes more than once", param_hint="SETTINGS")
        inside[path[-1]] = [part for part in value.split(",") if part] if path[-1] in _LISTS else _to_value(value)
    return found


def _to_value(text: str) -> Any:
    """A number where it is one; else the text, which the server reads."""
    if text == "default":
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def _show(endpoint: Endpoint, output: OutputFormat) -> None:
    settings = endpoint.settings
    fields: dict[str, object] = {}
    for name, value in settings.model_dump(mode="json").items():
        fields[name] = ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else value
    show_one(settings, fields, output=output)
    if output is OutputFormat.TABLE and settings.version > 1:
        say(f"Back: aimass endpoints revert {endpoint.name}")
