"""`aimass train` and `aimass jobs`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from aimass.cli import job_views, options
from aimass.cli.estimates import show_estimate
from aimass.cli.following import follow, watch
from aimass.cli.model_tables import has_table, show_table
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
    to_counts,
)
from aimass.mlflow_export import EXPERIMENT
from aimass_core.domain.jobs import JobKind, JobStatus

app = typer.Typer()


def train(
    context: typer.Context,
    dataset: options.DatasetArgument,
    algorithm: Annotated[str, typer.Option("--algorithm", "-a", help="See: aimass algorithms list")],
    framework: options.Framework = None,
    hyperparameter: options.Hyperparameters = None,
    validation: options.Validation = None,
    test: options.Test = None,
    target: options.Targets = None,
    task: options.TaskName = None,
    label_separator: options.LabelSeparator = None,
    model: options.ModelName = None,
    features: options.Features = "plain",
    resample: options.ResampleWay = None,
    exclude: options.Exclude = None,
    folds: options.Folds = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit again on all rows, validation included, as long as was best.")
    ] = False,
    horizon: options.Horizon = None,
    window: options.Window = None,
    time_column: options.TimeColumn = None,
    seed: options.Seed = 0,
    nodes: Annotated[int | None, typer.Option(help="Machines that train together, on Batch; default: 1.")] = None,
    vcpus: options.Vcpus = None,
    memory_mib: options.MemoryMib = None,
    backend: options.BackendName = None,
    instance_type: options.InstanceType = None,
    instance_count: Annotated[int | None, typer.Option(help="On SageMaker: machines that train together.")] = None,
    spot: options.Spot = False,
    max_wait_seconds: options.MaxWaitSeconds = None,
    max_seconds: Annotated[
        int | None,
        typer.Option(help="Training ends before, with the best model by then. Default: as the settings say."),
    ] = None,
    max_cost_usd: options.MaxCostUsd = None,
    checkpoint_seconds: Annotated[int | None, typer.Option(help="What an interruption may cost.")] = None,
    dry_run: options.DryRun = False,
    deploy: options.Deploy = False,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Train a model and show its metrics."""
    arguments: dict[str, Any] = {
        **options.given(context),
        "framework": framework,
        "hyperparameters": options.to_hyperparameters(hyperparameter or []),
        "features": options.to_features(features),
        "refit": refit or None,
        "resample": resample,
        "num_nodes": nodes,
        "instance_count": instance_count,
        "max_seconds": max_seconds,
        "checkpoint_seconds": checkpoint_seconds,
    }
    jobs = client_of(context).jobs
    if dry_run:
        show_estimate(jobs.estimate(dataset, algorithm=algorithm, **arguments), output=output)
        return
    follow(jobs.train(dataset, algorithm=algorithm, **arguments), detach=detach, deploy=deploy, output=output)


@app.command("list")
def list_jobs(
    context: typer.Context,
    status: Annotated[JobStatus | None, typer.Option(help="Only those in this status.")] = None,
    kind: Annotated[JobKind | None, typer.Option(help="Only those of this kind.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """All jobs, newest first."""
    listed = client_of(context).jobs.list(status=status, kind=kind)
    show_list(listed, job_views.COLUMNS, output=output, empty="No jobs.")


@app.command("get")
def get_job(context: typer.Context, job_id: str, output: Output = OutputFormat.TABLE) -> None:
    """One job: where it is, and why it failed."""
    job = client_of(context).jobs.get(job_id)
    fields: dict[str, Any] = {"job": job.id, "kind": job.kind, "what": job_views.what(job)}
    if job_views.is_of_study(job):
        fields |= job_views.of_study(job)
    fields |= job_views.of_models(job)
    fields |= {"status": job.status, "reason": job.status_reason}
    if words := job_views.progress(job):
        fields["progress"] = words
    fields["compute"] = job_views.where(job)
    fields |= {"attempt": job.attempt, "created": job.created_at, "started": job.started_at, "ended": job.ended_at}
    if job.failure:
        fields |= {"cause": job.failure.cause, "exit code": job.failure.exit_code}
    if job.retry_of:
        fields["retry of"] = job.retry_of
    show_one(job, fields | to_counts(job.metrics), output=output)
    if has_table(job) and job.status.is_terminal and output is OutputFormat.TABLE:
        say(f"What it did: aimass jobs table {job.id}")


@app.command("table")
def show_job_table(context: typer.Context, job_id: str, output: Output = OutputFormat.TABLE) -> None:
    """What a compress, fuse or decompose job tried, a prepare or predict job did; as JSON the whole document."""
    job = client_of(context).jobs.get(job_id)
    show_table(job, output=output)
    if job.failure and output is OutputFormat.TABLE:
        say(plain(job.failure.cause))


@app.command("plot")
def plot_job(
    context: typer.Context,
    job_id: str,
    to: Annotated[Path | None, typer.Option(help="Default: <job>.html, here.")] = None,
) -> None:
    """Save the table of a compress, fuse or decompose job with its plot, or a study's page, as one HTML page."""
    path = client_of(context).jobs.get(job_id).plot(to)
    say(f"Saved {path} ({format_bytes(path.stat().st_size)}). Open it in a browser.")


@app.command("watch")
def watch_job(context: typer.Context, job_id: str, output: Output = OutputFormat.TABLE) -> None:
    """Follow a job to its end."""
    watch(client_of(context).jobs.get(job_id), output=output)


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


@app.command("export-mlflow")
def export_mlflow(
    context: typer.Context,
    job_id: str,
    tracking_uri: Annotated[str | None, typer.Option(help="Default: MLFLOW_TRACKING_URI.")] = None,
    experiment: Annotated[str, typer.Option(help="Made where there is none.")] = EXPERIMENT,
) -> None:
    """Make a run of MLflow of a job that has ended; prints the run's id."""
    job = client_of(context).jobs.get(job_id)
    run_id = job.export_mlflow(tracking_uri=tracking_uri, experiment=experiment)
    say(f"{job.id} is in MLflow's experiment {escape(experiment)}, as this run:")
    typer.echo(run_id)


@app.command("stop")
def stop_job(context: typer.Context, job_id: str) -> None:
    """End a job."""
    job = client_of(context).jobs.stop(job_id)
    say(f"{job.id} is {str(job.status).lower()}.")


@app.command("retry")
def retry_job(
    context: typer.Context,
    job_id: str,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run a FAILED or STOPPED job again, as a new one."""
    follow(client_of(context).jobs.retry(job_id), detach=detach, output=output)
