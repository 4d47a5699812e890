"""`aimass train` and `aimass jobs`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from aimass.cli.output import Column, Output, OutputFormat, client_of, say, show_list, show_one, stderr_console
from aimass.errors import JobFailedError
from aimass.resources.jobs import Job
from aimass_core.domain.compute import Backend
from aimass_core.domain.estimates import JobEstimate
from aimass_core.domain.jobs import EventType, JobEvent, JobStatus, PrepareSpec, ScriptSpec, TrainSpec
from aimass_core.domain.signatures import Task

app = typer.Typer()


def _what(job: Job) -> str:
    match job.spec:
        case TrainSpec(algorithm=algorithm, dataset=dataset):
            return f"{algorithm} on {dataset}"
        case ScriptSpec(entry_point=entry_point):
            return entry_point
        case PrepareSpec(number=number):
            return f"version {number}"


_COLUMNS = (
    Column("JOB", lambda j: j.id),
    Column("KIND", lambda j: str(j.kind)),
    Column("WHAT", _what),
    Column("STATUS", lambda j: str(j.status)),
    Column("CREATED", lambda j: j.created_at),
    Column("MODEL", lambda j: f"{j.model_version.model_name}@{j.model_version.number}" if j.model_version else None),
)


def train(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="`name` or `name@version`.")],
    algorithm: Annotated[str, typer.Option("--algorithm", "-a", help="See: aimass algorithms list")],
    framework: Annotated[str | None, typer.Option(help="Default: the algorithm's first.")] = None,
    hyperparameter: Annotated[
        list[str] | None, typer.Option("--hyperparameter", "-H", help="name=value; may be repeated.")
    ] = None,
    validation: Annotated[str | None, typer.Option(help="A dataset; default: a part is held out.")] = None,
    test: Annotated[str | None, typer.Option(help="A dataset that the model is judged on, once.")] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Default: the dataset's. Repeated: columns of 0 and 1, each a label (multi-label)."),
    ] = None,
    task: Annotated[Task | None, typer.Option(help="Default: found out from the target.")] = None,
    label_separator: Annotated[
        str | None, typer.Option(help="Between the labels of a multi-label target that is text; default: |.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Default: the dataset's name.")] = None,
    features: Annotated[
        str, typer.Option(help="plain, auto, or a JSON or YAML file of recipes: docs/FEATURES.md.")
    ] = "plain",
    exclude: Annotated[list[str] | None, typer.Option(help="A column to leave out; may be repeated.")] = None,
    folds: Annotated[int | None, typer.Option(help="k-fold cross-validation.")] = None,
    horizon: Annotated[int | None, typer.Option(help="Forecast the target so many rows ahead.")] = None,
    window: Annotated[int | None, typer.Option(help="Forecast from so many of the latest rows.")] = None,
    time_column: Annotated[str | None, typer.Option(help="Of a forecast: rows are in its order.")] = None,
    seed: Annotated[int, typer.Option()] = 0,
    nodes: Annotated[int | None, typer.Option(help="Machines that train together, on Batch; default: 1.")] = None,
    vcpus: Annotated[int | None, typer.Option()] = None,
    memory_mib: Annotated[int | None, typer.Option()] = None,
    backend: Annotated[Backend | None, typer.Option(help="Which service runs it; default: batch.")] = None,
    instance_type: Annotated[str | None, typer.Option(help="On SageMaker, such as ml.m5.xlarge.")] = None,
    instance_count: Annotated[int | None, typer.Option(help="On SageMaker: machines that train together.")] = None,
    spot: Annotated[bool, typer.Option("--spot", help="On SageMaker: machines that cost less.")] = False,
    max_wait_seconds: Annotated[
        int | None, typer.Option(help="With --spot: to the job's end, waiting for machines included.")
    ] = None,
    max_seconds: Annotated[int, typer.Option(help="Training ends before, with the best model by then.")] = 3600,
    max_cost_usd: Annotated[float | None, typer.Option(help="A limit in seconds, by the price of its compute.")] = None,
    checkpoint_seconds: Annotated[int, typer.Option(help="What an interruption may cost.")] = 60,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only estimate time, cost, memory and disk.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Train a model and show its metrics."""
    spec: dict[str, Any] = {
        "framework": framework,
        "validation": validation,
        "test": test,
        "target": target[0] if target and len(target) == 1 else target or None,
        "task": task,
        "label_separator": label_separator,
        "model": model,
        "folds": folds,
        "horizon": horizon,
        "window": window,
        "time_column": time_column,
        "features": _to_features(features),
    }
    options: dict[str, Any] = {
        **spec,
        "hyperparameters": to_hyperparameters(hyperparameter or []),
        "seed": seed,
        "exclude_columns": exclude or [],
        "num_nodes": nodes,
        "vcpus": vcpus,
        "memory_mib": memory_mib,
        "backend": backend,
        "instance_type": instance_type,
        "instance_count": instance_count,
        "spot": spot or None,
        "max_wait_seconds": max_wait_seconds,
        "max_seconds": max_seconds,
        "max_cost_usd": max_cost_usd,
        "checkpoint_seconds": checkpoint_seconds,
    }
    given = {name: value for name, value in options.items() if value is not None}
    jobs = client_of(context).jobs
    if dry_run:
        show_estimate(jobs.estimate(dataset, algorithm=algorithm, **given), output=output)
        return
    job = jobs.train(dataset, algorithm=algorithm, **given)
    say(f"Job [bold]{job.id}[/] submitted.")
    follow(job, detach=detach, output=output)


