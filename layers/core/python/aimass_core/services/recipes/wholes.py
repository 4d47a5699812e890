"""Steps that look at all rows before they change one: each asks the engine first, and is row-wise after that."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from aimass_core.domain.recipe_steps import (
    Dedupe,
    How,
    Impute,
    ImputeStrategy,
    Join,
    Keep,
    OnError,
    OutlierAction,
    OutlierMethod,
    Outliers,
    Sample,
    Split,
    SplitBy,
)
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidDataError
from aimass_core.services.recipes.chain import ROW, Change
from aimass_core.services.recipes.engine import Engine, Field, Source
from aimass_core.services.recipes.expressions import literal

_NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)
# More values than this are not sorted in memory: quantiles are then those of so many rows, evenly drawn.
_MAX_SORTED = 10_000_000
_DIGITS = 12


@dataclass(slots=True)
class Names:
    """Names for columns and tables that nobody else has."""

    _columns: "itertools.count[int]" = field(default_factory=itertools.count)
    _tables: "itertools.count[int]" = field(default_factory=itertools.count)

    def column(self) -> str:
        """For a column."""
        return f"c{next(self._columns)}"

    def table(self) -> str:
        """For a table."""
        return f"t{next(self._tables)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """All rows as they are before a step."""

    engine: Engine
    select: str
    fields: Sequence[Field]
    names: Names

    def ids(self, names: Sequence[str]) -> list[str]:
        """The columns' ids, in this order."""
        known = {each.name: each.id for each in self.fields}
        return [known[name] for name in names]

    def id(self, name: str) -> str:
        """The column's id."""
        return self.ids([name])[0]

    def numbers(self, names: Sequence[str] | None) -> list[Field]:
        """The number columns, or those that were named."""
        return [each for each in self.fields if (each.type in _NUMERIC if names is None else each.name in names)]

    def keep_rows(self, select: str, column: str) -> Change:
        """Only the rows whose number the SELECT finds."""
        table = self.names.table()
        self.engine.create(table, f"SELECT {column} AS __found FROM ({select}) AS k")
        return Change(
            fields=self.fields, leaves="__found IS NULL", beside=f"LEFT JOIN {table} AS b ON r.{ROW} = b.__found"
        )


def dedupe(step: Dedupe, place: Place) -> Change:
    """Of rows that are equal in the columns, the first or the last."""
    ids = place.ids(step.columns) if step.columns else [each.id for each in place.fields]
    chosen = "min" if step.keep is Keep.FIRST else "max"
    if step.order_by is None:
        select = f"SELECT {chosen}({ROW}) AS kept FROM ({place.select}) AS r GROUP BY {', '.join(ids)}"
    else:
        order = "" if step.keep is Keep.FIRST else "DESC"
        rank = (
            f"row_number() OVER (PARTITION BY {', '.join(ids)} "
            f"ORDER BY {place.id(step.order_by)} {order} NULLS LAST, {ROW} {order})"
        )
        select = f"SELECT kept FROM (SELECT {ROW} AS kept, {rank} AS n FROM ({place.select}) AS r) AS k WHERE n = 1"
    return place.keep_rows(select, "kept")


def sample(step: Sample, place: Place) -> Change:
    """By a hash of the row's number and the seed: the same rows on every engine."""
    draw = _draw(step.seed, ROW)
    if step.fraction is not None and not step.by:
        return Change(fields=place.fields, leaves=f"{draw} >= {_threshold(step.fraction)}")
    groups = f"PARTITION BY {', '.join(place.ids(step.by))} " if step.by else ""
    limit = f"n <= {step.num_rows}" if step.fraction is None else f"n <= ceil({step.fraction!r} * num)"
    ranked = (
        f"SELECT {ROW} AS kept, row_number() OVER ({groups}ORDER BY {draw}, {ROW}) AS n, "
        f"count(*) OVER ({groups.strip()}) AS num FROM ({place.select}) AS r"
    )
    if not step.by:
        ranked = f"SELECT {ROW} AS kept, 1 AS n FROM ({place.select}) AS r ORDER BY {draw}, {ROW} LIMIT {step.num_rows}"
        limit = "TRUE"
    return place.keep_rows(f"SELECT kept FROM ({ranked}) AS k WHERE {limit}", "kept")


def outliers(step: Outliers, place: Place) -> Change:
    """The bounds are in the notes."""
    cells, faults, notes = {}, [], []
    for each in place.numbers(step.columns):
        bounds = _bounds(step, place, each)
        if bounds is None:
            continue
        low, high = bounds
        notes.append(f"{each.name}: {low:.6g} to {high:.6g}")
        is_out = f"({each.id} < {low!r} OR {each.id} > {high!r})"
        if step.action is OutlierAction.MISSING:
            cells[each.id] = f"CASE WHEN NOT {is_out} THEN {each.id} END"
        elif step.action is OutlierAction.CLIP:
            cells[each.id] = _clip(each, low, high)
        else:
            faults.append((each.name, is_out))
    on_error = OnError.QUARANTINE if step.action is OutlierAction.QUARANTINE else OnError.DROP
    reason = f"The number is an outlier ({step.method}, {step.strength:g})."
    return Change(fields=place.fields, cells=cells, faults=faults, on_error=on_error, reason=reason, notes=notes)


