"""What carries recipes out: an engine runs SELECTs in DuckDB's dialect, and keeps their results on disk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aimass_core.domain.schemas import ColumnType, Schema


class EngineError(Exception):
    """The engine refuses a query, or could not finish it; the message is for whoever wrote the recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A column on its way: what it is called, and under which name the SQL knows it."""

    name: str
    type: ColumnType
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Parquet files of one schema, in order: paths, or addresses where the engine reads from a lake."""

    label: str
    schema: Schema
    files: Sequence[Path | str]
    every: int = 1
    """Of so many rows one is read: a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarFunction:
    """A function of Python's that SQL calls by its name; it is not called with a missing value."""

    name: str
    call: Callable[[Any], Any]
    type: ColumnType

    def on_cell(self, cell: Any) -> Any:
        """Of a cell that may be missing."""
        return None if cell is None else self.call(cell)


BatchFunction = Callable[[Sequence[Any]], Sequence[Any]]
"""Columns (NumPy arrays) of some rows to columns of others."""


class Engine(Protocol):
    """One recipe's workplace. Every method raises EngineError."""

    @property
    def name(self) -> str:
        """As it is reported."""

    def scan(self, source: Source, ids: Sequence[str], *, row: str) -> str:
        """A SELECT of a source: its columns by `ids`, and by `row` each row's number, from 0 on."""

    def create(self, table: str, select: str) -> None:
        """A table of what a SELECT finds."""

    def view(self, name: str, select: str) -> None:
        """The same without a table of its own."""

    def map(self, table: str, select: str, function: BatchFunction, columns: Sequence[str]) -> None:
        """A table of integers that a function makes of the rows of a SELECT, some thousands at a time."""

    def load(self, table: str, column: str, values: Any) -> None:
        """A table of one column of integers."""

    def drop(self, table: str) -> None:
        """Frees a table's disk."""

    def fetch(self, select: str) -> list[tuple[Any, ...]]:
        """A few rows."""

    def stream(self, select: str) -> Iterator[tuple[Any, ...]]:
        """Many rows, one after the other."""

    def describe(self, select: str) -> list[str]:
        """The engine's names of the types of a SELECT's columns."""

    def register(self, function: ScalarFunction) -> None:
        """Makes a function known."""

    def export(self, select: str, fields: Sequence[Field], folder: str) -> None:
        """Parquet files `part*.parquet` of a SELECT of the fields' ids, under the fields' names. The rows are in its
        order, and the files by their names."""
