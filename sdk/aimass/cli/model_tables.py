"""What compress, fuse, decompose, prepare and predict jobs leave, as tables."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from aimass.cli.batch_predictions import show_predictions
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
from aimass_core.domain.decomposition import DecomposedWhole, Decomposition
from aimass_core.domain.fusion import FusedMember, Fusion
from aimass_core.domain.jobs import JobKind
from aimass_core.domain.metrics import LOWER_IS_BETTER
from aimass_core.domain.model_jobs import Score

_COSTS = (
    Column("P50 MS", lambda row: row.cost.latency_p50_ms, is_number=True),
    Column("P95 MS", lambda row: row.cost.latency_p95_ms, is_number=True),
    Column("SIZE", lambda row: format_bytes(row.cost.model_bytes), is_number=True),
    Column("MEMORY", lambda row: format_bytes(row.cost.memory_bytes), is_number=True),
    Column(
        "COLD MS",
        lambda row: None if row.cost.cold_start_ms is None else round(row.cost.cold_start_ms),
        is_number=True,
    ),
)
_CHOSEN = Column("CHOSEN", lambda row: "yes" if row.is_chosen else "")
_MISSED = Column("MISSED", lambda row: "; ".join(row.missed), is_long=True)
# Characters that a column of texts needs to be readable, lines that a text may take, and characters between columns.
_MIN_TEXT, _MAX_LINES, _GAP = 20, 2, 3
_DROP_DIGITS = 4
# What fits a screen: rows of a table, methods that were left out, names of these, characters of a reason.
_MAX_ROWS, _MAX_LEFT_OUT, _MAX_NAMES, _MAX_REASON = 15, 6, 3, 110


def has_table(job: Job) -> bool:
    """Whether such a job leaves a table."""
    return job.kind in DOCUMENTS or job.kind in (JobKind.PREPARE, JobKind.PREDICT)


def show_table(job: Job, *, output: OutputFormat) -> None:
    """The table of a job, of an autotrain job those of what it might have ended in; as JSON and YAML the whole
    document. Raises NotFoundError where it has left none."""
    kinds = job.tables() if job.kind is JobKind.AUTOTRAIN else []
    for kind in kinds or [job.kind]:
        if kind is JobKind.PREPARE:
            show_preparation(job.preparation(), output)
        elif kind is JobKind.PREDICT:
            show_predictions(job.predictions(), output)
        elif kind is JobKind.FUSE:
            _show_fusion(job, job.fusion(), output)
        elif kind is JobKind.DECOMPOSE:
            _show_decomposition(job, job.decomposition(), output)
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
        rows = _pick(rows, [row.is_chosen or not row.steps for row in rows])
    columns = (
        Column("CANDIDATE", lambda row: row.name, is_long=True),
        _score_column([row.score for row in rows]),
        Column(
            "DROP",
            # Of a drop that is none no sign is left.
            lambda row: round(row.metric_drop, _DROP_DIGITS) + 0.0 if output is OutputFormat.TABLE else row.metric_drop,
            is_number=True,
        ),
        *_COSTS,
        *(() if output is OutputFormat.TABLE else (Column("PARETO", lambda row: "yes" if row.is_pareto else ""),)),
        _CHOSEN,
        _MISSED,
    )
    _show(rows, columns, output)
    if output is not OutputFormat.TABLE:
        return
    _say_gain(found.candidates)
    if beaten := len(found.candidates) - len(worth):
        say(f"[dim]... and {beaten} that others beat in everything: aimass jobs table {job.id} -o csv[/]")
    _say_left_out(job, len(worth) - len(rows))
    _say_reasons(job, "Not applied", [(str(unfit.method), unfit.reason) for unfit in found.unfit])


def _say_gain(rows: Sequence[CompressionCandidate] | Sequence[DecomposedWhole], *, is_counted: bool = False) -> None:
    """Of the chosen one, beside the first; with its operations where these are what it is chosen for."""
    before = rows[0]
    for chosen in (row for row in rows if row.is_chosen):
        size = _compare(before.cost.model_bytes, chosen.cost.model_bytes, words=("smaller", "larger"))
        speed = _compare(before.cost.latency_p50_ms, chosen.cost.latency_p50_ms, words=("faster", "slower"))
        gains = [size, speed]
        if is_counted and before.cost.num_operations and chosen.cost.num_operations:
            words = ("fewer operations", "more operations")
            gains.insert(0, _compare(before.cost.num_operations, chosen.cost.num_operations, words=words))
        scores = f"{format_value(before.score.value)} to {format_value(chosen.score.value)}"
        say(f"Chosen: {', '.join(gains)}, {plain(chosen.score.metric.replace('_', ' '))} from {scores}.")


def _compare(before: float, after: float, *, words: tuple[str, str]) -> str:
    less, more = words
    return f"{before / after:.1f}x {less}" if after <= before else f"{after / before:.1f}x {more}"


def _show_fusion(job: Job, found: Fusion, output: OutputFormat) -> None:
    if _show_whole(found, output):
        return
    members = list(found.members)
    if output is OutputFormat.TABLE:
        heaviest = sorted(members, key=lambda row: (row.name != found.best_member, -(row.weight or 0)))[:_MAX_ROWS]
        members = [row for row in members if row in heaviest]
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
    _say_left_out(job, len(found.members) - sum(bool(row.algorithm) for row in members))
    why_not = Column("WHY NOT", lambda row: row.reason or "", is_long=True)
    method = Column("METHOD", lambda row: str(row.method))
    _show(found.methods, (method, score, *_of_probabilities(found), _CHOSEN, why_not), output)
    judged = ", which judge it in turns" if found.is_cross_fitted else ""
    say(f"[dim]Fitted on {found.num_fit_rows:,} rows that no member was trained on{judged}.[/]")


def _of_probabilities(found: Fusion) -> tuple[Column, ...]:
    """What decides between methods that are alike by another metric."""
    name = "log_loss"
    if found.members[0].score.metric == name:
        return ()
    return (Column("LOG LOSS", lambda row: row.score and row.score.metrics.get(name), is_number=True),)


def _show_decomposition(job: Job, found: Decomposition, output: OutputFormat) -> None:
    """As a table the best wholes, with the single model before; and the experts that answer the most rows."""
    if _show_whole(found, output):
        return
    all_wholes, all_experts = found.wholes, found.experts
    if output is OutputFormat.TABLE:
        found = _shorten_decomposition(found)
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
    _say_gain(found.wholes, is_counted=True)
    _say_left_out(job, len(all_wholes) - len(found.wholes))
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
    _say_left_out(job, len(all_experts) - len(found.experts))
    by_reason: dict[str, list[str]] = {}
    for name, reason in found.unfit.items():
        by_reason.setdefault(reason, []).append(name)
    alike = [(_name_some(names), reason) for reason, names in by_reason.items()]
    _say_reasons(job, "Not tried", alike)


def _name_some(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _shorten_decomposition(found: Decomposition) -> Decomposition:
    first, *others = found.wholes
    is_lower_better = first.score.metric in LOWER_IS_BETTER
    by_score = sorted(others, key=lambda row: row.score.value * (1 if is_lower_better else -1))
    best = sorted(by_score, key=lambda row: not row.is_chosen)[: _MAX_ROWS - 1]
    busiest = sorted(found.experts, key=lambda row: -row.share)[:_MAX_ROWS]
    return found.model_copy(
        update={
            "wholes": [first, *(row for row in others if row in best)],
            "experts": [row for row in found.experts if row in busiest],
        }
    )


def _pick(rows: Sequence[CompressionCandidate], is_needed: Sequence[bool]) -> list[CompressionCandidate]:
    """So many of those that are in order of their size that they fit a screen, from all sizes."""
    free = [place for place, needed in enumerate(is_needed) if not needed]
    room = max(_MAX_ROWS - sum(is_needed), 1)
    if len(free) > room:
        free = [free[round(step * (len(free) - 1) / max(room - 1, 1))] for step in range(room)]
    return [row for place, row in enumerate(rows) if is_needed[place] or place in free]


def _say_left_out(job: Job, count: int) -> None:
    if count:
        say(f"[dim]... and {count} more: aimass jobs table {job.id} -o json[/]")


def _say_reasons(job: Job, label: str, reasons: Sequence[tuple[str, str]]) -> None:
    """The first one of each method, in one line; where that is not all, where the rest is."""
    by_name: dict[str, list[str]] = {}
    for name, reason in reasons:
        by_name.setdefault(name, []).append(" ".join(reason.split()))
    for name, found in list(by_name.items())[:_MAX_LEFT_OUT]:
        short = found[0] if len(found[0]) <= _MAX_REASON else f"{found[0][: _MAX_REASON - 1]}…"
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        say(f"[dim]{label}: {plain(name)}: {plain(short)}{more}[/]")
    shown = [found[0] for found in by_name.values()][:_MAX_LEFT_OUT]
    if len(reasons) > len(shown) or any(len(reason) > _MAX_REASON for reason in shown):
        say(f"[dim]All {len(reasons)} reasons: aimass jobs table {job.id} -o json[/]")


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
    needed = [max(_width(column, rows) // _MAX_LINES, _MIN_TEXT) for column in texts]
    if sum(_width(column, rows) for column in figures) + sum(needed) <= stdout_width():
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