def _clip(field_: Field, low: float, high: float) -> str:
    cell, least, most = field_.id, repr(low), repr(high)
    if field_.type is ColumnType.INTEGER:
        least, most = str(math.ceil(low)), str(math.floor(high))
    return f"CASE WHEN {cell} < {low!r} THEN {least} WHEN {cell} > {high!r} THEN {most} ELSE {cell} END"


def _bounds(step: Outliers, place: Place, field_: Field) -> tuple[float, float] | None:
    if step.method is OutlierMethod.ZSCORE:
        found = _ask(place, f"avg(CAST({field_.id} AS DOUBLE)), stddev_samp(CAST({field_.id} AS DOUBLE))")
        mean, deviation = found
        return None if not deviation else (mean - step.strength * deviation, mean + step.strength * deviation)
    shares = (0.25, 0.75) if step.method is OutlierMethod.IQR else (step.strength, 1 - step.strength)
    quantiles = _quantiles(place, field_.id, shares)
    if quantiles is None:
        return None
    low, high = quantiles
    width = step.strength * (high - low) if step.method is OutlierMethod.IQR else 0.0
    # NOTE: where more than half of the values are equal, all others would be outliers.
    return None if low == high else (low - width, high + width)


def impute(step: Impute, place: Place) -> Change:
    """The values are in the notes."""
    cells, notes, fields = {}, [], list(place.fields)
    for each in _imputable(step, place):
        value = _value(step, place, each)
        if value is None:
            notes.append(f"{each.name}: there is no value to take")
            continue
        shown = f"{value:.6g}" if isinstance(value, float) else str(value)
        notes.append(f"{each.name}: {shown[:100]}")
        cells[each.id] = f"coalesce({each.id}, {_as_literal(value, each)})"
        if step.indicator:
            made = Field(name=f"{each.name}_missing", type=ColumnType.BOOLEAN, id=place.names.column())
            cells[made.id] = f"({each.id} IS NULL)"
            fields.append(made)
    return Change(fields=fields, cells=cells, notes=notes)


def _imputable(step: Impute, place: Place) -> list[Field]:
    if step.strategy in (ImputeStrategy.MEAN, ImputeStrategy.MEDIAN):
        return place.numbers(step.columns)
    plain = (*_NUMERIC, ColumnType.STRING, ColumnType.BOOLEAN)
    return [
        each for each in place.fields if (each.type in plain if step.columns is None else each.name in step.columns)
    ]


def _value(step: Impute, place: Place, field_: Field) -> str | float | int | bool | None:
    found: str | float | int | bool | None
    match step.strategy:
        case ImputeStrategy.CONSTANT:
            found = step.value
        case ImputeStrategy.MEAN:
            found = _ask(place, f"avg(CAST({field_.id} AS DOUBLE))")[0]
        case ImputeStrategy.MEDIAN:
            quantiles = _quantiles(place, field_.id, (0.5,))
            found = None if quantiles is None else quantiles[0]
        case ImputeStrategy.MODE:
            rows = place.engine.fetch(
                f"SELECT {field_.id} FROM ({place.select}) AS r WHERE {field_.id} IS NOT NULL "
                f"GROUP BY {field_.id} ORDER BY count(*) DESC, {field_.id} LIMIT 1"
            )
            found = rows[0][0] if rows else None
    if found is not None and field_.type is ColumnType.INTEGER and not isinstance(found, str | bool):
        return round(found)
    return found


def _as_literal(value: str | float | int | bool, field_: Field) -> str:
    is_fitting = {
        ColumnType.STRING: isinstance(value, str),
        ColumnType.BOOLEAN: isinstance(value, bool),
        ColumnType.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        ColumnType.NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
    }
    if not is_fitting.get(field_.type, False):
        raise InvalidDataError(
            f"The value {value!r} does not fit the column {field_.name!r}, whose type is {field_.type}."
        )
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return literal(value)
    return f"CAST({value!r} AS {'BIGINT' if field_.type is ColumnType.INTEGER else 'DOUBLE'})"


