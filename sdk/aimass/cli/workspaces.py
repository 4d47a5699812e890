"""`aimass workspaces` and `aimass whoami`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from aimass.cli import options
from aimass.cli.job_views import COLUMNS
from aimass.cli.output import Column, Output, OutputFormat, client_of, format_bytes, say, show_list, show_one
from aimass.errors import JobFailedError
from aimass_core.domain.jobs import JobStatus
from aimass_core.domain.transfers import ExportReport, ImportReport, OnConflict, TransferAction, TransferItem
from aimass_core.domain.workspaces import WorkspaceDeletion

app = typer.Typer()

_MAX_ROWS = 50
_PLURALS = {"study": "studies", "settings": "settings"}


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


@app.command("export")
def export_workspace(
    context: typer.Context,
    to: Annotated[Path, typer.Argument(help="The zip.", metavar="FILE")],
    with_data: Annotated[bool, typer.Option("--with-data", help="With the rows of its datasets.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Save everything of the workspace as one zip: sources, datasets, models, studies, endpoints, triggers."""
    api = client_of(context).workspaces
    job = api.export(with_data=with_data)
    say(f"Job [bold]{job.id}[/] submitted.")
    job.wait()
    report = api.save_export(job, to)
    _show_export(report, output)
    say(f"Saved {to} ({format_bytes(report.num_bytes)}, SHA-256 {report.sha256}).")
    say("Into another workspace, or another installation: aimass --profile <its> workspaces import " + str(to))


@app.command("import")
def import_workspace(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help="What `aimass workspaces export` saved.", metavar="FILE")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    on_conflict: Annotated[
        OnConflict, typer.Option(help="What becomes of a thing whose name another one has.")
    ] = OnConflict.FAIL,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make what another workspace exported and is not here yet. Done again, it changes nothing."""
    api = client_of(context).workspaces
    if not archive.is_file():
        raise typer.BadParameter(f"there is no file {archive}", param_hint="FILE")
    job = api.import_archive(archive, dry_run=dry_run, on_conflict=on_conflict)
    if detach:
        show_list([job], COLUMNS, output=output)
        return
    ended = job.wait(raise_on_failure=False)
    report = api.get_import(job).report
    if report is not None:
        _show_import(report, output)
    if ended.status is not JobStatus.SUCCEEDED:
        raise JobFailedError(ended)


@app.command("delete")
def delete_workspace(
    context: typer.Context,
    confirm: Annotated[str, typer.Option(help="The workspace's name.", metavar="NAME")],
    grace_hours: Annotated[int, typer.Option(help="So long it stays as it is, and can be kept.")] = 72,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Delete the workspace with everything in it, once the grace is over."""
    deletion = client_of(context).workspaces.delete(confirm=confirm, grace_hours=grace_hours)
    _show_deletion(deletion, output)
    say(f"It is deleted from {deletion.delete_at.astimezone():%Y-%m-%d %H:%M} on. To keep it: aimass workspaces keep")


@app.command("deletion")
def show_deletion(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """How far the deletion is; in the end the proof that nothing is left."""
    _show_deletion(client_of(context).workspaces.get_deletion(), output)


@app.command("keep")
def keep_workspace(context: typer.Context) -> None:
    """Take the deletion back, while its grace lasts."""
    client_of(context).workspaces.keep()
    say("The workspace stays.")


def whoami(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """Whom the key stands for."""
    principal = client_of(context).system.whoami()
    show_one(principal, principal.model_dump(), output=output)


def _show_export(report: ExportReport, output: OutputFormat) -> None:
    show_one(report, {_PLURALS.get(name, f"{name}s"): number for name, number in report.counts.items()}, output=output)
    for what in report.left_out:
        say(f"Not in it: {escape(what)}")


def _show_import(report: ImportReport, output: OutputFormat) -> None:
    """Everything but what is there already."""
    if output is not OutputFormat.TABLE:
        show_one(report, {}, output=output)
        return
    told = [item for item in report.items if item.action is not TransferAction.SKIP]
    columns = (
        Column("WHAT", lambda i: i.resource.replace("_", " ")),
        Column("NAME", _named),
        Column("WOULD BE" if report.dry_run else "WAS", lambda i: _WORDS[i.action]),
        Column("WHY", lambda i: i.reason, is_long=True),
    )
    show_list(told[:_MAX_ROWS], columns, output=output, empty="Everything is there already: nothing to do.")
    if len(told) > _MAX_ROWS:
        say(f"... and {len(told) - _MAX_ROWS} more: --output json")
    words = {**_WORDS, TransferAction.CREATE: "would be made", TransferAction.RENAME: "would be renamed"}
    told_as = words if report.dry_run else _WORDS
    counts = ", ".join(f"{number} {told_as[action]}" for action, number in report.counts.items() if number)
    say(f"{counts}." if counts else "The archive is empty.")
    for what in report.to_do:
        say(f"To do: {escape(what)}")


_WORDS = {
    TransferAction.CREATE: "made",
    TransferAction.RENAME: "renamed",
    TransferAction.SKIP: "there already",
    TransferAction.LEAVE_OUT: "left out",
    TransferAction.CONFLICT: "in conflict",
}


def _named(item: TransferItem) -> str:
    return item.name if item.new_name is None else f"{item.name} as {item.new_name}"


def _show_deletion(deletion: WorkspaceDeletion, output: OutputFormat) -> None:
    fields = {
        "workspace": deletion.workspace_name,
        "status": deletion.status,
        "stage": deletion.stage,
        "from": deletion.delete_at,
        **({"waits for": deletion.waiting_for} if deletion.waiting_for else {}),
        **{f"deleted {name}": number for name, number in deletion.deleted.items()},
        **{f"left {name}": number for name, number in deletion.remaining.items()},
        **({"finished": deletion.finished_at} if deletion.finished_at else {}),
    }
    show_one(deletion, fields, output=output)
