"""A job on the command line, from its submission to its end."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from aimass.cli import job_views
from aimass.cli.leaderboards import metric_column, show_leaderboard
from aimass.cli.model_tables import has_table, show_table
from aimass.cli.output import Column, OutputFormat, format_bytes, say, show_list, show_one, stderr_console, to_counts
from aimass.cli.quantities import format_seconds
from aimass.errors import JobFailedError
from aimass.resources.jobs import Job, ModelRef
from aimass.resources.models import ModelVersion
from aimass.resources.studies import Study
from aimass_core.domain.jobs import CollectSpec, EventType, JobEvent, JobKind, JobStatus
from aimass_core.errors import NotFoundError


def follow(job: Job, *, detach: bool, output: OutputFormat, deploy: bool = False) -> None:
    """Shows a job that was just submitted to its end, and serves its model if told to; or only that it is there."""
    say(f"Job [bold]{job.id}[/] submitted.")
    if job.budget is not None:
        say(f"[dim]{escape(job.budget.explanation)}[/]")
    if detach:
        show_list([job], job_views.COLUMNS, output=output)
        return
    watch(job, output=output, deploy=deploy)


def watch(job: Job, *, output: OutputFormat, deploy: bool = False) -> None:
    """Shows a job to its end, and what came of it; then serves its model, where it is told to.

    Raises:
        JobFailedError: It FAILED, or was STOPPED and has no model.
    """
    try:
        ended = _wait(job)
    except KeyboardInterrupt:
        _leave(job)
    _finish(ended, output)
    if deploy and ended.model_version is not None:
        _serve(ended.model_version)


def _leave(job: Job) -> NoReturn:
    say(f"Job [bold]{job.id}[/] goes on. Come back: aimass jobs watch {job.id}")
    end = "end it and keep the best" if job_views.is_of_study(job) else "end it"
    say(f"To {end}: aimass jobs stop {job.id}")
    raise typer.Exit(130) from None


def _serve(model: ModelRef) -> None:
    ref = f"{model.model_name}@{model.number}"
    say(f"Deploying {ref} ...")
    endpoint = model.deploy()
    say(f"Endpoint [bold]{endpoint.name}[/] serves {ref}. Next: aimass predict {endpoint.name} <rows.csv>")


class _TimeLeft(ProgressColumn):
    """Of the budget, which counts from the job's start."""

    def render(self, task: Task) -> Text:
        """`4:12 left`."""
        ends_at: datetime | None = task.fields["ends_at"]
        left = "" if ends_at is None else f"{format_seconds((ends_at - datetime.now(UTC)).total_seconds())} left"
        return Text(left, style="progress.remaining")


def _make_bar(console: Console, *, is_of_study: bool) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20 if is_of_study else 40),
        TextColumn("[dim]{task.fields[words]}"),
        _TimeLeft() if is_of_study else TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class _BestSoFar:
    """Of a study, from the points `best/<objective>` and `trial/<objective>` that it reports after each trial."""

    def __init__(self) -> None:
        self.words = ""

    def hear(self, event: JobEvent) -> None:
        """Says so where there is a better one."""
        for point in event.data.get("points", []) if event.type is EventType.METRICS else []:
            best, trial = (_named(point["values"], prefix) for prefix in ("best/", "trial/"))
            words = ", ".join(f"{name} {value:.5g}" for name, value in best.items())
            if words and words != self.words:
                self.words = words
                # The first point of a study that goes on tells a best one that was there before.
                _say_at(event, f"best so far: {words}" + (f" (trial {point['step']})" if trial == best else ""))


