"""`aimass sources`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from aimass.cli import job_views
from aimass.cli.files import read_settings
from aimass.cli.following import follow
from aimass.cli.output import (
    Column,
    Output,
    OutputFormat,
    client_of,
    plain,
    say,
    show_list,
    show_one,
)
from aimass.resources.sources import Source
from aimass_core.domain.common import Contract
from aimass_core.domain.sources import SourceVerb

app = typer.Typer()
secrets_app = typer.Typer()
app.add_typer(
    secrets_app, name="secrets", help="What a source needs to be let in; nobody can read it back.", no_args_is_help=True
)

_EXAMPLE = "{collector: {type: files, urls: [...]}, policy: {...}}"

SourceArgument = Annotated[str, typer.Argument(help="Name or id.")]
SettingsFile = Annotated[
    Path | None, typer.Argument(help="YAML or JSON: collector, policy, description, owner, purpose, consent.")
]
Schedule = Annotated[str | None, typer.Option(help="rate(1 hour) or cron(0 6 * * MON-FRI), in UTC.")]


@app.command("create")
def create_source(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Its datasets are named after it.")],
    file: SettingsFile = None,
    url: Annotated[
        list[str] | None, typer.Option(help="Without a file: read CSV, JSON or Parquet from here; may be repeated.")
    ] = None,
    webhook: Annotated[bool, typer.Option("--webhook", help="Without a file: others send the records.")] = False,
    schedule: Schedule = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a source: what is read, by which collector, under which policy."""
    settings = {} if file is None else _read(file)
    if url:
        settings.setdefault("collector", {"type": "files", "urls": list(url)})
    if webhook:
        settings.setdefault("collector", {"type": "webhook"})
    if "collector" not in settings:
        raise typer.BadParameter(f"Say what reads it: a file with {_EXAMPLE}, --url, or --webhook.", param_hint="FILE")
    client = client_of(context)
    source = client.sources.create(name, **_with_schedule(settings, schedule))
    _show(source, output)
    if output is not OutputFormat.TABLE:
        return
    if source.collector.type == "webhook":
        say(f"Next: aimass sources webhook {source.name}")
    else:
        say(f"Next: aimass sources run {source.name}    secrets: aimass sources secrets set {source.name} <secret>")