def follow(job: Job, *, detach: bool, output: OutputFormat) -> None:
    """Shows a job that was just submitted to its end, or only that it is there."""
    if job.budget is not None:
        say(f"[dim]{escape(job.budget.explanation)}[/]")
    if detach:
        show_list([job], _COLUMNS, output=output)
        return
    _finish(_watch(job), output)


def _to_features(words: str) -> Any:
    """`auto` as it is; `plain` is the default, so nothing; else what the file says."""
    if words in ("plain", "auto"):
        return words if words == "auto" else None
    path = Path(words)
    if not path.is_file():
        raise typer.BadParameter(
            f"{words!r} is neither plain nor auto nor a file: name a JSON or YAML file", param_hint="--features"
        )
    try:
        # JSON is YAML.
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{words} is neither JSON nor YAML: {error}", param_hint="--features") from error
    if not isinstance(found, dict):
        raise typer.BadParameter(
            f"{words} holds a {type(found).__name__}, and an object such as {{columns: {{}}}} is wanted",
            param_hint="--features",
        )
    return found


def show_estimate(estimate: JobEstimate, *, output: OutputFormat) -> None:
    """What a job would take."""
    if output is not OutputFormat.TABLE:
        show_one(estimate, {}, output=output)
        return
    spans = {"seconds": estimate.seconds, "cost (USD)": estimate.cost_usd, "memory (MiB)": estimate.memory_mib}
    fields: dict[str, Any] = {
        name: f"{span.expected:,.6g}  ({span.low:,.4g} to {span.high:,.4g})" if span else "not known"
        for name, span in spans.items()
    }
    fields |= {"disk (MiB)": estimate.disk_mib, "USD per hour": estimate.usd_per_hour}
    fields |= {"limit (seconds)": estimate.max_seconds, "limit costs (USD)": estimate.max_cost_usd}
    fields["data"] = f"{estimate.num_rows:,} rows, {estimate.num_columns} columns, {estimate.num_bytes:,} bytes"
    show_one(estimate, fields, output=output)
    for note in [*estimate.notes, *([estimate.budget.explanation] if estimate.budget else [])]:
        say(f"[dim]{escape(note)}[/]")
    say(f"[dim]Prices: {escape(estimate.price_source)}.[/]")


