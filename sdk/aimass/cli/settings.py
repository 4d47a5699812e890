"""`aimass settings`."""

import json
from itertools import islice
from typing import Annotated, Any

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list, show_one, show_rows
from aimass_core.domain.settings.contract import SettingsDetail, SettingSource, Subsystem

app = typer.Typer()

SubsystemName = Annotated[Subsystem, typer.Argument(help="The part of the platform.")]
_NAMES = ("SETTING", "VALUE", "UNIT", "FROM", "APPLIES", "CHANGED BY")
_HISTORY = (
    Column("VERSION", lambda v: v.version, is_number=True),
    Column("WHEN", lambda v: v.created_at),
    Column("WHO", lambda v: v.created_by),
    Column("CHANGED", lambda v: _tell_changes(v.changed), is_long=True),
    Column("REASON", lambda v: v.reason, is_long=True),
)


@app.command("list")
def list_settings(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """What the workspace has changed, of all subsystems."""
    found = client_of(context).settings.list()
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_list(found, (), output=output)
        return
    rows = [
        [str(each.subsystem), *row] for each in found for row in _to_rows(each) if row[3] != str(SettingSource.DEFAULT)
    ]
    if not rows and output is OutputFormat.TABLE:
        say("Everything is as it is by default. See one: aimass settings get training")
        return
    show_rows(["SUBSYSTEM", *_NAMES], rows, numbers=[False] * (len(_NAMES) + 1), output=output)


@app.command("get")
def get_settings(context: typer.Context, subsystem: SubsystemName, output: Output = OutputFormat.TABLE) -> None:
    """What holds, and where each value comes from."""
    _show(client_of(context).settings.get(subsystem), output=output)


@app.command("set")
def set_settings(
    context: typer.Context,
    subsystem: SubsystemName,
    values: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="checkpoint_seconds=30; null brings the default back.")
    ],
    reason: Annotated[str | None, typer.Option(help="Kept with the version and in the audit trail.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Change settings; they hold within ten seconds, or from the next job on, as APPLIES says."""
    given = dict(_to_pair(pair) for pair in values)
    _show(client_of(context).settings.set(subsystem, reason=reason, **given), output=output)


@app.command("history")
def show_history(
    context: typer.Context,
    subsystem: SubsystemName,
    limit: Annotated[int, typer.Option(min=1)] = 20,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Who changed what, when and why; newest first."""
    versions = islice(client_of(context).settings.history(subsystem), limit)
    show_list(versions, _HISTORY, output=output, empty="Nothing was ever changed.")


@app.command("revert")
def revert_settings(
    context: typer.Context,
    subsystem: SubsystemName,
    version: Annotated[int | None, typer.Option(min=1, help="Default: the one before the present.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Bring back a former version, as a new one."""
    _show(client_of(context).settings.revert(subsystem, version=version), output=output)


def _to_pair(pair: str) -> tuple[str, Any]:
    """The value as JSON where it is some, else as the text that it is."""
    name, equals, text = pair.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{pair!r} is no NAME=VALUE, such as checkpoint_seconds=30")
    try:
        return name.strip(), json.loads(text)
    except json.JSONDecodeError:
        return name.strip(), text


def _show(found: SettingsDetail, *, output: OutputFormat) -> None:
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_one(found, {}, output=output)
        return
    show_rows(_NAMES, _to_rows(found), numbers=[False] * len(_NAMES), output=output)
    if output is OutputFormat.TABLE:
        say(f"Version {found.revision}. {plain(found.description)}")


def _to_rows(found: SettingsDetail) -> list[list[Any]]:
    described: Any = found.json_schema["properties"]
    return [
        [
            name,
            state.value if isinstance(state.value, str | int | float | None) else json.dumps(state.value),
            described[name].get("unit", ""),
            str(state.source),
            str(state.applies).replace("_", " "),
            state.changed_by or "",
        ]
        for name, state in found.fields.items()
    ]


def _tell_changes(changed: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {_tell(each.before)} -> {_tell(each.after)}" for name, each in changed.items())


def _tell(value: Any) -> str:
    return "default" if value is None else str(value)