@app.command("list")
def list_sources(
    context: typer.Context,
    shared: Annotated[bool, typer.Option("--shared", help="Those that others granted to this workspace.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """All sources, newest first."""
    columns = (
        Column("NAME", lambda s: s.name),
        Column("COLLECTOR", lambda s: s.collector.type),
        Column("STATUS", lambda s: str(s.status)),
        Column("SCHEDULE", lambda s: s.policy.schedule),
        Column("LAST RUN", lambda s: s.last_run_at),
        Column("NEXT RUN", lambda s: s.next_run_at),
        Column("ID", lambda s: s.id),
    )
    empty = "No sources yet. Make one: aimass sources create <name> --url https://..."
    show_list(client_of(context).sources.list(shared=shared), columns, output=output, empty=empty)


@app.command("show")
def show_source(context: typer.Context, source: SourceArgument, output: Output = OutputFormat.TABLE) -> None:
    """One source: how it does, what it fills, when it is read next."""
    client = client_of(context)
    found = client.sources.get(source)
    _show(found, output)
    if output is not OutputFormat.TABLE or not found.verb.includes(SourceVerb.READ):
        return
    columns = (
        Column("STREAM", lambda d: d.stream),
        Column("DATASET", lambda d: d.dataset_name),
        Column("LATEST", lambda d: d.latest_version, is_number=True),
        Column("ID", lambda d: d.dataset_id),
    )
    show_list(client.sources.datasets(found.id), columns, output=output, empty="It has filled no dataset yet.")


@app.command("update")
def update_source(
    context: typer.Context,
    source: SourceArgument,
    file: SettingsFile = None,
    schedule: Schedule = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Change what the file names, whole: its `policy` replaces the policy. Also while the source is read."""
    client = client_of(context)
    found = client.sources.get(source)
    settings = {} if file is None else _read(file)
    if schedule is not None:
        settings.setdefault("policy", found.policy.model_dump(mode="json", exclude_unset=True))
    _show(client.sources.update(found, **_with_schedule(settings, schedule)), output)


@app.command("delete")
def delete_source(
    context: typer.Context, source: SourceArgument, yes: Annotated[bool, typer.Option("--yes", "-y")] = False
) -> None:
    """Delete a source with its grants, secrets and state; its datasets stay."""
    if not yes:
        typer.confirm(f"Delete the source {source}?", abort=True, err=True)
    client_of(context).sources.delete(source)
    say(f"Deleted {source}.")


@app.command("pause")
def pause_source(context: typer.Context, source: SourceArgument) -> None:
    """No further run begins."""
    say(f"{client_of(context).sources.pause(source).name} is paused.")


@app.command("resume")
def resume_source(context: typer.Context, source: SourceArgument) -> None:
    """After a pause, or after its secret was refused."""
    resumed = client_of(context).sources.resume(source)
    say(f"{resumed.name} goes on." + (f" Next run: {resumed.next_run_at:%H:%M} UTC" if resumed.next_run_at else ""))


@app.command("run")
def run_source(
    context: typer.Context,
    source: SourceArgument,
    stream: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Begin anew.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Read a source once."""
    client = client_of(context)
    job = client.sources.run(source, streams=stream, full_refresh=full_refresh)
    is_own = job.workspace_id == client.system.whoami().workspace_id
    follow(job, detach=detach or not is_own, output=output)


@app.command("runs")
def list_runs(context: typer.Context, source: SourceArgument, output: Output = OutputFormat.TABLE) -> None:
    """Its runs, newest first."""
    columns = (*job_views.COLUMNS, Column("REASON", lambda j: j.status_reason, is_long=True))
    show_list(client_of(context).sources.runs(source), columns, output=output, empty="It was not run yet.")


@app.command("grant")
def grant_source(
    context: typer.Context,
    source: SourceArgument,
    grantee: Annotated[str, typer.Argument(help="Id of a workspace (ws_...) or of an API key of this one (key_...).")],
    verb: Annotated[SourceVerb, typer.Argument(help="Each includes those before it.")],
) -> None:
    """Let somebody else see, read, run or edit a source."""
    granted = client_of(context).sources.grant(source, grantee, verb)
    say(f"{granted.grantee} may {granted.verb} {source}.")


@app.command("revoke")
def revoke_source(context: typer.Context, source: SourceArgument, grantee: str) -> None:
    """Take a grant back, at once."""
    client_of(context).sources.revoke(source, grantee)
    say(f"Revoked the grant of {grantee}.")


@app.command("grants")
def list_grants(context: typer.Context, source: SourceArgument, output: Output = OutputFormat.TABLE) -> None:
    """Who else may do what with a source."""
    columns = (
        Column("GRANTEE", lambda g: g.grantee),
        Column("MAY", lambda g: str(g.verb)),
        Column("BY", lambda g: g.granted_by),
        Column("AT", lambda g: g.granted_at),
    )
    show_list(client_of(context).sources.grants(source), columns, output=output, empty="Nobody else.")


@app.command("lineage")
def show_lineage(context: typer.Context, source: SourceArgument, output: Output = OutputFormat.TABLE) -> None:
    """Which models were made of its data."""
    lineage = client_of(context).sources.lineage(source)
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_one(lineage, {}, output=output)
        return
    found = [(each.dataset_name, model) for each in lineage.datasets for model in each.models]
    rows = [_Made(dataset=name, model=f"{m.model_name}@{m.number}", job=m.job_id) for name, m in found]
    columns = (
        Column("DATASET", lambda m: m.dataset),
        Column("MODEL", lambda m: m.model),
        Column("JOB", lambda m: m.job),
    )
    show_list(rows, columns, output=output, empty="No model was made of it yet.")


@app.command("state")
def show_state(context: typer.Context, source: SourceArgument) -> None:
    """Where the next run goes on, as JSON."""
    typer.echo(json.dumps(client_of(context).sources.state(source).model_dump(mode="json"), indent=2))


@app.command("reset")
def reset_state(
    context: typer.Context, source: SourceArgument, yes: Annotated[bool, typer.Option("--yes", "-y")] = False
) -> None:
    """The next run begins anew."""
    if not yes:
        typer.confirm(f"Read all of {source} again?", abort=True, err=True)
    client_of(context).sources.reset(source)
    say(f"{source} begins anew.")


@app.command("webhook")
def create_webhook(context: typer.Context, source: SourceArgument, output: Output = OutputFormat.TABLE) -> None:
    """Print the address of a webhook source, and a new secret, now and never again."""
    client = client_of(context)
    address = client.sources.create_webhook(source)
    url = client.http.base_url + address.path
    show_one(address, {"url": url, "secret": address.secret}, output=output)
    if output is OutputFormat.TABLE:
        say("Sign what you send there as standardwebhooks.com says: JSON, an array of objects, or JSON Lines.")


@secrets_app.command("set")
def set_secret(
    context: typer.Context,
    source: SourceArgument,
    name: str,
    value: Annotated[
        str | None, typer.Option(help="Default: asked for, or read from standard input; a shell remembers options.")
    ] = None,
) -> None:
    """Set a secret. It cannot be read back."""
    if value is None:
        value = typer.prompt(name, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read().strip("\r\n")
    changed = client_of(context).sources.set_secret(source, name, value)
    say(f"Set {plain(name)}. {changed.name} has: {', '.join(changed.secrets)}")


@secrets_app.command("list")
def list_secrets(context: typer.Context, source: SourceArgument) -> None:
    """The names of those that are set."""
    for name in client_of(context).sources.get(source).secrets:
        typer.echo(name)


@secrets_app.command("delete")
def delete_secret(context: typer.Context, source: SourceArgument, name: str) -> None:
    """At once and for good."""
    client_of(context).sources.delete_secret(source, name)
    say(f"Deleted {plain(name)}.")


class _Made(Contract):
    dataset: str
    model: str
    job: str


def _read(file: Path) -> dict[str, Any]:
    return read_settings(file, option="FILE", example=_EXAMPLE)


def _with_schedule(settings: dict[str, Any], schedule: str | None) -> dict[str, Any]:
    if schedule is None:
        return settings
    return {**settings, "policy": {**settings.get("policy", {}), "schedule": schedule}}


def _show(source: Source, output: OutputFormat) -> None:
    fields = {
        "source": source.name,
        "id": source.id,
        "collector": source.collector.type,
        "owner": source.owner,
        "purpose": source.purpose or None,
        "mode": source.policy.mode,
        "schedule": source.policy.schedule,
        "status": source.status,
        "reason": source.status_reason,
        "last run": source.last_run_at,
        "next run": source.next_run_at,
        "secrets": ", ".join(source.secrets) or None,
        "you may": source.verb,
    }
    show_one(source, fields, output=output)
