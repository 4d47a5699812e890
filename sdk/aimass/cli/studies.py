"""`aimass studies`."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from aimass.cli import job_views, options
from aimass.cli.following import follow
from aimass.cli.leaderboards import show_leaderboard
from aimass.cli.output import Column, Output, OutputFormat, client_of, format_bytes, say, show_list, show_one
from aimass.cli.quantities import to_seconds
from aimass_core.domain.studies import Trial, TrialState
from aimass_core.domain.study_specs import AnyStudySpec, AutotrainSpec

app = typer.Typer()

_PRIMARY = "the task's primary metric"

StudyArgument = Annotated[str, typer.Argument(help="Name or id.")]

_COLUMNS = (
    Column("NAME", lambda s: s.name),
    Column("KIND", lambda s: str(s.spec.kind)),
    Column("WHAT", lambda s: f"{job_views.searched(s.spec)} on {s.spec.dataset}"),
    Column("STATUS", lambda s: str(s.status) if s.status else None),
    Column("JOBS", lambda s: len(s.job_ids), is_number=True),
    Column("CREATED", lambda s: s.created_at),
    Column("ID", lambda s: s.id),
)


@app.command("list")
def list_studies(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """All studies, newest first."""
    empty = "No studies yet. Make one: aimass autotrain <dataset> --budget 10m"
    show_list(client_of(context).studies.list(), _COLUMNS, output=output, empty=empty)


@app.command("show")
def show_study(context: typer.Context, study: StudyArgument, output: Output = OutputFormat.TABLE) -> None:
    """One study: what it looks for, how its trials ended, and its models, best first."""
    found = client_of(context).studies.get(study)
    fields: dict[str, Any] = {
        "study": found.name,
        "kind": found.spec.kind,
        "what": job_views.searched(found.spec),
        "objectives": _objectives(found.spec),
        **{name: f"{pinned.dataset_name}@{pinned.number}" for name, pinned in found.channels.items()},
        **job_views.limits(found.spec),
        "status": found.status,
        "jobs": ", ".join(found.job_ids),
    }
    if output is not OutputFormat.TABLE:
        show_one(found, fields, output=output)
        return
    states = Counter(trial.state for trial in found.trials())
    fields["trials"] = ", ".join(f"{states[state]} {state.lower()}" for state in TrialState if states[state]) or "none"
    show_one(found, fields, output=output)
    show_leaderboard(found, output=output)


@app.command("leaderboard")
def show_models(context: typer.Context, study: StudyArgument, output: Output = OutputFormat.TABLE) -> None:
    """The models of a study, best first, with score, latency, size and seconds."""
    show_leaderboard(client_of(context).studies.get(study), output=output)


@app.command("trials")
def list_trials(
    context: typer.Context,
    study: StudyArgument,
    state: Annotated[TrialState | None, typer.Option(help="Only those in this state.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Every trial with its hyperparameters, its values, and why it failed."""
    found = client_of(context).studies.get(study)
    trials = [trial for trial in found.trials() if state is None or trial.state is state]
    show_list(trials, _trial_columns(found.spec), output=output, empty="No trials.")


@app.command("best")
def show_best(
    context: typer.Context,
    study: StudyArgument,
    to: Annotated[Path | None, typer.Option(help="A folder; saves the model and its report there.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """The best trial so far, also while its job runs. Its model can be used."""
    best = client_of(context).studies.best(study)
    fields: dict[str, Any] = {"trial": best.trial, "values": ", ".join(f"{value:g}" for value in best.values)}
    fields |= {**best.metrics, "since": best.at}
    fields |= {artifact.name: format_bytes(artifact.num_bytes) for artifact in best.artifacts}
    show_one(best, fields, output=output)
    if to is not None:
        best.download(to)
        say(f"Saved {len(best.links)} files in {to}.")


@app.command("plot")
def plot_study(
    context: typer.Context,
    study: StudyArgument,
    to: Annotated[Path | None, typer.Option(help="Default: <study>.html, here.")] = None,
) -> None:
    """Save one HTML page: history, importances, slices, Pareto front, timeline of workers and others."""
    path = client_of(context).studies.get(study).plot(to)
    say(f"Saved {path} ({format_bytes(path.stat().st_size)}). Open it in a browser.")


@app.command("resume")
def resume_study(
    context: typer.Context,
    study: StudyArgument,
    budget: Annotated[str, typer.Option(metavar="DURATION", help="Of the new job: 90s, 10m, 2h.")] = "1h",
    max_trials: Annotated[int | None, typer.Option(help="Of the study in all; default: as before.")] = None,
    workers: Annotated[int | None, typer.Option(help="Default: as before.")] = None,
    detach: options.Detach = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Go on with what it knows, on the same data, as a new job."""
    job = (
        client_of(context)
        .studies.get(study)
        .resume(max_seconds=to_seconds(budget, option="--budget"), max_trials=max_trials, num_workers=workers)
    )
    follow(job, detach=detach, output=output)


@app.command("delete")
def delete_study(
    context: typer.Context, study: StudyArgument, yes: Annotated[bool, typer.Option("--yes", "-y")] = False
) -> None:
    """Delete a study with its trials. Models that were registered stay."""
    if not yes:
        typer.confirm(f"Delete {study} with all its trials?", abort=True, err=True)
    client_of(context).studies.delete(study)
    say(f"Deleted {study}.")


def _objectives(spec: AnyStudySpec) -> str:
    if isinstance(spec, AutotrainSpec):
        return spec.metric or _PRIMARY
    return ", ".join(f"{found.metric or _PRIMARY} {found.direction or ''}".rstrip() for found in spec.objectives)


def _trial_columns(spec: AnyStudySpec) -> list[Column]:
    metrics = [spec.metric] if isinstance(spec, AutotrainSpec) else [found.metric for found in spec.objectives]
    return [
        Column("TRIAL", lambda t: t.number, is_number=True),
        Column("STATE", lambda t: str(t.state)),
        Column("ALGORITHM", lambda t: t.algorithm),
        *(_value_column(index, metric or "value") for index, metric in enumerate(metrics)),
        Column("LATENCY MS", lambda t: t.latency_ms, is_number=True),
        Column("SIZE", lambda t: format_bytes(t.model_bytes), is_number=True),
        Column("SECONDS", lambda t: t.seconds, is_number=True),
        Column("WORKER", lambda t: t.worker, is_number=True),
        Column("HYPERPARAMETERS", lambda t: _hyperparameters(t.hyperparameters), is_long=True),
        Column("REMARK", _remark, is_long=True),
    ]


def _value_column(index: int, name: str) -> Column:
    return Column(name.upper().replace("_", " "), lambda t: t.values[index] if t.values else None, is_number=True)


def _remark(trial: Trial) -> str | None:
    return trial.failure if trial.repeats is None else f"as trial {trial.repeats}, and not carried out again"


def _hyperparameters(values: dict[str, Any]) -> str:
    return " ".join(
        f"{name}={f'{value:.4g}' if isinstance(value, float) else json.dumps(value)}" for name, value in values.items()
    )
