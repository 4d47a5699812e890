"""Rollouts on the command line: options of `aimass deploy`, and `aimass endpoints shift|promote|rollback|history`."""

from typing import Annotated, Any

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, say, show_list, show_one
from aimass.cli.quantities import to_seconds
from aimass.resources.endpoints import Endpoint
from aimass_core.domain.endpoint_counters import Counts
from aimass_core.domain.endpoints import EndpointDetail

app = typer.Typer()

_GUARDS = {
    "error-rate": "max_error_rate",
    "p95-ms": "max_p95_ms",
    "disagreement": "max_disagreement",
    "tolerance": "tolerance",
    "min-requests": "min_requests",
}
_HISTORY_COLUMNS = (
    Column("AT", lambda e: e.created_at),
    Column("ACTION", lambda e: e.action),
    Column("SERVING", lambda e: e.serving),
    Column("MODEL", lambda e: e.model),
    Column("PERCENT", lambda e: e.percent, is_number=True),
    Column("SETTINGS", lambda e: e.settings.version, is_number=True),
    Column("BY", lambda e: e.created_by),
    Column("REASON", lambda e: e.reason, is_long=True),
)


Canary = Annotated[
    float | None, typer.Option(help="Percent of the requests that it gets first; what serves answers the others.")
]
Step = Annotated[float | None, typer.Option(help="Percent more of a canary with each step; default: all.")]
Guards = Annotated[
    list[str] | None,
    typer.Option(help="error-rate=0.01, p95-ms=50, disagreement=0.05: rolled back where it breaks one of them."),
]


def to_plan(
    *,
    canary: float | None,
    linear: float | None,
    shadow: float | None,
    step: float | None,
    every: str | None,
    guards: list[str],
) -> dict[str, Any] | None:
    """The plan that the options say; None where they say none. Raises BadParameter."""
    given = {"canary": canary, "linear": linear, "shadow": shadow}
    chosen = [(strategy, percent) for strategy, percent in given.items() if percent is not None]
    if not chosen:
        if step is not None or every is not None or guards:
            raise typer.BadParameter("belongs to a rollout: give --canary, --linear or --shadow", param_hint="--guard")
        return None
    if len(chosen) > 1:
        raise typer.BadParameter(f"give one of {', '.join('--' + name for name, _ in chosen)}", param_hint="--canary")
    strategy, percent = chosen[0]
    plan: dict[str, Any] = {"strategy": strategy, "percent": percent, "guards": _read_guards(guards)}
    if step is not None:
        plan["step_percent"] = step
    if every is not None:
        plan["every_seconds"] = to_seconds(every, option="--every")
    return plan


def _read_guards(texts: list[str]) -> dict[str, Any]:
    """`error-rate=0.01`; `off` looks away."""
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            number = None if value == "off" else float(value)
        except ValueError:
            number, name = None, ""
        if name not in _GUARDS or _GUARDS[name] in found:
            raise typer.BadParameter(
                f"{text!r} is no guard: write each of {', '.join(_GUARDS)} once, as in error-rate=0.01 or p95-ms=50 "
                "(off: not looked at)",
                param_hint="--guard",
            )
        found[_GUARDS[name]] = number
    return found


def to_fields(endpoint: EndpointDetail) -> dict[str, object]:
    """What `aimass endpoints get` shows of a rollout, and of what a rollback would bring back."""
    fields: dict[str, object] = {}
    if endpoint.rollout is not None:
        fields["rollout"] = f"{endpoint.rollout.model.ref} {endpoint.rollout.plan.strategy} at " + (
            f"{endpoint.rollout.percent:g} %"
        )
    if endpoint.rollout_counts is not None:
        fields["former"] = _write_counts(endpoint.rollout_counts.stable)
        fields["new"] = _write_counts(endpoint.rollout_counts.candidate)
    if endpoint.previous is not None:
        fields["previous"] = endpoint.previous.ref
    return fields


def _write_counts(counts: Counts) -> str:
    words = [f"{counts.requests} requests", f"{counts.errors} failed"]
    p95 = counts.percentile_ms(0.95)
    if p95 is not None:
        words.append(f"95 % within {p95:.3g} ms")
    if counts.disagreement is not None:
        words.append(f"{counts.disagreed} of {counts.compared} rows differ")
    return ", ".join(words)


@app.command("shift")
def shift(
    context: typer.Context,
    endpoint: str,
    percent: Annotated[float, typer.Argument(help="Of the requests, that the new version gets from now on.")],
    output: Output = OutputFormat.TABLE,
) -> None:
    """Move the share of a rollout by hand; its guards and steps go on from there."""
    _show(client_of(context).endpoints.shift(endpoint, percent), output)


@app.command("promote")
def promote(context: typer.Context, endpoint: str, output: Output = OutputFormat.TABLE) -> None:
    """End a rollout: the new version answers everything."""
    _show(client_of(context).endpoints.promote(endpoint), output)


@app.command("rollback")
def rollback(context: typer.Context, endpoint: str, output: Output = OutputFormat.TABLE) -> None:
    """End a rollout or an update, else bring back what served before. At once."""
    _show(client_of(context).endpoints.rollback(endpoint), output)


@app.command("history")
def history(context: typer.Context, endpoint: str, output: Output = OutputFormat.TABLE) -> None:
    """What became of an endpoint, newest first."""
    show_list(client_of(context).endpoints.history(endpoint), _HISTORY_COLUMNS, output=output)


def _show(endpoint: Endpoint, output: OutputFormat) -> None:
    serving = endpoint.serving.ref if endpoint.serving else None
    fields = {"endpoint": endpoint.name, "status": endpoint.status, "serving": serving, **to_fields(endpoint)}
    show_one(endpoint, fields, output=output)
    if endpoint.status_reason:
        say(endpoint.status_reason)
