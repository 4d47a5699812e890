"""`aimass quality`."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from aimass.binding import to_request
from aimass.cli.files import read_settings
from aimass.cli.output import Column, Output, OutputFormat, client_of, format_value, plain, say, show_list, show_one
from aimass_core.domain.quality import ExpectationSet, Outcome, QualityReport, Severity

app = typer.Typer()

_EXAMPLE = "{expectations: [{check: range, column: age, min: 0, max: 120}]}"
_COLOURS = {Outcome.PASSED: "green", Outcome.WARNED: "yellow", Outcome.FAILED: "red", Outcome.SKIPPED: "dim"}
_RESULTS = (
    Column("EXPECTATION", lambda r: r.name),
    Column("OUTCOME", lambda r: str(r.outcome)),
    Column("OBSERVED", lambda r: r.observed, is_number=True),
    Column("LIMIT", lambda r: r.limit, is_number=True),
    Column("FOUND", lambda r: r.message, is_long=True),
)


@app.command("suggest")
def suggest(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="`name` or `name@version`.")],
    save: Annotated[bool, typer.Option("--save", help="Also expect it from now on, instead of what is.")] = False,
) -> None:
    """Print what a version's profile suggests, as YAML: change it, then `aimass quality set`."""
    quality = client_of(context).quality
    suggested = quality.suggest(dataset)
    _print(suggested)
    if save:
        name = dataset.partition("@")[0]
        quality.set(name, suggested)
        say(f"Saved: {len(suggested.expectations)} expectations of {plain(name)}, checked at every new version.")


@app.command("set")
def set_expectations(
    context: typer.Context,
    dataset: str,
    file: Annotated[Path, typer.Argument(help="YAML or JSON, as `aimass quality suggest` prints it.")],
) -> None:
    """Replace what is expected of a dataset, from its next version on."""
    wanted = to_request(ExpectationSet, **read_settings(file, option="FILE", example=_EXAMPLE))
    client_of(context).quality.set(dataset, wanted)
    num_blocking = sum(expected.severity is Severity.BLOCKING for expected in wanted.expectations)
    say(f"{plain(dataset)}: {len(wanted.expectations)} expectations, of which {num_blocking} block.")


@app.command("show")
def show_expectations(context: typer.Context, dataset: str) -> None:
    """Print what is expected of a dataset, as YAML."""
    found = client_of(context).datasets.get(dataset)
    if not found.expectations:
        say(f"Nothing is expected of {plain(dataset)} yet. Begin with: aimass quality suggest {plain(dataset)}")
        return
    _print(ExpectationSet(expectations=found.expectations))


@app.command("check")
def check(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="`name` or `name@version`.")],
    output: Output = OutputFormat.TABLE,
) -> None:
    """Check a version again, against what is expected now. Ends with 1 where something that blocks is not met."""
    report = client_of(context).quality.check(dataset)
    _show(report, output)
    if report.outcome is Outcome.FAILED:
        raise typer.Exit(1)


@app.command("report")
def report(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="`name` or `name@version`.")],
    html: Annotated[Path | None, typer.Option(help="Save the page with charts and the trend there.")] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """What was expected of a version, and what was found."""
    quality = client_of(context).quality
    if html is not None:
        say(f"Saved {quality.save_page(dataset, html)}. Open it in a browser.")
        return
    _show(quality.report(dataset), output)


@app.command("trend")
def trend(
    context: typer.Context,
    dataset: str,
    expectation: Annotated[
        str | None, typer.Option(help="One figure by its name, such as 'range age'; default: rows.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=50)] = 20,
    output: Output = OutputFormat.TABLE,
) -> None:
    """How versions changed, oldest first."""
    found = client_of(context).quality.trend(dataset, limit=limit)
    columns = [
        Column("VERSION", lambda v: v.number, is_number=True),
        Column("STATUS", lambda v: v.status),
        Column("QUALITY", lambda v: v.quality),
        Column("ROWS", lambda v: v.num_rows, is_number=True),
        Column("QUARANTINED", lambda v: v.num_quarantined, is_number=True),
    ]
    if expectation is not None:
        columns.append(Column(expectation.upper(), lambda v: v.observed.get(expectation), is_number=True))
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_one(found, {}, output=output)
        return
    show_list(found.versions, columns, output=output, empty=f"{plain(dataset)} has no version yet.")


def _show(report: QualityReport, output: OutputFormat) -> None:
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_one(report, {}, output=output)
        return
    show_list(report.results, _RESULTS, output=output)
    colour = _COLOURS[report.outcome]
    ref = f"{plain(report.dataset_name)}@{report.number}"
    say(f"{ref}: [{colour}]{report.outcome}[/], {format_value(report.num_rows)} rows")


def _print(expectations: ExpectationSet) -> None:
    data = expectations.model_dump(mode="json", exclude_defaults=True)
    typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