def to_hyperparameters(pairs: list[str]) -> dict[str, Any]:
    """`name=value` pairs; a value is JSON where it can be."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r}: write name=value", param_hint="--hyperparameter")
        try:
            values[name] = json.loads(text)
        except json.JSONDecodeError:
            values[name] = text
    return values


def _watch(job: Job) -> Job:
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("[dim]{task.fields[words]}"),
        TimeElapsedColumn(),
        console=stderr_console(),
        transient=True,
        disable=not stderr_console().is_terminal,
    ) as progress:
        bar = progress.add_task("submitted", total=None, words="")

        def on_update(current: Job, events: Sequence[JobEvent]) -> None:
            for event in events:
                _say_event(event)
            now = current.progress
            if now and current.status is JobStatus.RUNNING:
                total = 1.0 if now.fraction is not None else None
                progress.update(
                    bar, description=now.phase, total=total, completed=now.fraction or 0, words=escape(now.message[:60])
                )
            else:
                progress.update(bar, description=str(current.status).lower(), total=None)

        return job.wait(on_update=on_update, raise_on_failure=False)


def _say_event(event: JobEvent) -> None:
    if event.type is EventType.STATUS:
        say(f"[dim]{event.at.astimezone():%H:%M:%S}[/] {escape(str(event.data.get('status', '')).lower())}")
    elif event.type is EventType.MESSAGE:
        say(f"[dim]{event.at.astimezone():%H:%M:%S}[/] {escape(str(event.data.get('text', '')))}")


def _where(job: Job) -> str:
    compute = job.compute
    if compute.backend is Backend.BATCH:
        return f"batch, {compute.num_nodes} nodes" if compute.num_nodes > 1 else "batch"
    count = f"{compute.instance_count} x " if compute.instance_count > 1 else ""
    return f"sagemaker, {count}{compute.instance_type}{' (spot)' if compute.spot else ''}"


def _finish(job: Job, output: OutputFormat) -> None:
    if job.status is not JobStatus.SUCCEEDED:
        if job.failure and job.failure.traceback:
            say(f"[dim]{escape(job.failure.traceback)}[/]")
        say(f"Log: aimass jobs logs {job.id}    again: aimass jobs retry {job.id}")
        raise JobFailedError(job)
    if output is not OutputFormat.TABLE or job.model_version is None:
        show_one(job, {"job": job.id, "status": job.status, **job.metrics}, output=output)
        return
    version = job.model_version.get()
    evaluations = version.card.evaluations if version.card else []
    if evaluations:
        columns = [Column("CHANNEL", lambda e: e.channel), Column("ROWS", lambda e: e.num_rows, is_number=True)]
        columns += [_metric_column(name) for name in evaluations[0].metrics]
        show_list(evaluations, columns, output=output)
    else:
        show_one(job, {"job": job.id, "status": job.status, **job.metrics}, output=output)
    say(f"Model [bold]{version.ref}[/] registered ({version.model_bytes / 1000:,.0f} kB).")
    say(f"Next: aimass deploy {version.model_name}    report: aimass models report {version.ref}")


def _metric_column(name: str) -> Column:
    return Column(name.upper().replace("_", " "), lambda e: e.metrics.get(name), is_number=True)


@app.command("list")
def list_jobs(
    context: typer.Context,
    status: Annotated[JobStatus | None, typer.Option(help="Only those in this status.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """All jobs, newest first."""
    show_list(client_of(context).jobs.list(status=status), _COLUMNS, output=output, empty="No jobs.")


@app.command("get")
def get_job(context: typer.Context, job_id: str, output: Output = OutputFormat.TABLE) -> None:
    """One job: where it is, and why it failed."""
    job = client_of(context).jobs.get(job_id)
    fields: dict[str, Any] = {"job": job.id, "what": _what(job), "status": job.status, "reason": job.status_reason}
    fields["compute"] = _where(job)
    fields |= {"attempt": job.attempt, "created": job.created_at, "started": job.started_at, "ended": job.ended_at}
    if job.failure:
        fields |= {"cause": job.failure.cause, "exit code": job.failure.exit_code}
    if job.retry_of:
        fields["retry of"] = job.retry_of
    show_one(job, fields | job.metrics, output=output)


@app.command("watch")
def watch_job(context: typer.Context, job_id: str, output: Output = OutputFormat.TABLE) -> None:
    """Follow a job to its end."""
    _finish(_watch(client_of(context).jobs.get(job_id)), output)


@app.command("logs")
def show_logs(context: typer.Context, job_id: str) -> None:
    """What the container wrote."""
    for line in client_of(context).jobs.logs(job_id):
        typer.echo(f"{line.at.astimezone():%H:%M:%S} {line.message}")


@app.command("artifacts")
def list_artifacts(context: typer.Context, job_id: str, output: Output = OutputFormat.TABLE) -> None:
    """The files that it left; with --output json their links."""
    columns = (
        Column("FILE", lambda a: a.name),
        Column("BYTES", lambda a: a.num_bytes, is_number=True),
        Column("SHA-256", lambda a: a.sha256[:12]),
    )
    show_list(client_of(context).jobs.artifacts(job_id), columns, output=output, empty="No artifacts.")


@app.command("stop")
def stop_job(context: typer.Context, job_id: str) -> None:
    """End a job."""
    job = client_of(context).jobs.stop(job_id)
    say(f"{job.id} is {str(job.status).lower()}.")


@app.command("retry")
def retry_job(
    context: typer.Context,
    job_id: str,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run a FAILED or STOPPED job again, as a new one."""
    job = client_of(context).jobs.retry(job_id)
    say(f"Job [bold]{job.id}[/] submitted.")
    follow(job, detach=detach, output=output)
