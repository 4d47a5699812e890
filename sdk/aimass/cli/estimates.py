"""What a job would take, as `--dry-run` shows it."""

from typing import Any

from rich.markup import escape

from aimass.cli.output import OutputFormat, say, show_one
from aimass_core.domain.estimates import JobEstimate


def show_estimate(estimate: JobEstimate, *, output: OutputFormat) -> None:
    """Figures on stdout, notes on stderr."""
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
