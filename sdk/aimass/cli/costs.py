"""`aimass costs` and `aimass budget`."""

from enum import StrEnum
from typing import Annotated

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list, show_one
from aimass_core.domain.costs import BudgetStatus, CostKind


class By(StrEnum):
    """What a line stands for."""

    THING = "thing"
    DAY = "day"


def _to_column(kind: CostKind) -> Column:
    return Column(kind.upper(), lambda day: day.by_kind[kind], is_number=True)


_THINGS = (
    Column("KIND", lambda line: str(line.kind)),
    Column("NAME", lambda line: line.name, is_long=True),
    Column("ID", lambda line: line.subject_id),
    Column("QUANTITY", lambda line: line.quantity, is_number=True),
    Column("UNIT", lambda line: line.unit),
    Column("USD", lambda line: line.usd, is_number=True),
    Column("ESTIMATE", lambda line: "yes" if line.is_estimate else ""),
)
_DAYS = (
    Column("DAY", lambda day: str(day.date)),
    Column("USD", lambda day: day.usd, is_number=True),
    *(_to_column(kind) for kind in CostKind),
)


def show_costs(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(metavar="DAY", help="Default: the first of the month.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DAY", help="Included; default: today.")] = None,
    kind: Annotated[CostKind | None, typer.Option(help="Only of this kind.")] = None,
    by: Annotated[By, typer.Option(help="Jobs, endpoints, queries, datasets and models; or days.")] = By.THING,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 20,
    output: Output = OutputFormat.TABLE,
) -> None:
    """What the workspace costs, by list prices."""
    found = client_of(context).costs.get(since=since, until=until, kind=kind, limit=limit)
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_one(found, {}, output=output)
        return
    if by is By.DAY:
        show_list(found.days, _DAYS, output=output)
    else:
        show_list(found.lines, _THINGS, output=output, empty="Nothing was used.")
    if output is OutputFormat.TABLE:
        kinds = ", ".join(f"{name} {usd:,.4f}" for name, usd in found.by_kind.items() if usd)
        say(f"[bold]{found.usd:,.4f} USD[/] from {found.since} to {found.until}{': ' if kinds else ''}{kinds}")
        say(f"[dim]{plain(found.price_source)}[/]")


def show_budget(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """What is spent of the month's budget. Set one: aimass settings set quotas monthly_budget_usd=100"""
    found = client_of(context).costs.budget()
    fields = {
        "month": found.month,
        "status": found.status,
        "spent (USD)": found.spent_usd,
        "at its end (USD)": found.forecast_usd,
        "budget (USD)": found.monthly_budget_usd,
        "percent": found.percent,
        "warns from (percent)": found.warn_percent,
        "stops": found.stops,
    }
    show_one(found, fields, output=output)
    if found.status is BudgetStatus.NONE and output is OutputFormat.TABLE:
        say("There is no budget. Set one: aimass settings set quotas monthly_budget_usd=100")
