"""`aimass triggers`."""

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from aimass.cli import rollouts
from aimass.cli.files import read_settings
from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list, show_one
from aimass.cli.quantities import to_seconds
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.triggers import Trigger, TriggerRun

app = typer.Typer()

_EXAMPLE = "{spec: {kind: train, dataset: adult, algorithm: xgboost}}"


def _model(run: TriggerRun) -> str | None:
    return None if run.model_version is None else f"{run.model_version.model_name}@{run.model_version.number}"


def _when(trigger: Trigger) -> str:
    if trigger.cron is not None:
        return f"at {trigger.cron} (UTC)"
    if trigger.every_seconds is not None:
        return f"every {trigger.every_seconds:,} s"
    return "at each new version" + (" that passes" if trigger.needs_passed else "")


_TRIGGERS = (
    Column("NAME", lambda t: t.name),
    Column("DATASET", lambda t: t.dataset_name),
    Column("KIND", lambda t: str(t.job.spec.kind)),
    Column("FIRES", _when),
    Column("STATUS", lambda t: str(t.status)),
    Column("RUNS", lambda t: t.num_runs, is_number=True),
    Column("LAST", lambda t: t.last_fired_at),
)
_RUNS = (
    Column("RUN", lambda r: r.number, is_number=True),
    Column("VERSION", lambda r: r.dataset_version, is_number=True),
    Column("STATUS", lambda r: str(r.status)),
    Column("MODEL", _model),
    Column("JOB", lambda r: r.job_id),
    Column("REASON", lambda r: r.reason, is_long=True),
)


