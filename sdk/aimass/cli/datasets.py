"""`aimass datasets`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

from aimass.cli.output import (
    Column,
    Output,
    OutputFormat,
    client_of,
    format_bytes,
    plain,
    say,
    show_list,
    show_one,
    stderr_console,
    write_csv,
)
from aimass.client import Client
from aimass.resources.datasets import DatasetVersion
from aimass_core.domain.common import split_ref
from aimass_core.domain.datasets import BadRows, DatasetPolicy, FileIssue
from aimass_core.domain.quality import Outcome
from aimass_core.domain.schemas import ColumnProfile, ColumnType, DatasetKind
from aimass_core.errors import NotFoundError

app = typer.Typer()

_MAX_ISSUES = 5

_VERSION_COLUMNS = (
    Column("VERSION", lambda v: v.number, is_number=True),
    Column("STATUS", lambda v: str(v.status)),
    Column("ROWS", lambda v: v.num_rows, is_number=True),
    Column("QUARANTINED", lambda v: v.num_quarantined, is_number=True),
    Column("SIZE", lambda v: format_bytes(v.num_bytes), is_number=True),
    Column("CREATED", lambda v: v.created_at),
)


@app.command("upload")
def upload(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The dataset; it is made if there is none of that name.")],
    file: Annotated[
        Path, typer.Argument(help="CSV, TSV, JSON, Parquet, .npz, .ts, an archive, or a folder of images.")
    ],
    target: Annotated[str | None, typer.Option(help="The column to be predicted.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Add the rows to the latest version's.")] = False,
    header: Annotated[bool | None, typer.Option("--header/--no-header", help="Default: found out.")] = None,
    bad_rows: Annotated[BadRows | None, typer.Option(help="What rows that do not parse do to the file.")] = None,
    max_bad_fraction: Annotated[
        float | None, typer.Option(min=0, max=1, help="Above this share of such rows a file is rejected.")
    ] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Upload a file as a new version; repeat the command if it was interrupted."""
    client = client_of(context)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=stderr_console(),
        transient=True,
        disable=not stderr_console().is_terminal,
    ) as progress:
        task = progress.add_task("uploading", total=None)
        version = client.datasets.upload(
            file,
            name=name,
            target=target,
            append=append,
            policy=_changed_policy(
                client, name, has_header=header, bad_rows=bad_rows, max_bad_fraction=max_bad_fraction
            ),
            on_bytes=lambda sent, total: progress.update(task, completed=sent, total=total),
            wait=False,
        )
        progress.update(task, description="reading and checking", total=None)
        version = version.wait()
    _show_version(version, output)
    if output is OutputFormat.TABLE:
        _say_findings(version)


def _changed_policy(client: Client, name: str, **options: Any) -> DatasetPolicy | None:
    """The dataset's policy with what the options change; None where they change nothing."""
    changes = {option: value for option, value in options.items() if value is not None}
    if not changes:
        return None
    try:
        policy = client.datasets.get(name).policy
    except NotFoundError:
        policy = DatasetPolicy()
    return policy.model_copy(update=changes)


def _say_findings(version: DatasetVersion) -> None:
    if version.status_reason:
        say(f"[yellow]Note:[/] {plain(version.status_reason)}")
    for warning in version.profile.warnings if version.profile else []:
        say(f"[yellow]Note:[/] {plain(warning)}")
    if version.quality is Outcome.WARNED:
        say(f"[yellow]Note:[/] not all that is expected of it is met: aimass quality report {version.ref}")
    if version.num_quarantined:
        rows = "1 row" if version.num_quarantined == 1 else f"{version.num_quarantined:,} rows"
        say(f"[yellow]Note:[/] {rows} did not parse, kept apart from the others:")
    for issue in version.issues[:_MAX_ISSUES]:
        say(f"  {plain(_describe(issue))}")
    if len(version.issues) > _MAX_ISSUES:
        say(f"  and more: aimass quarantine list {version.ref}")
    say(_next_step(version))


def _describe(issue: FileIssue) -> str:
    place = [issue.file, f"line {issue.line}" if issue.line else "", f"column {issue.column}" if issue.column else ""]
    return f"{', '.join(part for part in place if part)}: {issue.reason}"


def _next_step(version: DatasetVersion) -> str:
    target = version.target or ("label" if version.kind is DatasetKind.IMAGES else None)
    command = f"aimass autotrain {version.dataset_name} --budget 5m"
    if target is None:
        return f"Next: {command} --target <column to be predicted>"
    columns = version.profile.columns if version.profile else []
    found = next((column for column in columns if column.name == target), None)
    if found is not None and found.num_distinct == 1:
        return f"Next: upload rows with more than one value of {plain(target)!r}, or name another target."
    return f"Next: {command}" + ("" if version.target else f" --target {target}")


def _show_version(version: DatasetVersion, output: OutputFormat) -> None:
    fields = {
        "dataset": version.ref,
        "status": version.status,
        "kind": version.kind,
        "rows": version.num_rows,
        "quarantined": version.num_quarantined,
        **({} if version.quality is None else {"quality": version.quality}),
        "columns": version.num_columns,
        "target": version.target,
        "size": format_bytes(version.num_bytes),
        **({} if version.freed_bytes is None else {"freed": format_bytes(version.freed_bytes)}),
        "digest": version.digest,
        "table": version.table,
    }
    show_one(version, fields, output=output)


