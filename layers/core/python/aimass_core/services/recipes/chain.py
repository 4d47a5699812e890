"""Row-wise steps strung together into one SELECT, so that one pass over the rows does all of them and counts for each.

Rows that leave are marked with the number of their step and go on to the end of the chain, where they are counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aimass_core.domain.recipe_steps import OnError
from aimass_core.domain.recipes import StepReport
from aimass_core.domain.schemas import ColumnType
from aimass_core.services.recipes.engine import Engine, Field
from aimass_core.services.recipes.expressions import literal

ROW, PART = "__row", "__part"
_GONE, _WHERE, _TEXT = "__gone", "__where", "__text"
_HIDDEN = (_GONE, _WHERE, _TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a step does to each row.

    Attributes:
        fields: the columns afterwards.
        cells: expressions of the row before, by the id of the column that they make.
        leaves: which rows are left out.
        faults: names of columns, and what tells that the step cannot use a row for them; the new cell of a column is
            `new_<id>` there.
        beside: a table to look up, as a JOIN.
        part: the index of the part of a split.
        num_rows_in: how many rows there were, where the step makes several of one.
    """

    fields: Sequence[Field]
    cells: Mapping[str, str] = field(default_factory=dict)
    leaves: str | None = None
    faults: Sequence[tuple[str, str]] = ()
    on_error: OnError = OnError.MISSING
    reason: str = ""
    beside: str = ""
    part: str | None = None
    num_rows_in: int | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A step in the chain."""

    number: int
    do: str
    summary: str
    change: Change
    counts_changes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where the rows lie that a chain has kept apart, and why, by the number of the step."""

    table: str
    reasons: Mapping[int, str]

    def select(self) -> str:
        """Number of the step, of the row, the column, and the row as JSON."""
        numbers = ", ".join(str(number) for number in self.reasons)
        return f"SELECT {_GONE}, {ROW}, {_WHERE}, {_TEXT} FROM {self.table} WHERE {_GONE} IN ({numbers}) ORDER BY {ROW}"


