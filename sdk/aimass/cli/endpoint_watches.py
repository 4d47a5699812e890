"""`aimass endpoints metrics | drift | performance | capture | truth | alarms | report`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list, show_one
from aimass.cli.quantities import to_seconds
from aimass_core.domain.endpoint_watching import AlarmStatus, EndpointPerformance, EndpointWatch

app = typer.Typer()

Last = Annotated[str, typer.Option(help="So long is looked back: 30m, 12h, 7d.")]

_TRAFFIC = (
    Column("VERSION", lambda v: f"{v.model} (shadow)" if v.is_shadow else v.model),
    Column("REQUESTS", lambda v: v.requests, is_number=True),
    Column("FAILED", lambda v: v.errors, is_number=True),
    Column("REFUSED", lambda v: v.refused, is_number=True),
    Column("ROWS", lambda v: v.rows, is_number=True),
    Column("P50_MS", lambda v: v.p50_ms, is_number=True),
    Column("P95_MS", lambda v: v.p95_ms, is_number=True),
    Column("P99_MS", lambda v: v.p99_ms, is_number=True),
)
_DRIFT = (
    Column("COLUMN", lambda c: c.name),
    Column("PSI", lambda c: c.psi, is_number=True),
    Column("LIMIT", lambda c: c.psi_limit, is_number=True),
    Column("KS", lambda c: c.ks, is_number=True),
    Column("MOVED", lambda c: "yes" if c.is_drift else "no"),
)


def _read_last(text: str) -> timedelta:
    return timedelta(seconds=to_seconds(text, option="--last"))


@app.command("metrics")
def show_metrics(context: typer.Context, endpoint: str, last: Last = "1h", output: Output = OutputFormat.TABLE) -> None:
    """Requests, errors, rows and times of an endpoint, by version."""
    found = client_of(context).endpoints.metrics(endpoint, last=_read_last(last))
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_one(found, {}, output=output)
        return
    show_list(found.versions, _TRAFFIC, output=output, empty=f"No request in the last {plain(last)}.")


@app.command("drift")
def show_drift(context: typer.Context, endpoint: str, last: Last = "1d", output: Output = OutputFormat.TABLE) -> None:
    """How far captured rows, and the answers to them, have moved from the training data."""
    found = client_of(context).endpoints.drift(endpoint, last=_read_last(last))
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_one(found, {}, output=output)
        return
    columns = [each for each in [found.answers, *found.columns] if each is not None]
    show_list(columns, _DRIFT, output=output)
    say(f"{found.num_rows:,} captured rows of {plain(found.model)}, beside {plain(found.training or 'no data')}.")
    for note in found.notes:
        say(plain(note))


@app.command("performance")
def show_performance(
    context: typer.Context, endpoint: str, last: Last = "7d", output: Output = OutputFormat.TABLE
) -> None:
    """Live metrics: captured answers, held against what became true."""
    found = client_of(context).endpoints.performance(endpoint, last=_read_last(last))
    show_one(found, _to_figures(found), output=output)
    for note in found.notes if output is OutputFormat.TABLE else []:
        say(plain(note))


def _to_figures(found: EndpointPerformance) -> dict[str, object]:
    fields: dict[str, object] = {"model": found.model, "captured": found.num_captured, "judged": found.num_rows}
    for name, value in found.metrics.items():
        trained = found.in_training.get(name)
        fields[name] = f"{value:.4f}" + (f" (in training {trained:.4f})" if trained is not None else "")
    worse = [each for each in found.slices.items if each.is_worse] if found.slices else []
    for each in worse[:5]:
        fields[f"worse: {each.column} {each.values}"] = f"{each.value:.4f} of {each.num_rows:,} rows"
    return fields


@app.command("capture")
def export_captures(
    context: typer.Context,
    endpoint: str,
    to: Annotated[str, typer.Option("--to", help="The dataset; its content is replaced.")],
    last: Last = "7d",
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a dataset of captured requests and their answers."""
    since = datetime.now(UTC) - _read_last(last)
    version = client_of(context).endpoints.capture(endpoint, to=to, since=since)
    fields = {"dataset": f"{version.dataset_name}@{version.number}", "status": version.status, "rows": version.num_rows}
    show_one(version, fields, output=output)


@app.command("truth")
def set_truth(
    context: typer.Context,
    endpoint: str,
    file: Annotated[Path | None, typer.Argument(help="With the key and what became true; is appended.")] = None,
    key: Annotated[str, typer.Option(help="The column that says which row it is.")] = "served_id",
    column: Annotated[str | None, typer.Option(help="What became true; default: the model's target.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Where it is kept; default: <endpoint>-truth.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Tell what became true of captured rows, for live metrics."""
    client = client_of(context)
    client.endpoints.truth(endpoint, file, key=key, column=column, dataset=dataset)
    found = client.endpoints.performance(endpoint)
    show_one(found, _to_figures(found), output=output)
    for note in found.notes if output is OutputFormat.TABLE else []:
        say(plain(note))


@app.command("alarms")
def show_alarms(
    context: typer.Context,
    endpoint: str,
    max_error_rate: Annotated[float | None, typer.Option(help="0.01: of a hundred requests one may fail.")] = None,
    max_p95_ms: Annotated[float | None, typer.Option(help="95 % of the requests may take so long.")] = None,
    max_drift: Annotated[float | None, typer.Option(help="PSI of any column, or of the answers.")] = None,
    metric: Annotated[str | None, typer.Option(help="Of what became true, with --worst-metric.")] = None,
    worst_metric: Annotated[float | None, typer.Option(help="The metric may not be worse.")] = None,
    window_minutes: Annotated[int | None, typer.Option(help="Of traffic; default: 5.")] = None,
    min_requests: Annotated[int | None, typer.Option(help="Fewer in the window say nothing; default: 20.")] = None,
    off: Annotated[bool, typer.Option("--off", help="No alarms.")] = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Show the limits of an endpoint and which are passed; with options, set these instead of those that were."""
    given = {
        "max_error_rate": max_error_rate,
        "max_p95_ms": max_p95_ms,
        "max_drift": max_drift,
        "metric": metric,
        "worst_metric": worst_metric,
        "window_minutes": window_minutes,
        "min_requests": min_requests,
    }
    limits = {name: value for name, value in given.items() if value is not None}
    if off and limits:
        raise typer.BadParameter("there is nothing to set where all alarms go off", param_hint="--off")
    client = client_of(context)
    watch = client.endpoints.set_alarms(endpoint, **limits) if limits or off else client.endpoints.alarms(endpoint)
    show_one(watch, _to_alarm_fields(watch), output=output)


def _to_alarm_fields(watch: EndpointWatch) -> dict[str, object]:
    fields: dict[str, object] = {"status": watch.status, "since": watch.since, "checked": watch.checked_at}
    if watch.status is not AlarmStatus.OFF:
        limits = watch.limits.model_dump(exclude_none=True)
        fields["limits"] = ", ".join(f"{name}={value}" for name, value in limits.items())
    for number, reason in enumerate(watch.reasons, start=1):
        fields[f"reason {number}"] = reason
    return fields


@app.command("report")
def save_report(
    context: typer.Context,
    endpoint: str,
    html: Annotated[Path | None, typer.Option(help="Default: <endpoint>-report.html.")] = None,
    last: Last = "1d",
) -> None:
    """Save how an endpoint does as one page: traffic, times, drift, and what became true."""
    path = html or Path(f"{endpoint}-report.html")
    saved = client_of(context).endpoints.save_report(endpoint, path, last=_read_last(last))
    say(f"Saved {plain(str(saved))}. Open it in a browser.")
