"""Checks that the profile of a version answers: types, missing values, row counts, freshness, balance of labels."""

import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from aimass_core.domain.quality import (
    Chart,
    ColumnsExpected,
    FreshnessExpected,
    LabelBalanceExpected,
    MissingExpected,
    RowCountExpected,
    TypeExpected,
)
from aimass_core.domain.schemas import ColumnProfile, ColumnType
from aimass_core.services.quality.findings import MAX_EXAMPLES, Facts, Finding, missed, of_share, skipped

_CLOCK_SKEW = timedelta(days=1)


class OfFigures:
    """A check that needs no rows."""

    def __init__(self, judge: Callable[[Facts], Finding]) -> None:
        self._judge = judge

    def add(self, batch: pa.RecordBatch) -> None:
        """See Check."""

    def finish(self, facts: Facts, /) -> Finding:
        """See Check."""
        return self._judge(facts)


def judge_columns(expected: ColumnsExpected, facts: Facts) -> Finding:
    """Which columns have come and gone."""
    present = [column.name for column in facts.schema.columns]
    gone = [name for name in expected.names if name not in present]
    new = [] if expected.allows_more else [name for name in present if name not in expected.names]
    if not gone and not new:
        return Finding(is_met=True, message=f"There are the {len(present)} columns.", observed=0)
    changes = [f"{words}: {', '.join(names[:10])}" for words, names in (("missing", gone), ("new", new)) if names]
    words = "; ".join(changes)
    return Finding(
        is_met=False,
        message=f"The columns have changed. {words[0].upper()}{words[1:]}.",
        observed=len(gone) + len(new),
        limit=0,
        examples=[*gone, *new][:MAX_EXAMPLES],
    )


def judge_type(expected: TypeExpected, facts: Facts) -> Finding:
    """The column is there and has the type."""
    column = facts.schema.column(expected.column)
    if column is None:
        return missed(f"There is no column {expected.column!r}.")
    if column.type is not expected.type:
        return missed(f"The column is {column.type} instead of {expected.type}.")
    return Finding(is_met=True, message=f"The column is {column.type}.")


def judge_missing(expected: MissingExpected, facts: Facts) -> Finding:
    """The share of rows without a value."""
    column = _profile(facts, expected.column)
    if column is None:
        return missed(f"There is no column {expected.column!r}.")
    return of_share(column.num_missing, facts.profile.num_rows, expected.max_share, what="no value", verb="have")


def judge_row_count(expected: RowCountExpected, facts: Facts) -> Finding:
    """Rows of the whole version against the limits, those that it brings against what was brought before."""
    num_rows = facts.profile.num_rows
    if expected.min is not None and num_rows < expected.min:
        return _count(f"There are {num_rows:,} rows, fewer than {expected.min:,}.", num_rows, expected.min)
    if expected.max is not None and num_rows > expected.max:
        return _count(f"There are {num_rows:,} rows, more than {expected.max:,}.", num_rows, expected.max)
    if expected.max_change is None:
        return Finding(is_met=True, message=f"There are {num_rows:,} rows.", observed=num_rows)
    if not facts.former_counts:
        return skipped(f"There are {num_rows:,} rows, and no version before this one to compare with.")
    usual = statistics.median(facts.former_counts)
    change = abs(facts.num_fresh - usual) / max(usual, 1)
    return Finding(
        is_met=change <= expected.max_change,
        message=f"This version brings {facts.num_fresh:,} rows; the {len(facts.former_counts)} before it brought "
        f"{usual:,.0f} (median). That is {change:.0%} apart; allowed: {expected.max_change:.0%}.",
        observed=change,
        limit=expected.max_change,
    )


def judge_freshness(expected: FreshnessExpected, facts: Facts) -> Finding:
    """The age of the newest time. What lies a day ahead and more cannot be a clock that goes wrong."""
    column = _profile(facts, expected.column)
    if column is None:
        return missed(f"There is no column {expected.column!r}.")
    if column.type is not ColumnType.DATETIME:
        return missed(f"The column is {column.type} instead of {ColumnType.DATETIME}.")
    if column.max is None:
        return missed("The column has no value.")
    newest = datetime.fromisoformat(str(column.max))
    newest = newest if newest.tzinfo else newest.replace(tzinfo=UTC)
    if newest > facts.now + _CLOCK_SKEW:
        return missed(f"The newest time is {newest:%Y-%m-%d %H:%M}, which is in the future.")
    age = max((facts.now - newest).total_seconds(), 0.0)
    return Finding(
        is_met=age <= expected.max_age_seconds,
        message=f"The newest time is {newest:%Y-%m-%d %H:%M}, {_words(age)} ago; "
        f"allowed: {_words(expected.max_age_seconds)}.",
        observed=age,
        limit=expected.max_age_seconds,
    )


def judge_label_balance(expected: LabelBalanceExpected, facts: Facts) -> Finding:
    """The shares of the rarest and the commonest class."""
    name = expected.column or facts.schema.target
    if name is None:
        return missed("The dataset has no target. Name the column of the labels.")
    column = _profile(facts, name)
    if column is None:
        return missed(f"There is no column {name!r}.")
    num_values = facts.profile.num_rows - column.num_missing
    if column.type is ColumnType.NUMBER or not column.num_distinct or not num_values:
        return missed(f"The column {name!r} is {column.type} and has no classes that could be counted.")
    if column.num_distinct > len(column.top_values):
        return _balance_of_many(expected, column, num_values)
    shares = {top.value: top.count / num_values for top in column.top_values}
    rarest, commonest = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    is_met = shares[rarest] >= expected.min_share and shares[commonest] <= expected.max_share
    chart = Chart(title=f"Classes of {name}", labels=list(shares), now=list(shares.values()))
    return Finding(
        is_met=is_met,
        message=f"The rarest class, {rarest!r}, has {shares[rarest]:.2%} of the rows, the commonest, {commonest!r}, "
        f"{shares[commonest]:.2%}; allowed: {expected.min_share:.2%} to {expected.max_share:.2%}.",
        observed=shares[rarest],
        limit=expected.min_share,
        charts=[chart],
    )


def _balance_of_many(expected: LabelBalanceExpected, column: ColumnProfile, num_values: int) -> Finding:
    """The profile counts the commonest ones alone: the rarest has at most its even part of what they leave."""
    top = column.top_values
    left = num_values - sum(each.count for each in top)
    share = left / (int(column.num_distinct or 0) - len(top)) / num_values
    commonest = top[0].count / num_values
    chart = Chart(
        title=f"Classes of {column.name}", labels=[each.value for each in top], now=[c.count / num_values for c in top]
    )
    return Finding(
        is_met=share >= expected.min_share and commonest <= expected.max_share,
        message=f"There are {column.num_distinct:,} classes. Those beyond the ten commonest have {share:.2%} of the "
        f"rows each on average, the commonest {commonest:.2%}; allowed: {expected.min_share:.2%} to "
        f"{expected.max_share:.2%}.",
        observed=share,
        limit=expected.min_share,
        charts=[chart],
    )


def _profile(facts: Facts, name: str) -> ColumnProfile | None:
    return next((column for column in facts.profile.columns if column.name == name), None)


def _count(message: str, num_rows: int, limit: int) -> Finding:
    return Finding(is_met=False, message=message, observed=num_rows, limit=limit)


def _words(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