class Chain:
    """Begins at a SELECT of the fields' ids and `__row`."""

    def __init__(self, select: str, fields: Sequence[Field]) -> None:
        self.fields = list(fields)
        self.links: list[Link] = []
        self._select = select
        self._has_part = False
        self.has_hidden = False

    @property
    def select(self) -> str:
        """All rows, with the marks of those that leave."""
        return self._select

    def add(self, number: int, do: str, summary: str, change: Change) -> None:
        """One step more."""
        olds = {each.id for each in self.fields}
        overwritten = [column for column in change.cells if column in olds]
        link = Link(number=number, do=do, summary=summary, change=change, counts_changes=bool(overwritten))
        self._select = self._write(change, link, overwritten)
        self.has_hidden = True
        self._has_part = self._has_part or change.part is not None
        self.links.append(link)
        self.fields = list(change.fields)

    def _write(self, change: Change, link: Link, overwritten: Sequence[str]) -> str:
        inner = f"SELECT r.*{'' if self.has_hidden else _no_marks()} FROM ({self._select}) AS r"
        news = [f"{expression} AS new_{column}" for column, expression in change.cells.items()]
        if change.part is not None:
            news.append(f"{change.part} AS {PART}")
        if news or change.beside:
            columns = ["r.*", *(["b.*"] if change.beside else []), *news]
            inner = f"SELECT {', '.join(columns)} FROM ({inner}) AS r {change.beside}"
        if change.faults:
            cases = " ".join(f"WHEN {predicate} THEN {literal(name)}" for name, predicate in change.faults)
            inner = f"SELECT f.*, CASE {cases} END AS __fault FROM ({inner}) AS f"
        columns = [f"new_{each.id} AS {each.id}" if each.id in change.cells else each.id for each in change.fields] + [
            ROW
        ]
        columns += [f"__c{before.number}" for before in self.links if before.counts_changes]
        columns += [f"__f{before.number}" for before in self.links if before.change.faults]
        if self._has_part or change.part is not None:
            columns.append(PART)
        if link.counts_changes:
            types = {each.id: each.type for each in change.fields}
            before = {each.id: each.type for each in self.fields}
            differs = " OR ".join(_differs(column, before[column], types[column]) for column in overwritten)
            columns.append(f"({differs}) AS __c{link.number}")
        if change.faults:
            columns.append(f"(__fault IS NOT NULL) AS __f{link.number}")
        columns += self._marks(change, link)
        return f"SELECT {', '.join(columns)} FROM ({inner}) AS s"

    def _marks(self, change: Change, link: Link) -> list[str]:
        is_gone = change.leaves
        if change.faults and change.on_error is not OnError.MISSING:
            is_gone = "__fault IS NOT NULL"
        if is_gone is None:
            return list(_HIDDEN)
        leaves = f"{_GONE} IS NULL AND ({is_gone})"
        marks = [f"CASE WHEN {leaves} THEN {link.number} ELSE {_GONE} END AS {_GONE}"]
        if change.on_error in (OnError.QUARANTINE, OnError.STOP):
            where = "__fault" if change.faults else "NULL"
            shown = ", ".join(f"{literal(each.name)}: {_shown(each)}" for each in self.fields if not _is_image(each))
            marks.append(f"CASE WHEN {leaves} THEN {where} ELSE {_WHERE} END AS {_WHERE}")
            marks.append(f"CASE WHEN {leaves} THEN CAST(to_json({{{shown}}}) AS VARCHAR) ELSE {_TEXT} END AS {_TEXT}")
            return marks
        return [*marks, _WHERE, _TEXT]

    def count(self, engine: Engine, table: str) -> list[StepReport]:
        """What each step did, counted in the table that was made of the chain."""
        counts = []
        for link in self.links:
            stays = f"({_GONE} IS NULL OR {_GONE} > {link.number})"
            counts += [
                f"count(*) FILTER (WHERE {_GONE} IS NULL OR {_GONE} >= {link.number})",
                f"count(*) FILTER (WHERE {stays})",
                f"count(*) FILTER (WHERE {stays} AND __c{link.number})" if link.counts_changes else "0",
                f"count(*) FILTER (WHERE {stays} AND __f{link.number})" if link.change.faults else "0",
            ]
        found = engine.fetch(f"SELECT {', '.join(counts)} FROM {table}")[0]
        reports = []
        for index, link in enumerate(self.links):
            num_in, num_out, num_changed, num_missing = (int(each) for each in found[4 * index : 4 * index + 4])
            notes = list(link.change.notes)
            if num_missing:
                notes.append(f"{num_missing:,} rows have a cell that could not be used and is missing now.")
            is_kept = link.change.on_error in (OnError.QUARANTINE, OnError.STOP)
            reports.append(
                StepReport(
                    number=link.number,
                    do=link.do,
                    summary=link.summary,
                    num_rows_in=num_in if link.change.num_rows_in is None else link.change.num_rows_in,
                    num_rows_out=num_out,
                    num_rows_changed=num_changed,
                    num_quarantined=num_in - num_out if is_kept else 0,
                    notes=notes,
                )
            )
        return reports

    def kept(self, table: str, *, on_error: OnError) -> Kept | None:
        """The rows that were kept apart, or that stop the job."""
        reasons = {link.number: link.change.reason for link in self.links if link.change.on_error is on_error}
        return Kept(table=table, reasons=reasons) if reasons else None

    def remaining(self, table: str) -> str:
        """The rows that have stayed, in the table that was made of the chain."""
        columns = [each.id for each in self.fields] + [ROW] + ([PART] if self._has_part else [])
        return f"SELECT {', '.join(columns)} FROM {table} WHERE {_GONE} IS NULL"


def _is_image(column: Field) -> bool:
    return column.type is ColumnType.IMAGE


def _shown(column: Field) -> str:
    """As JSON has it: engines differ in how they write times there."""
    return f"CAST({column.id} AS VARCHAR)" if column.type is ColumnType.DATETIME else column.id


def _differs(column: str, before: ColumnType, after: ColumnType) -> str:
    """Of another type, a cell has changed where it is written in another way."""
    if before is after or {before, after} == {ColumnType.INTEGER, ColumnType.NUMBER}:
        return f"{column} IS DISTINCT FROM new_{column}"
    return f"CAST({column} AS VARCHAR) IS DISTINCT FROM CAST(new_{column} AS VARCHAR)"


def _no_marks() -> str:
    return f", CAST(NULL AS INTEGER) AS {_GONE}, CAST(NULL AS VARCHAR) AS {_WHERE}, CAST(NULL AS VARCHAR) AS {_TEXT}"
