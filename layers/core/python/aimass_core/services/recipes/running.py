"""A recipe from its source to its parts: row-wise steps in chains, and the other steps between them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from aimass_core.domain import recipe_steps as steps
from aimass_core.domain.datasets import QuarantinedRow
from aimass_core.domain.recipe_steps import AnyStep, OnError
from aimass_core.domain.recipes import DATA_CHANNEL, Recipe, StepReport, join_channel
from aimass_core.errors import ErrorDetail, InvalidDataError, InvalidRequestError
from aimass_core.services.recipes import cells, near, wholes
from aimass_core.services.recipes.chain import PART, ROW, Chain, Change, Kept
from aimass_core.services.recipes.engine import Engine, EngineError, Field, Source
from aimass_core.services.recipes.summaries import summarize
from aimass_core.services.recipes.wholes import Names, Place

OnStep = Callable[[int, str], None]
_MAX_REASON = 500
_WHOLES = (steps.Dedupe, steps.DedupeNear, steps.Outliers, steps.Impute, steps.Join, steps.Sample, steps.Split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What came of a recipe; the rows lie in the engine."""

    engine: Engine
    table: str
    fields: Sequence[Field]
    num_rows_in: int
    reports: Sequence[StepReport]
    kept: Sequence[Kept]
    parts: Sequence[str]

    def count(self, part: str = "") -> int:
        """Rows of a part; without a name, of all."""
        return int(self.engine.fetch(f"SELECT count(*) FROM {self.table}{self._where(part)}")[0][0])

    def select(self, part: str = "") -> str:
        """The columns' ids, in the order in which the rows came."""
        ids = ", ".join(each.id for each in self.fields)
        return f"SELECT {ids} FROM {self.table}{self._where(part)} ORDER BY {ROW}"

    def export(self, folder: str, part: str = "") -> None:
        """Parquet files `part*.parquet`, in order by their names."""
        self.engine.export(self.select(part), self.fields, folder)

    def quarantined(self, label: str) -> Iterator[QuarantinedRow]:
        """The rows that were kept apart, step by step."""
        for kept in self.kept:
            for number, row, column, text in self.engine.stream(kept.select()):
                reason = f"Step {number}: {kept.reasons[number]}"[:_MAX_REASON]
                yield QuarantinedRow(file=label, line=int(row) + 1, column=column, reason=reason, text=text)

    def _where(self, part: str) -> str:
        return f" WHERE {PART} = {list(self.parts).index(part)}" if part else ""


def run(
    recipe: Recipe, engine: Engine, sources: Mapping[str, Source], *, on_step: OnStep = lambda _number, _do: None
) -> Prepared:
    """Carries all steps out.

    Args:
        sources: `data`, and what is joined.

    Raises:
        InvalidRequestError, InvalidDataError: a step does not fit the data, with its number.
    """
    source = sources[DATA_CHANNEL]
    names = Names()
    fields = [Field(name=column.name, type=column.type, id=names.column()) for column in source.schema.columns]
    running = _Running(
        engine, sources, names, Chain(engine.scan(source, [each.id for each in fields], row=ROW), fields)
    )
    num_rows_in = int(engine.fetch(f"SELECT count(*) FROM ({running.chain.select}) AS r")[0][0])
    for number, step in enumerate(recipe.steps, start=1):
        on_step(number, step.do)
        with _located(number, step, running.chain):
            running.apply(number, step)
    on_step(len(recipe.steps) + 1, "write")
    with _located(len(recipe.steps), recipe.steps[-1], running.chain):
        table = running.flush(is_last=True)
    return Prepared(
        engine=engine,
        table=table,
        fields=running.chain.fields,
        num_rows_in=num_rows_in,
        reports=running.reports,
        kept=running.kept,
        parts=recipe.parts,
    )


