"""What a predict job made, as a table."""

from aimass.cli.output import Column, OutputFormat, say, show_list, show_one
from aimass_core.domain.batch_predictions import BatchPrediction

_ERRORS = (
    Column("ROW", lambda error: error.row, is_number=True),
    Column("WHY THERE IS NO ANSWER", lambda error: error.error, is_long=True),
)


def show_predictions(found: BatchPrediction, output: OutputFormat) -> None:
    """Which version was made, and the first rows without an answer; as JSON and YAML the whole document."""
    fields = {
        "model": found.model,
        "dataset": found.dataset,
        "output": found.output,
        "columns": ", ".join(found.columns),
        "rows": found.num_rows,
        "rows without an answer": found.num_errors,
    }
    show_one(found, fields, output=output)
    if output is not OutputFormat.TABLE:
        return
    if found.errors:
        show_list(found.errors, _ERRORS, output=output)
    say(f"Look at them: aimass datasets get {found.output}")
