"""Expectations that a version's profile suggests: what holds now, with room for what changes anyway."""

import math
from collections.abc import Iterator

from aimass_core.domain.quality import (
    AnyExpectation,
    ColumnsExpected,
    DriftExpected,
    ExpectationSet,
    FreshnessExpected,
    LabelBalanceExpected,
    MissingExpected,
    RangeExpected,
    RowCountExpected,
    Severity,
    TypeExpected,
    UniqueExpected,
    ValuesExpected,
)
from aimass_core.domain.schemas import ColumnProfile, ColumnType, Profile, Schema

_MAX_COLUMNS = 25
_MAX_VALUES = 10
_MAX_NAMES = 200
_NUMBERS = (ColumnType.INTEGER, ColumnType.NUMBER)
_DAY = 86_400.0


def suggest(schema: Schema, profile: Profile, *, age_seconds: dict[str, float]) -> ExpectationSet:
    """What to begin with. Only what a mistake in the file breaks is blocking: types, a key, a target without labels.

    Args:
        age_seconds: by column of times, how old the newest was when the version was made.
    """
    columns = sorted(profile.columns, key=lambda column: column.name != schema.target)[:_MAX_COLUMNS]
    found: list[AnyExpectation] = [RowCountExpected(check="row_count", min=1, max_change=0.5)]
    if len(profile.columns) <= _MAX_NAMES:
        found.append(ColumnsExpected(check="columns", names=[column.name for column in profile.columns]))
    for column in columns:
        found += _of_column(column, profile.num_rows, is_target=column.name == schema.target)
    keys = [column for column in columns if is_key(column, profile.num_rows)]
    found += [UniqueExpected(check="unique", columns=[column.name], severity=Severity.BLOCKING) for column in keys[:1]]
    moving = [column.name for column in columns if _has_distribution(column, profile.num_rows) and column not in keys]
    if moving:
        found.append(DriftExpected(check="drift", columns=moving, max_psi=0.25))
    found += [
        FreshnessExpected(check="freshness", column=name, max_age_seconds=math.ceil(max(2 * age, _DAY) / _DAY) * _DAY)
        for name, age in list(age_seconds.items())[:1]
    ]
    found += _of_labels(schema, columns, profile.num_rows)
    return ExpectationSet(expectations=found)


def is_key(column: ColumnProfile, num_rows: int) -> bool:
    """Whether every row has a value of its own. (Above 10,000 the profile does not count them.)"""
    is_named = column.type in (ColumnType.INTEGER, ColumnType.STRING)
    return is_named and num_rows > 1 and column.num_missing == 0 and column.num_distinct == num_rows


def _of_column(column: ColumnProfile, num_rows: int, *, is_target: bool) -> Iterator[AnyExpectation]:
    yield TypeExpected(check="type", column=column.name, type=column.type, severity=Severity.BLOCKING)
    share = column.num_missing / num_rows if num_rows else 0.0
    if share < 1:
        room = 0.0 if share == 0 and (is_target or num_rows > 100) else min(1.0, round(1.5 * share + 0.01, 2))
        severity = Severity.BLOCKING if is_target else Severity.WARNING
        yield MissingExpected(check="missing", column=column.name, max_share=room, severity=severity)
    if column.type in _NUMBERS and isinstance(column.min, int | float) and isinstance(column.max, int | float):
        if not is_key(column, num_rows):
            low, high = _widen(float(column.min), float(column.max), is_whole=column.type is ColumnType.INTEGER)
            yield RangeExpected(check="range", column=column.name, min=low, max=high)
    elif column.type is ColumnType.STRING and 0 < (column.num_distinct or 0) <= min(_MAX_VALUES, num_rows / 2):
        allowed = [top.value for top in column.top_values]
        yield ValuesExpected(check="values", column=column.name, allowed=allowed)


def _widen(low: float, high: float, *, is_whole: bool) -> tuple[float | None, float | None]:
    """A tenth of the width more on both sides, but what is never negative stays so, and shares stay below one."""
    room = (high - low) / 10
    if not math.isfinite(room):
        return low, high
    wider = [low - room, high + room]
    if low >= 0:
        wider[0] = max(wider[0], 0.0)
    if low >= 0 and high <= 1:
        wider[1] = max(min(wider[1], 1.0), high)
    if is_whole:
        return math.floor(wider[0]), math.ceil(wider[1])
    return float(f"{wider[0]:.6g}"), float(f"{wider[1]:.6g}")


def _has_distribution(column: ColumnProfile, num_rows: int) -> bool:
    if column.type in (ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.BOOLEAN):
        return column.num_missing < num_rows
    return column.type is ColumnType.STRING and 0 < (column.num_distinct or 0) <= num_rows / 2


def _of_labels(schema: Schema, columns: list[ColumnProfile], num_rows: int) -> Iterator[AnyExpectation]:
    target = next((column for column in columns if column.name == schema.target), None)
    is_class = target is not None and target.type in (ColumnType.STRING, ColumnType.BOOLEAN)
    if target is None or not is_class or not 1 < (target.num_distinct or 0) <= len(target.top_values):
        return
    rarest = min(top.count for top in target.top_values) / max(num_rows - target.num_missing, 1)
    yield LabelBalanceExpected(check="label_balance", min_share=float(f"{rarest / 2:.2g}"))