class _Running:
    def __init__(self, engine: Engine, sources: Mapping[str, Source], names: Names, chain: Chain) -> None:
        self.engine, self.sources, self.names, self.chain = engine, sources, names, chain
        self.reports: list[StepReport] = []
        self.kept: list[Kept] = []
        self._table: str | None = None

    def apply(self, number: int, step: AnyStep) -> None:
        if isinstance(step, _WHOLES) and self.chain.links:
            self.flush()
        change = self._change(number, step)
        self.chain.add(number, step.do, summarize(step), change)
        if isinstance(step, steps.Join) and step.many:
            self._renumber()

    def flush(self, *, is_last: bool = False) -> str:
        """Ends the chain in a table, and begins another."""
        if not self.chain.links and self._table is not None:
            return self._table
        table, former = self.names.table(), self._table
        self.engine.create(table, self.chain.select)
        self._settle(table)
        self.chain = Chain(self.chain.remaining(table), self.chain.fields)
        self._table = table
        if former is not None and all(kept.table != former for kept in self.kept):
            self.engine.drop(former)
        if not is_last:
            return table
        view = self.names.table()
        self.engine.view(view, self.chain.select)
        return view

    def _settle(self, table: str) -> None:
        stopping = self.chain.kept(table, on_error=OnError.STOP)
        if stopping is not None:
            _stop(self.engine, stopping)
        self.reports += self.chain.count(self.engine, table)
        kept = self.chain.kept(table, on_error=OnError.QUARANTINE)
        if kept is not None:
            self.kept.append(kept)

    def _renumber(self) -> None:
        """Where a row has become several, each gets a number of its own."""
        self.flush()
        table = self.names.table()
        columns = ", ".join(each.id for each in self.chain.fields)
        order = ", ".join([ROW, *(each.id for each in self.chain.fields)])
        numbered = f"CAST(row_number() OVER (ORDER BY {order}) - 1 AS BIGINT) AS {ROW}"
        self.engine.create(table, f"SELECT {columns}, {numbered} FROM ({self.chain.select}) AS r")
        self.chain = Chain(f"SELECT {columns}, {ROW} FROM {table}", self.chain.fields)
        self._table = table

    def _change(self, number: int, step: AnyStep) -> Change:  # noqa: C901, PLR0911, PLR0912 - one line for each step
        fields, engine = self.chain.fields, self.engine
        place = Place(engine=engine, select=self.chain.select, fields=fields, names=self.names)
        match step:
            case steps.Trim():
                return cells.trim(step, fields)
            case steps.Text():
                return cells.text(step, fields, engine)
            case steps.Parse():
                return cells.parse(step, fields)
            case steps.Cast():
                return cells.cast(step, fields)
            case steps.Units():
                return cells.units(step, fields)
            case steps.Rename():
                return cells.rename(step, fields)
            case steps.Drop():
                return cells.drop(step, fields)
            case steps.Filter():
                return cells.filter_(step, fields, engine, self.chain.select)
            case steps.Derive():
                return cells.derive(step, fields, engine, self.chain.select, self.names.column)
            case steps.Images():
                return cells.images(step, fields, engine)
            case steps.Dedupe():
                return wholes.dedupe(step, place)
            case steps.DedupeNear():
                return near.dedupe_near(step, place)
            case steps.Outliers():
                return wholes.outliers(step, place)
            case steps.Impute():
                return wholes.impute(step, place)
            case steps.Join():
                return wholes.join(step, place, self.sources[join_channel(number - 1)])
            case steps.Sample():
                return wholes.sample(step, place)
            case steps.Split():
                return wholes.split(step, place)


@contextmanager
def _located(number: int, step: AnyStep, chain: Chain) -> Iterator[None]:
    """Says of every error which step it is of, and of which columns."""
    try:
        yield
    except InvalidRequestError as error:
        raise _of_step(type(error), number, step, error.message) from error
    except EngineError as error:
        raise _of_step(InvalidDataError, number, step, _named(str(error), chain.fields)) from error


def _of_step(kind: type[InvalidRequestError], number: int, step: AnyStep, words: str) -> InvalidRequestError:
    details = [ErrorDetail(location=f"body.spec.recipe.steps[{number - 1}]", message=words)]
    return kind(f"Step {number} ({step.do}): {words}", details=details)


def _named(words: str, fields: Sequence[Field]) -> str:
    """With names in place of ids."""
    names = {each.id: each.name for each in fields}
    return re.sub(r"\b(?:new_)?(c[0-9]+)\b", lambda found: repr(names.get(found[1], found[1])), words)


def _stop(engine: Engine, stopping: Kept) -> None:
    found = engine.fetch(f"SELECT count(*) OVER (), * FROM ({stopping.select()}) AS s LIMIT 1")
    if found:
        num, number, row, column, text = found[0]
        where = f", column {column!r}" if column else ""
        raise InvalidDataError(
            f"step {number} stops at {num:,} rows, such as row {int(row) + 1}{where}: {stopping.reasons[number]} "
            f"{str(text)[:300]}"
        )
