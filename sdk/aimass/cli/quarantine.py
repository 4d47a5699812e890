"""`aimass quarantine`."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list
from aimass_core.domain.common import split_ref
from aimass_core.domain.quarantine import Quarantine

app = typer.Typer()

Reference = Annotated[str, typer.Argument(help="A version: `name@version`.")]


def _num_replayed(quarantine: Quarantine) -> int:
    return sum(last - first + 1 for replay in quarantine.replays for first, last in replay.positions)


_QUARANTINES = (
    Column("VERSION", lambda q: f"{q.dataset_name}@{q.number}"),
    Column("ROWS", lambda q: q.num_rows, is_number=True),
    Column("REPLAYED", _num_replayed, is_number=True),
    Column("STATUS", lambda q: str(q.status)),
    Column("KEPT UNTIL", lambda q: q.expires_at),
)
_ROWS = (
    Column("ROW", lambda row: row.position, is_number=True),
    Column("FILE", lambda row: row.file, is_long=True),
    Column("LINE", lambda row: row.line, is_number=True),
    Column("COLUMN", lambda row: row.column),
    Column("REASON", lambda row: row.reason, is_long=True),
    Column("TEXT", lambda row: row.text, is_long=True),
    Column("REPLAYED AS", lambda row: row.replayed_as, is_number=True),
)


@app.command("list")
def list_rows(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="`name`: its quarantines. `name@version`: the rows of one.")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    output: Output = OutputFormat.TABLE,
) -> None:
    """What versions left out, with the reason."""
    quarantine = client_of(context).quarantine
    empty = f"Nothing of {plain(dataset)} is in quarantine."
    if split_ref(dataset)[1] is None:
        show_list(islice(quarantine.list(dataset), limit), _QUARANTINES, output=output, empty=empty)
    else:
        show_list(islice(quarantine.rows(dataset), limit), _ROWS, output=output, empty=empty)


@app.command("fix")
def fix(
    context: typer.Context,
    dataset: Reference,
    to: Annotated[Path | None, typer.Option(help="Default: <name>-<version>-quarantine.csv, here.")] = None,
) -> None:
    """Save the rows as a CSV file to be corrected in an editor or a spreadsheet."""
    name, number = split_ref(dataset)
    path = to or Path(f"{name}-{number}-quarantine.csv")
    num_rows = client_of(context).quarantine.save(dataset, path)
    say(f"Saved {num_rows:,} rows as {path}. Correct them, then: aimass quarantine replay {plain(dataset)} {path}")


@app.command("replay")
def replay(
    context: typer.Context,
    dataset: Reference,
    file: Annotated[Path, typer.Argument(help="A file of `aimass quarantine fix`, corrected.", exists=True)],
) -> None:
    """Append the corrected rows to the dataset. Each comes once, also if the command is repeated."""
    versions = client_of(context).quarantine.replay_file(dataset, file)
    if not versions:
        say(f"All rows of {file} have been replayed before.")
    for version in versions:
        left_out = f", {version.num_quarantined:,} of them in quarantine again" if version.num_quarantined else ""
        say(f"{plain(version.ref)} is READY with {version.num_rows:,} rows{left_out}.")


@app.command("discard")
def discard(
    context: typer.Context, dataset: Reference, yes: Annotated[bool, typer.Option("--yes", "-y")] = False
) -> None:
    """Delete the rows now."""
    if not yes:
        typer.confirm(f"Delete the rows that {dataset} left out?", abort=True, err=True)
    client_of(context).quarantine.discard(dataset)
    say(f"Discarded what {plain(dataset)} left out.")
