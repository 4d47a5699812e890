"""What compress, fuse, decompose and prepare jobs leave, as tables."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from aimass.cli.output import (
    Column,
    OutputFormat,
    format_bytes,
    format_value,
    plain,
    say,
    show_list,
    show_one,
    stdout_width,
)
from aimass.cli.recipe_tables import show_preparation
from aimass.resources.jobs import DOCUMENTS, Job
from aimass_core.domain.compression import Compression, CompressionCandidate
from aimass_core.domain.decomposition import Decomposition
from aimass_core.domain.fusion import FusedMember, Fusion
from aimass_core.domain.jobs import JobKind
from aimass_core.domain.model_jobs import Score

_COSTS = (
    Column("P50 MS", lambda row: row.cost.latency_p50_ms, is_number=True),
    Column("P95 MS", lambda row: row.cost.latency_p95_ms, is_number=True),
    Column("SIZE", lambda row: format_bytes(row.cost.model_bytes), is_number=True),
    Column("MEMORY", lambda row: format_bytes(row.cost.memory_bytes), is_number=True),
    Column("COLD MS", lambda row: row.cost.cold_start_ms, is_number=True),
)
_CHOSEN = Column("CHOSEN", lambda row: "yes" if row.is_chosen else "")
_MISSED = Column("MISSED", lambda row: "; ".join(row.missed), is_long=True)
# Characters that a column of texts needs to be readable, and those between columns.
_MIN_TEXT, _GAP = 20, 3


def has_table(job: Job) -> bool:
    """Whether such a job leaves a table."""
    return job.kind in DOCUMENTS or job.kind is JobKind.PREPARE


def show_table(job: Job, *, output: OutputFormat) -> None:
    """The table of a job; as JSON and YAML the whole document. Raises NotFoundError where it has left none."""
    if job.kind is JobKind.PREPARE:
        show_preparation(job.preparation(), output)
    elif job.kind is JobKind.FUSE:
        _show_fusion(job.fusion(), output)
    elif job.kind is JobKind.DECOMPOSE:
        _show_decomposition(job.decomposition(), output)
    else:
        _show_compression(job, job.compression(), output)


def _show_compression(job: Job, found: Compression, output: OutputFormat) -> None:
    """As a table what nothing else beats in everything, from large to small, with the original before."""
    if _show_whole(found, output):
        return
    rows: Sequence[CompressionCandidate] = found.candidates
    if output is OutputFormat.TABLE:
        worth = [row for row in rows if row.is_pareto or row.is_chosen or not row.steps]
        rows = sorted(worth, key=lambda row: (bool(row.steps), -row.cost.model_bytes))
    columns = (
        Column("CANDIDATE", lambda row: row.name, is_long=True),
        _score_column([row.score for row in rows]),
        Column("DROP", lambda row: row.metric_drop, is_number=True),
        *_COSTS,
        *(() if output is OutputFormat.TABLE else (Column("PARETO", lambda row: "yes" if row.is_pareto else ""),)),
        _CHOSEN,
        _MISSED,
    )
    _show(rows, columns, output)
    if output is not OutputFormat.TABLE:
        return
    if left_out := len(found.candidates) - len(rows):
        say(f"[dim]... and {left_out} that others beat in everything: aimass jobs table {job.id} -o csv[/]")
    for unfit in found.unfit:
        say(f"[dim]Not applied: {unfit.method}: {plain(unfit.reason)}[/]")


def _show_fusion(found: Fusion, output: OutputFormat) -> None:
    if _show_whole(found, output):
        return
    members = list(found.members)
    if found.score is not None and found.cost is not None:
        name = f"fusion ({found.method}, {found.placement})"
        members.append(FusedMember(name=name, algorithm="", score=found.score, cost=found.cost))
    score = _score_column([row.score for row in members])
    columns = (
        Column("MEMBER", lambda row: f"{row.name} (best)" if row.name == found.best_member else row.name, is_long=True),
        Column("ALGORITHM", lambda row: row.algorithm),
        score,
        Column("WEIGHT", lambda row: row.weight, is_number=True),
        Column("CORRELATION", lambda row: row.correlation, is_number=True),
        *_COSTS,
    )
    _show(members, columns, output)
    if output is not OutputFormat.TABLE:
        return
    why_not = Column("WHY NOT", lambda row: row.reason or "", is_long=True)
    _show(found.methods, (Column("METHOD", lambda row: str(row.method)), score, _CHOSEN, why_not), output)
    judged = ", which judge it in turns" if found.is_cross_fitted else ""
    say(f"[dim]Fitted on {found.num_fit_rows:,} rows that no member was trained on{judged}.[/]")


def _show_decomposition(found: Decomposition, output: OutputFormat) -> None:
    if _show_whole(found, output):
        return
    wholes = (
        Column("WHOLE", lambda row: row.name, is_long=True),
        Column("EXPERTS", lambda row: row.num_experts, is_number=True),
        _score_column([row.score for row in found.wholes]),
        Column("OPERATIONS", lambda row: row.cost.num_operations, is_number=True),
        *_COSTS,
        _CHOSEN,
        _MISSED,
    )
    _show(found.wholes, wholes, output)
    if output is not OutputFormat.TABLE:
        return
    scores = [row.score for row in found.experts if row.score is not None]
    experts = (
        Column("EXPERT", lambda row: row.name),
        Column("FOR", lambda row: row.purpose, is_long=True),
        Column("ALGORITHM", lambda row: row.algorithm),
        Column("SHARE", lambda row: f"{row.share:.0%}", is_number=True),
        Column("TRAIN ROWS", lambda row: row.num_train_rows, is_number=True),
        _score_column(scores),
        Column("SINGLE THERE", lambda row: row.single_score and row.single_score.value, is_number=True),
        Column("SIZE", lambda row: format_bytes(row.model_bytes), is_number=True),
    )
    _show(found.experts, experts, output)
    for method, reason in found.unfit.items():
        say(f"[dim]Not tried: {plain(method)}: {plain(reason)}[/]")


def _show(rows: Sequence[BaseModel], columns: Sequence[Column], output: OutputFormat) -> None:
    """As a table without columns in which nothing stands; texts and figures apart where a terminal is too narrow."""
    if output is not OutputFormat.TABLE:
        show_list(rows, columns, output=output)
        return
    if not rows:
        return
    filled = [column for column in columns if any(column.read(row) not in (None, "", "-") for row in rows)]
    texts = [column for column in filled if column.is_long]
    figures = [column for column in filled if not column.is_long]
    if sum(_width(column, rows) for column in figures) + _MIN_TEXT * len(texts) <= stdout_width():
        show_list(rows, filled, output=output)
        return
    numbers = {id(row): number for number, row in enumerate(rows, start=1)}
    number = Column("#", lambda row: numbers[id(row)], is_number=True)
    show_list(rows, [number, *texts], output=output)
    show_list(rows, [number, *figures], output=output)


def _width(column: Column, rows: Sequence[BaseModel]) -> int:
    return _GAP + max(len(column.name), *(len(format_value(column.read(row))) for row in rows))


def _show_whole(found: Compression | Fusion | Decomposition, output: OutputFormat) -> bool:
    if output in (OutputFormat.TABLE, OutputFormat.CSV):
        return False
    show_one(found, {}, output=output)
    return True


def _score_column(scores: Sequence[Score]) -> Column:
    name = scores[0].metric.upper().replace("_", " ") if scores else "SCORE"
    return Column(name, _value, is_number=True)


def _value(row: Any) -> float | None:
    score: Score | None = row.score
    return None if score is None else score.value
