"""`aimass reports`."""

import tempfile
import webbrowser
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list, show_one
from aimass.resources.reports import Report
from aimass_core.domain.workspace_reports import ReportPlan, ReportStatus, Weekday

app = typer.Typer()

_REPORTS = (
    Column("REPORT", lambda r: r.id),
    Column("ABOUT", lambda r: r.model or "workspace"),
    Column("SINCE", lambda r: r.since),
    Column("UNTIL", lambda r: r.until),
    Column("STATUS", lambda r: r.status.value),
    Column("NOTE", lambda r: r.status_reason, is_long=True),
)
_PLANS = (
    Column("NAME", lambda p: p.name),
    Column("ABOUT", lambda p: p.model or "workspace"),
    Column("EVERY", lambda p: f"{p.weekday.value} {p.hour:02d}:00 UTC"),
    Column("STATUS", lambda p: p.status.value),
    Column("NEXT", lambda p: p.next_at),
    Column("CHANNELS", lambda p: ", ".join(p.channels)),
    Column("NOTE", lambda p: p.status_reason, is_long=True),
)


@app.command("create")
def create(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="One model; default: the whole workspace.")] = None,
    days: Annotated[int, typer.Option(min=1, max=90, help="So many days until now.")] = 7,
    to: Annotated[list[str] | None, typer.Option(help="A notification channel; several times.")] = None,
    weekly: Annotated[bool, typer.Option("--weekly", help="Not now, but every week.")] = False,
    name: Annotated[str | None, typer.Option(help="Of the weekly plan; default: weekly, or weekly-<model>.")] = None,
    weekday: Annotated[Weekday, typer.Option()] = Weekday.MONDAY,
    hour: Annotated[int, typer.Option(min=0, max=23, help="In UTC.")] = 6,
    save: Annotated[Path | None, typer.Option(help="Wait, and save it: a name ending in .pdf or .html.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a report: data, training, scores, traffic, drift, spend and alarms."""
    reports = client_of(context).reports
    if weekly:
        if save is not None:
            raise typer.BadParameter("a weekly report is not made now: leave --save out", param_hint="--save")
        plan_name = name or ("weekly" if model is None else f"weekly-{model}")
        plan = reports.plan(plan_name, model=model, days=days, channels=to or [], weekday=weekday, hour=hour)
        _show_plan(plan, output)
        return
    if name is not None:
        raise typer.BadParameter("only weekly plans have a name: add --weekly", param_hint="--name")
    made = reports.create(model=model, days=days, channels=to)
    if save is not None:
        say(f"Saved {plain(str(made.save(save)))}.")
        made = made.refresh()
    _show(made, output)
    if output is OutputFormat.TABLE and save is None:
        say(f"Read it: aimass reports open {made.id}")


@app.command("list")
def list_reports(
    context: typer.Context, limit: Annotated[int, typer.Option(min=1)] = 20, output: Output = OutputFormat.TABLE
) -> None:
    """All reports, newest first."""
    found = islice(client_of(context).reports.list(), limit)
    show_list(found, _REPORTS, output=output, empty="No reports yet. Make one: aimass reports create")


@app.command("get")
def get(
    context: typer.Context,
    report: str,
    save: Annotated[Path | None, typer.Option(help="Where to: a name ending in .pdf or .html.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Show a report's figures, or save it."""
    found = client_of(context).reports.get(report)
    if save is not None:
        say(f"Saved {plain(str(found.save(save)))}.")
        found = found.refresh()
    _show(found, output)


@app.command("open")
def open_report(context: typer.Context, report: str) -> None:
    """Wait until it is made, and open it in the browser."""
    found = client_of(context).reports.get(report)
    path = found.save(Path(tempfile.mkdtemp(prefix="aimass-")) / f"{found.id}.html")
    webbrowser.open(path.as_uri())
    say(f"It is at {plain(str(path))}.")


@app.command("delete")
def delete(context: typer.Context, report: str, yes: Annotated[bool, typer.Option("--yes", "-y")] = False) -> None:
    """Delete a report; its files stay among the artifacts of its job."""
    if not yes:
        typer.confirm(f"Delete the report {report}?", abort=True, err=True)
    client_of(context).reports.delete(report)
    say(f"Deleted {plain(report)}.")


@app.command("plans")
def list_plans(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """What is made every week."""
    empty = "No plans yet. Make one: aimass reports create --weekly --to <channel>"
    show_list(client_of(context).reports.plans(), _PLANS, output=output, empty=empty)


@app.command("unplan")
def delete_plan(context: typer.Context, plan: str) -> None:
    """Make it no longer every week; what was made stays."""
    client_of(context).reports.delete_plan(plan)
    say(f"Deleted the plan {plain(plan)}.")


def _show(report: Report, output: OutputFormat) -> None:
    fields = {
        "report": report.id,
        "about": report.model or "the workspace",
        "since": report.since,
        "until": report.until,
        "status": report.status.value,
        **({"note": report.status_reason} if report.status is ReportStatus.FAILED else {}),
        **{figure.name: _with_before(figure.value, figure.before) for figure in report.figures},
    }
    show_one(report, fields, output=output)


def _with_before(value: str, before: str | None) -> str:
    return value if before is None else f"{value} (before: {before})"


def _show_plan(plan: ReportPlan, output: OutputFormat) -> None:
    fields = {"plan": plan.name, "about": plan.model or "the workspace", "next": plan.next_at}
    show_one(plan, fields, output=output)