@app.command("list")
def list_datasets(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """All datasets, newest first."""
    columns = (
        Column("NAME", lambda d: d.name),
        Column("LATEST", lambda d: d.latest_version, is_number=True),
        Column("TARGET", lambda d: d.target),
        Column("UPDATED", lambda d: d.updated_at),
        Column("ID", lambda d: d.id),
    )
    empty = "No datasets yet. Upload one: aimass datasets upload <name> <file>"
    show_list(client_of(context).datasets.list(), columns, output=output, empty=empty)


@app.command("versions")
def list_versions(context: typer.Context, dataset: str, output: Output = OutputFormat.TABLE) -> None:
    """The versions of a dataset, newest first."""
    show_list(client_of(context).datasets.versions(dataset), _VERSION_COLUMNS, output=output)


@app.command("get")
def get_dataset(context: typer.Context, dataset: str, output: Output = OutputFormat.TABLE) -> None:
    """One version (`name` or `name@version`): its columns and what they hold."""
    version = _find_version(context, dataset)
    if output is not OutputFormat.TABLE:
        _show_version(version, output)
        return
    _show_version(version, output)
    if version.status_reason:
        say(f"[yellow]Note:[/] {plain(version.status_reason)}")
    for issue in version.issues:
        say(f"[yellow]Note:[/] {plain(_describe(issue))}")
    if version.profile is None:
        return
    columns = (
        Column("COLUMN", lambda c: c.name),
        Column("TYPE", lambda c: str(c.type)),
        Column("MISSING", lambda c: c.num_missing, is_number=True),
        Column("DISTINCT", _num_distinct, is_number=True),
        Column("MEAN", lambda c: c.mean, is_number=True),
        Column("VALUES", _values, is_long=True),
    )
    show_list(version.profile.columns, columns, output=output)


def _num_distinct(column: ColumnProfile) -> object:
    if column.type in (ColumnType.IMAGE, ColumnType.SERIES):
        return ""
    return column.num_distinct if column.num_distinct is not None else "> 10,000"


def _values(column: ColumnProfile) -> str:
    if column.type in (ColumnType.INTEGER, ColumnType.NUMBER):
        return f"{column.min:,.10g} to {column.max:,.10g}" if column.min is not None and column.max is not None else ""
    if column.type is ColumnType.SERIES and column.max_length is not None:
        lengths = f"{column.min_length:,} to {column.max_length:,} steps"
        return lengths if column.min is None else f"{lengths}, {column.min:,.6g} to {column.max:,.6g}"
    if column.type is ColumnType.DATETIME:
        return f"{column.min} to {column.max}"
    return ", ".join(f"{top.value} ({top.count:,})" for top in column.top_values[:3])


@app.command("lineage")
def show_lineage(context: typer.Context, dataset: str, output: Output = OutputFormat.TABLE) -> None:
    """Which source it comes from, and which models were made of it."""
    lineage = client_of(context).datasets.lineage(dataset)
    fields = {
        "dataset": lineage.dataset_name,
        "source": lineage.source_name or lineage.source_id,
        "streams": ", ".join(lineage.streams) or None,
    }
    show_one(lineage, fields, output=output)
    if output is OutputFormat.TABLE:
        columns = (
            Column("MODEL", lambda m: f"{m.model_name}@{m.number}"),
            Column("READ", lambda m: ", ".join(f"{channel} @{n}" for channel, n in m.dataset_versions.items()) or None),
            Column("THROUGH", lambda m: ", ".join(m.through) or None),
            Column("MADE OF", lambda m: ", ".join(m.parents) or None),
            Column("JOB", lambda m: m.job_id),
        )
        show_list(lineage.models, columns, output=output, empty="No model was made of it yet.")


@app.command("rows")
def show_rows(
    context: typer.Context,
    dataset: str,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
) -> None:
    """The first rows, as CSV."""
    rows = _find_version(context, dataset).rows(limit=limit)
    header = list(rows[0]) if rows else []
    write_csv(header, ([row.get(name) for name in header] for row in rows))


@app.command("export")
def export_dataset(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="`name` or `name@version`.")],
    to: Annotated[Path | None, typer.Argument(help="Default: <name>-<version>.parquet, here.")] = None,
) -> None:
    """Save all rows of a version as Parquet. `aimass datasets upload` takes them in elsewhere."""
    version = _find_version(context, dataset)
    path = version.download(to)
    say(f"Saved {path} ({format_bytes(path.stat().st_size)}, {version.num_rows or 0:,} rows).")


@app.command("delete")
def delete_dataset(
    context: typer.Context, dataset: str, yes: Annotated[bool, typer.Option("--yes", "-y")] = False
) -> None:
    """Delete a dataset with all its versions, or one version: `name@version`."""
    name, number = split_ref(dataset)
    if not yes:
        what = f"{name} with all its versions" if number is None else dataset
        typer.confirm(f"Delete {what}?", abort=True, err=True)
    if number is None:
        client_of(context).datasets.delete(name)
        say(f"Deleted {name}.")
    else:
        client_of(context).datasets.delete_version(name, number)
        say(f"Deleted {dataset}. Its bytes are freed within minutes: aimass datasets get {dataset}")


def _find_version(context: typer.Context, ref: str) -> DatasetVersion:
    client = client_of(context)
    name, number = split_ref(ref)
    if number is None:
        dataset = client.datasets.get(name)
        number = dataset.latest_version or dataset.last_number
        if not number:
            say(f"{name} has no version yet. Upload one: aimass datasets upload {name} <file>")
            raise typer.Exit(5)
    return client.datasets.get_version(name, number)
