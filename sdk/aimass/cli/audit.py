"""`aimass audit`: who did what, and whether the record of it is whole."""

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list
from aimass.cli.quantities import to_moment
from aimass_core.domain.audit import AuditEntry, AuditKind

app = typer.Typer(invoke_without_command=True)

Actor = Annotated[str | None, typer.Option("--actor", help="Who did it: an id or a name.")]
Action = Annotated[str | None, typer.Option("--action", help="dataset.update, or 'dataset.*' for all of datasets.")]
Target = Annotated[str | None, typer.Option("--target", help="What it was done to: an id or a name.")]
Kind = Annotated[AuditKind | None, typer.Option("--kind", help="Changes only, or reads of data only.")]
Since = Annotated[str | None, typer.Option("--since", help="So long ago (7d, 12h), or a moment as ISO 8601 writes it.")]
Until = Annotated[str | None, typer.Option("--until", help="The same.")]


@app.callback()
def show_audit(
    context: typer.Context,
    *,
    actor: Actor = None,
    action: Action = None,
    target: Target = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Who did what, newest first."""
    if context.invoked_subcommand is not None:
        return
    wanted = _to_filter(actor=actor, action=action, target=target, kind=kind, since=since, until=until)
    columns = (
        Column("WHEN", lambda a: a.created_at),
        Column("WHO", lambda a: a.actor_name or a.created_by),
        Column("ACTION", lambda a: a.action),
        Column("TARGET", lambda a: a.target_name or a.target_id),
        Column("FROM", _to_origin),
        Column("WHAT", _to_words, is_long=True),
    )
    found = islice(client_of(context).audit.list(**wanted), limit)
    show_list(found, columns, output=output, empty="Nothing in the audit trail matches.")


@app.command("export")
def export_audit(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="audit.csv for a spreadsheet, or else JSON Lines.")],
    *,
    actor: Actor = None,
    action: Action = None,
    target: Target = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Save all entries that match into a file."""
    wanted = _to_filter(actor=actor, action=action, target=target, kind=kind, since=since, until=until)
    made = client_of(context).audit.export(path, **wanted)
    say(f"Saved {made.num_entries:,} entries as {plain(str(path))}.")
    if made.until is not None:
        say(f"[yellow]Note:[/] there are more. Export again with --until {made.until.isoformat()}")


@app.command("verify")
def verify_audit(context: typer.Context) -> None:
    """Compare the trail with its seals; exit code 1 where it was changed."""
    proof = client_of(context).audit.verify()
    say(f"{proof.num_verified:,} of {proof.num_entries:,} sealed entries compared, {proof.num_unsealed:,} are too new.")
    if proof.num_removed:
        say(f"{proof.num_removed:,} older ones have outlived the retention of the workspace (audit_days).")
    for fault in proof.faults:
        say(f"[bold red]Seal {fault.number}:[/] {plain(fault.reason)} ({fault.first_id} to {fault.last_id})")
    if not proof.is_intact:
        raise typer.Exit(1)
    say(f"The trail is as it was sealed. Its head, which you may keep elsewhere: {proof.head or 'none yet'}")


def _to_filter(*, since: str | None, until: str | None, **wanted: Any) -> dict[str, Any]:
    return {
        **wanted,
        "since": to_moment(since, option="--since"),
        "until": to_moment(until, option="--until"),
    }


def _to_origin(entry: AuditEntry) -> str | None:
    if entry.origin is None:
        return None
    return f"{entry.origin.channel} {entry.origin.source_ip or ''}".strip()


def _to_words(entry: AuditEntry) -> str:
    changes = [f"{name}: {change.before!r} -> {change.after!r}" for name, change in entry.changes.items()]
    details = [f"{name}={value}" for name, value in entry.details.items()]
    shown = [text if len(text) <= 80 else f"{text[:77]}..." for text in (*changes, *details)]
    return ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")