@app.command("create")
def create(
    context: typer.Context,
    name: str,
    dataset: Annotated[str, typer.Argument(help="The dataset whose new versions fire it.")],
    algorithm: Annotated[str | None, typer.Option("--algorithm", "-a", help="Train it at each version.")] = None,
    budget: Annotated[str | None, typer.Option(help="Without an algorithm: autotrain so long; default: 10m.")] = None,
    job: Annotated[
        Path | None, typer.Option(help="Any other job: a YAML file as POST /v1/jobs takes it, instead of these.")
    ] = None,
    test: Annotated[str | None, typer.Option(help="A dataset that judges every model, so that they compare.")] = None,
    every: Annotated[str | None, typer.Option(help="Not at each version but so often: 12h, 7d.")] = None,
    cron: Annotated[
        str | None, typer.Option(help='Not at each version but at these times of UTC: "0 6 * * MON-FRI".')
    ] = None,
    needs_passed: Annotated[
        bool, typer.Option("--needs-passed", help="Leave out versions whose expectations gave warnings.")
    ] = False,
    deploy: Annotated[bool, typer.Option("--deploy", help="Deploy a model that passes the gate.")] = False,
    endpoint: Annotated[str | None, typer.Option(help="With --deploy; default: the model's name.")] = None,
    metric: Annotated[str | None, typer.Option(help="Of the gate; default: the task's primary metric.")] = None,
    worst: Annotated[float | None, typer.Option(help="Of the gate: as good as this at least.")] = None,
    min_gain: Annotated[float, typer.Option(help="Of the gate: so much better than what is served.")] = 0.0,
    canary: rollouts.Canary = None,
    step: rollouts.Step = None,
    step_every: Annotated[str | None, typer.Option(help="Until the next step of a canary: 60s, 10m.")] = None,
    guard: rollouts.Guards = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Train at each new version of a dataset, and deploy what is no worse than what is served."""
    options: dict[str, Any] = {}
    if every is not None:
        options["every_seconds"] = to_seconds(every, option="--every")
    if cron is not None:
        options["cron"] = cron
    plan = rollouts.to_plan(canary=canary, linear=None, shadow=None, step=step, every=step_every, guards=guard or [])
    if deploy:
        gate = {"metric": metric, "worst": worst, "min_gain": min_gain}
        options["deploy"] = {"endpoint": endpoint, "gate": gate, "rollout": plan}
    elif endpoint is not None or metric is not None or worst is not None or plan is not None:
        raise typer.BadParameter("gate, endpoint and canary are for --deploy: add it", param_hint="--deploy")
    body = _to_job(dataset, algorithm=algorithm, budget=budget, job=job, test=test)
    made = client_of(context).triggers.create(name, dataset=dataset, job=body, needs_passed=needs_passed, **options)
    _show(made, output)
    if output is OutputFormat.TABLE:
        say(f"It fires {_when(made)}. See what came of it: aimass triggers runs {plain(made.name)}")


def _to_job(
    dataset: str, *, algorithm: str | None, budget: str | None, job: Path | None, test: str | None
) -> dict[str, Any]:
    if job is not None:
        if algorithm is not None or budget is not None or test is not None:
            raise typer.BadParameter("leave --algorithm, --budget and --test out: it says it all", param_hint="--job")
        return read_settings(job, option="--job", example=_EXAMPLE)
    spec: dict[str, Any] = {"dataset": dataset, **({} if test is None else {"test": test})}
    seconds = None if budget is None else to_seconds(budget, option="--budget")
    if algorithm is not None:
        body = {"spec": {"kind": JobKind.TRAIN, "algorithm": algorithm, **spec}}
        return body if seconds is None else {**body, "max_seconds": seconds}
    return {"spec": {"kind": JobKind.AUTOTRAIN, **spec}, "max_seconds": seconds or 600}


@app.command("list")
def list_triggers(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """All triggers, newest first."""
    empty = "No triggers yet. Make one: aimass triggers create <name> <dataset> --algorithm xgboost --deploy"
    show_list(client_of(context).triggers.list(), _TRIGGERS, output=output, empty=empty)


@app.command("show")
def show(context: typer.Context, trigger: str, output: Output = OutputFormat.TABLE) -> None:
    """One trigger: what it does, and why it waits."""
    _show(client_of(context).triggers.get(trigger), output)


@app.command("runs")
def list_runs(
    context: typer.Context,
    trigger: str,
    limit: Annotated[int, typer.Option(min=1)] = 20,
    output: Output = OutputFormat.TABLE,
) -> None:
    """What came of it, newest first."""
    found = islice(client_of(context).triggers.runs(trigger), limit)
    show_list(found, _RUNS, output=output, empty=f"{plain(trigger)} has not fired yet.")


@app.command("pause")
def pause(context: typer.Context, trigger: str) -> None:
    """Let it not fire until it is resumed."""
    client_of(context).triggers.pause(trigger)
    say(f"{plain(trigger)} is paused. Go on: aimass triggers resume {plain(trigger)}")


@app.command("resume")
def resume(context: typer.Context, trigger: str) -> None:
    """Let it fire again: within a minute, where there is a version that it has not fired for."""
    client_of(context).triggers.resume(trigger)
    say(f"{plain(trigger)} is active.")


@app.command("delete")
def delete(context: typer.Context, trigger: str, yes: Annotated[bool, typer.Option("--yes", "-y")] = False) -> None:
    """Delete a trigger with its runs; jobs and models stay."""
    if not yes:
        typer.confirm(f"Delete the trigger {trigger}?", abort=True, err=True)
    client_of(context).triggers.delete(trigger)
    say(f"Deleted {plain(trigger)}.")


def _show(trigger: Trigger, output: OutputFormat) -> None:
    gate = None if trigger.deploy is None else trigger.deploy.gate
    fields = {
        "trigger": trigger.name,
        "dataset": trigger.dataset_name,
        "job": trigger.job.spec.kind,
        "fires": _when(trigger),
        "status": trigger.status,
        "deploys": trigger.deploy is not None,
        **({} if gate is None else {"gate": gate.model_dump(exclude_none=True)}),
        "runs": trigger.num_runs,
        **({} if trigger.status_reason is None else {"note": trigger.status_reason}),
    }
    show_one(trigger, fields, output=output)