def _named(values: Mapping[str, float], prefix: str) -> dict[str, float]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def _wait(job: Job) -> Job:
    is_of_study, best = job_views.is_of_study(job), _BestSoFar()
    with _make_bar(stderr_console(), is_of_study=is_of_study) as progress:
        bar = progress.add_task("submitted", total=None, words="", ends_at=None)

        def on_update(current: Job, events: Sequence[JobEvent]) -> None:
            for event in events:
                _say_event(event)
                if is_of_study:
                    best.hear(event)
            now = current.progress
            if now is None or current.status is not JobStatus.RUNNING:
                progress.update(bar, description=str(current.status).lower(), total=None)
                return
            words = now.message[:60]
            if is_of_study:
                words = ", ".join(filter(None, [job_views.steps(current), best.words and f"best {best.words}"]))
            progress.update(bar, description=now.phase, words=escape(words), ends_at=_ends_at(current))
            total = 1.0 if now.fraction is not None else None
            progress.update(bar, total=total, completed=now.fraction or 0)

        return job.wait(on_update=on_update, raise_on_failure=False)


def _ends_at(job: Job) -> datetime | None:
    return None if job.started_at is None else job.started_at + timedelta(seconds=job.max_seconds)


def _say_event(event: JobEvent) -> None:
    if event.type is EventType.STATUS:
        _say_at(event, str(event.data.get("status", "")).lower())
    elif event.type is EventType.MESSAGE:
        _say_at(event, str(event.data.get("text", "")))


def _say_at(event: JobEvent, words: str) -> None:
    say(f"[dim]{event.at.astimezone():%H:%M:%S}[/] {escape(words)}")


def _finish(job: Job, output: OutputFormat) -> None:
    study = job.study() if job.study_id else None
    version = job.model_version.get() if job.model_version else None
    if study and output is OutputFormat.TABLE:
        show_leaderboard(study, output=output)
    if has_table(job) and output is OutputFormat.TABLE:
        _show_table(job)
    is_kept = job.status is JobStatus.STOPPED and version is not None
    if job.status is not JobStatus.SUCCEEDED and not is_kept:
        _say_failure(job, version, study)
        raise JobFailedError(job)
    evaluations = version.card.evaluations if version and version.card else []
    if output is not OutputFormat.TABLE or not evaluations:
        show_one(job, {"job": job.id, "status": job.status, **to_counts(job.metrics)}, output=output)
    else:
        columns = [Column("CHANNEL", lambda e: e.channel), Column("ROWS", lambda e: e.num_rows, is_number=True)]
        show_list(evaluations, [*columns, *map(metric_column, evaluations[0].metrics)], output=output)
    if is_kept:
        say("The job was stopped; the best model by then is kept.")
    if version and output is OutputFormat.TABLE:
        _say_model(version, study)
        if has_table(job):
            say(f"Table: aimass jobs table {job.id}    plot: aimass jobs plot {job.id}")


def _show_table(job: Job) -> None:
    """One that failed leaves a table where it came so far, and one that succeeded always."""
    try:
        show_table(job, output=OutputFormat.TABLE)
    except NotFoundError:
        if job.status is JobStatus.SUCCEEDED:
            raise


def _say_failure(job: Job, version: ModelVersion | None, study: Study | None) -> None:
    if job.failure and job.failure.traceback:
        say(f"[dim]{escape(job.failure.traceback)}[/]")
    if version:
        say("The best model by then is kept.")
        _say_model(version, study)
    again = f"go on: aimass studies resume {study.name}" if study else f"again: aimass jobs retry {job.id}"
    if isinstance(job.spec, CollectSpec):
        again = f"again: aimass sources run {job.spec.source}"
    elif job.kind in (JobKind.EXPORT, JobKind.IMPORT_WORKSPACE):
        again = "again: aimass workspaces --help"
    say(f"Log: aimass jobs logs {job.id}    {again}")


def _say_model(version: ModelVersion, study: Study | None) -> None:
    say(f"Model [bold]{version.ref}[/] registered ({format_bytes(version.model_bytes)}).")
    say(f"Next: aimass deploy {version.model_name}    report: aimass models report {version.ref}")
    if study:
        say(f"Study: aimass studies show {study.name}    figures: aimass studies plot {study.name}")