def join(step: Join, place: Place, source: Source) -> Change:
    """A look-up of the other rows by their key. Raises InvalidDataError where a key comes twice."""
    ids = [place.names.column() for _ in source.schema.columns]
    of_name = {column.name: each for column, each in zip(source.schema.columns, ids, strict=True)}
    taken = step.columns or [column.name for column in source.schema.columns if column.name not in step.pairs.values()]
    theirs = [of_name[name] for name in step.pairs.values()]
    table = place.names.table()
    wanted = list(dict.fromkeys([*theirs, *(of_name[name] for name in taken)]))
    scanned = place.engine.scan(source, ids, row="__other")
    place.engine.create(table, f"SELECT {', '.join(wanted)}, __other FROM ({scanned}) AS o")
    if not step.many:
        _check_unique(place, table, theirs, step, source)
    on = " AND ".join(f"r.{place.id(ours)} = b.{of_name[key]}" for ours, key in step.pairs.items())
    types = {column.name: column.type for column in source.schema.columns}
    added = [Field(name=f"{step.prefix}{name}", type=types[name], id=of_name[name]) for name in taken]
    return Change(
        fields=[*place.fields, *added],
        beside=f"LEFT JOIN {table} AS b ON {on}",
        leaves="__other IS NULL" if step.how is How.INNER else None,
        num_rows_in=int(_ask(place, "count(*)")[0]) if step.many else None,
    )


def _check_unique(place: Place, table: str, ids: Sequence[str], step: Join, source: Source) -> None:
    keys = ", ".join(ids)
    given = " AND ".join(f"{each} IS NOT NULL" for each in ids)
    repeated = place.engine.fetch(
        f"SELECT {keys}, count(*) AS num FROM {table} WHERE {given} GROUP BY {keys} HAVING count(*) > 1 "
        f"ORDER BY num DESC, {keys} LIMIT 1"
    )
    if repeated:
        *key, num = repeated[0]
        words = ", ".join(f"{name} = {value!r}" for name, value in zip(step.pairs.values(), key, strict=True))
        raise InvalidDataError(
            f"{words} comes {num} times in {source.label}, so a row has several partners. Leave one of each by dedupe "
            "there, or say `many: true` to get a row for each."
        )


def split(step: Split, place: Place) -> Change:
    """The part of each row: its index."""
    bounds = list(itertools.accumulate(step.parts.values()))[:-1]
    column = None if step.column is None else place.id(step.column)
    match step.by:
        case SplitBy.RANDOM:
            part = _dealt(_draw(step.seed, ROW), [_threshold(bound) for bound in bounds])
            return Change(fields=place.fields, part=part)
        case SplitBy.GROUP:
            key = f"coalesce(CAST({column} AS VARCHAR), '')"
            return Change(
                fields=place.fields, part=_dealt(_draw(step.seed, key), [_threshold(bound) for bound in bounds])
            )
        case SplitBy.TIME:
            ranks = _ranks(place, f"ORDER BY {column} NULLS FIRST", number="rank()")
        case SplitBy.STRATUM:
            order = f"PARTITION BY {column} ORDER BY {_draw(step.seed, ROW)}, {ROW}"
            ranks = _ranks(place, order, number="row_number()")
    return Change(fields=place.fields, part=_dealt("__rank", [repr(bound) for bound in bounds]), beside=ranks)


def _ranks(place: Place, order: str, *, number: str) -> str:
    """Looks each row's rank up, from 0 to less than 1. By rank() equal times have the same, so none are parted."""
    table = place.names.table()
    partition = order.partition("ORDER BY")[0]
    place.engine.create(
        table,
        f"SELECT {ROW} AS __ranked, (CAST({number} OVER ({order}) AS DOUBLE) - 0.5) / count(*) OVER ({partition}) "
        f"AS __rank FROM ({place.select}) AS r",
    )
    return f"LEFT JOIN {table} AS b ON r.{ROW} = b.__ranked"


def _dealt(drawn: str, bounds: Sequence[str]) -> str:
    cases = " ".join(f"WHEN {drawn} < {bound} THEN {index}" for index, bound in enumerate(bounds))
    return f"CASE {cases} ELSE {len(bounds)} END"


def _draw(seed: int, key: str) -> str:
    """A text of hexadecimal digits, evenly distributed: compared as text, it is a number from 0 to 1."""
    return f"substring(md5('{seed}:' || CAST({key} AS VARCHAR)), 1, {_DIGITS})"


def _threshold(share: float) -> str:
    return f"'{min(round(share * 16**_DIGITS), 16**_DIGITS - 1):0{_DIGITS}x}'"


def _ask(place: Place, aggregates: str) -> tuple[float, ...]:
    return place.engine.fetch(f"SELECT {aggregates} FROM ({place.select}) AS r")[0]


def _quantiles(place: Place, column: str, shares: Sequence[float]) -> tuple[float, ...] | None:
    """None where there are no values."""
    num = int(_ask(place, f"count({column})")[0])
    if not num:
        return None
    where = ""
    if num > _MAX_SORTED:
        where = f" WHERE {_draw(0, ROW)} < {_threshold(_MAX_SORTED / num)}"
    wanted = ", ".join(f"quantile_cont(CAST({column} AS DOUBLE), {share!r})" for share in shares)
    return place.engine.fetch(f"SELECT {wanted} FROM ({place.select}) AS r{where}")[0]
