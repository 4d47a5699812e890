"""What recipes did, as tables."""

from aimass.cli.output import Column, OutputFormat, plain, say, show_list, show_one, write_csv
from aimass_core.domain.recipes import Preparation, Preview

_STEPS = (
    Column("STEP", lambda step: step.number, is_number=True),
    Column("DO", lambda step: step.do),
    Column("ROWS IN", lambda step: step.num_rows_in, is_number=True),
    Column("OUT", lambda step: step.num_rows_out, is_number=True),
    Column("CHANGED", lambda step: step.num_rows_changed, is_number=True),
    Column("QUARANTINED", lambda step: step.num_quarantined, is_number=True),
    Column("WHAT", lambda step: "; ".join(filter(None, [step.summary, *step.notes])), is_long=True),
)


def show_preview(found: Preview, output: OutputFormat) -> None:
    """The steps as a table and the first rows as CSV; as CSV the rows alone."""
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_one(found, {}, output=output)
        return
    if output is OutputFormat.TABLE:
        say(f"Tried on {found.num_sampled:,} of {found.num_rows:,} rows.")
        for note in found.notes:
            say(f"[yellow]Note:[/] {plain(note)}")
        show_list(found.steps, _STEPS, output=output)
        for part, num_rows in found.parts.items():
            say(f"{part}: {num_rows:,} rows")
    names = [column.name for column in found.columns]
    write_csv(names, ([row.get(name) for name in names] for row in found.rows))


def show_preparation(found: Preparation, output: OutputFormat) -> None:
    """What a prepare job did; as JSON and YAML the whole document."""
    if output in (OutputFormat.JSON, OutputFormat.YAML):
        show_one(found, {}, output=output)
        return
    show_list(found.steps, _STEPS, output=output)
    if output is OutputFormat.TABLE:
        for made in found.outputs:
            ref = f"{made.dataset_name}@{made.number}"
            say(f"Made {ref} ({made.num_rows:,} rows): aimass datasets get {ref}")
