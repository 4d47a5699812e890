"""The models of a study, best first."""

from aimass.cli.output import Column, OutputFormat, format_bytes, say, show_list
from aimass.resources.studies import Study
from aimass_core.errors import NotFoundError

_MAX_TABLE_ROWS = 15


def show_leaderboard(study: Study, *, output: OutputFormat) -> None:
    """The leaderboard, or where no job has left one, the best trial by now."""
    try:
        board = study.leaderboard()
    except NotFoundError:
        _show_best(study, output)
        return
    columns = (
        Column("RANK", lambda r: r.rank, is_number=True),
        Column("MODEL", lambda r: r.name),
        Column("ALGORITHM", lambda r: r.algorithm),
        Column(board.metric.upper().replace("_", " "), lambda r: r.score, is_number=True),
        Column("LATENCY MS", lambda r: r.latency_ms, is_number=True),
        Column("SIZE", lambda r: format_bytes(r.model_bytes), is_number=True),
        Column("SECONDS", lambda r: r.seconds, is_number=True),
        Column("CHOSEN", lambda r: "yes" if r.is_chosen else ""),
    )
    rows = board.rows[:_MAX_TABLE_ROWS] if output is OutputFormat.TABLE else board.rows
    show_list(rows, columns, output=output)
    if left_out := len(board.rows) - len(rows):
        say(f"[dim]... and {left_out} more: aimass studies leaderboard {study.name} -o csv[/]")


def metric_column(name: str) -> Column:
    """One metric of what has `metrics`."""
    return Column(name.upper().replace("_", " "), lambda item: item.metrics.get(name), is_number=True)


def _show_best(study: Study, output: OutputFormat) -> None:
    try:
        best = study.best
    except NotFoundError:
        say("No trial is complete yet.")
        return
    columns = [Column("BEST TRIAL", lambda b: b.trial, is_number=True)]
    columns += [metric_column(name) for name in best.metrics]
    show_list([best], columns, output=output)
