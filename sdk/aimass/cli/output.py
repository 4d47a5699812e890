"""What commands print: tables, JSON, YAML and CSV on stdout; words and progress on stderr."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

import httpx2
import typer
import yaml
from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aimass.client import Client
from aimass.version import __version__
from aimass_core.domain.spreadsheets import defuse

_PIPE_WIDTH = 160


def _stdout_console() -> Console:
    """Made anew for each print, so that a redirected stdout is obeyed; a pipe has no width of its own."""
    return Console() if sys.stdout.isatty() else Console(width=int(os.environ.get("COLUMNS") or _PIPE_WIDTH))


_ERR = Console(stderr=True, highlight=False, soft_wrap=True)


class OutputFormat(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


Output = Annotated[
    OutputFormat, typer.Option("--output", "-o", help="How data is printed on stdout.", envvar="AIMASS_OUTPUT")
]


@dataclass
class Session:
    """What the commands of one invocation share. `transport` replaces the network, for tests."""

    profile: str | None = None
    transport: httpx2.BaseTransport | None = None

    @cached_property
    def client(self) -> Client:
        """Made when first used, so that --help needs no profile."""
        return Client(profile=self.profile, transport=self.transport, user_agent=f"aimass-cli/{__version__}")

    def close(self) -> None:
        """Gives up the connections, if there are any."""
        if "client" in self.__dict__:
            self.client.close()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table and of CSV: a heading and how a value is read from an item. Long ones may take many lines."""

    name: str
    read: Callable[[Any], Any]
    is_number: bool = False
    is_long: bool = False


def plain(text: str) -> str:
    """A stranger's text for a terminal: what controls it or turns its reading direction is shown, markup not obeyed."""
    shown = (c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
    return escape("".join(shown))


def say(words: str) -> None:
    """Words for people: stderr."""
    _ERR.print(words)


def stderr_console() -> Console:
    """Where progress bars go; they show only on a terminal."""
    return _ERR


def stdout_width() -> int:
    """Characters that fit into a line of data."""
    return _stdout_console().width


def client_of(context: typer.Context) -> Client:
    """The invocation's client."""
    session: Session = context.obj
    return session.client


def show_list(items: Iterable[BaseModel], columns: Sequence[Column], *, output: OutputFormat, empty: str = "") -> None:
    """A list of resources."""
    found = list(items)
    if output is OutputFormat.TABLE:
        if not found and empty:
            say(empty)
            return
        _print_table([[column.read(item) for column in columns] for item in found], columns)
    elif output is OutputFormat.CSV:
        write_csv([column.name for column in columns], ([column.read(item) for column in columns] for item in found))
    else:
        _print_data([item.model_dump(mode="json") for item in found], output)


def show_one(item: BaseModel, fields: Mapping[str, Any], *, output: OutputFormat) -> None:
    """One resource; `fields` is what a person wants to see of it."""
    if output is OutputFormat.TABLE:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, value in fields.items():
            table.add_row(name, format_value(value))
        _stdout_console().print(table)
    elif output is OutputFormat.CSV:
        write_csv(list(fields), [list(fields.values())])
    else:
        _print_data(item.model_dump(mode="json"), output)


def show_rows(
    names: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[bool], output: OutputFormat
) -> None:
    """Rows of a table that somebody made up. As JSON each is an object; of columns of one name the last is seen."""
    if output is OutputFormat.TABLE:
        columns = [
            Column(plain(name), lambda row: row, is_number=is_number, is_long=not is_number)
            for name, is_number in zip(names, numbers, strict=True)
        ]
        _print_table(rows, columns)
    elif output is OutputFormat.CSV:
        write_csv(names, rows)
    else:
        _print_data([dict(zip(names, row, strict=True)) for row in rows], output)


def write_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV that a spreadsheet does not execute: texts that begin like a formula get an apostrophe."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([defuse(name) for name in header])
    for row in rows:
        writer.writerow(["" if value is None else defuse(value) for value in row])


def _print_table(rows: Sequence[Sequence[Any]], columns: Sequence[Column]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.name,
            justify="right" if column.is_number else "left",
            no_wrap=not column.is_long,
            overflow="ellipsis" if column.is_number else "fold",
        )
    for row in rows:
        table.add_row(*(format_value(value) for value in row))
    _stdout_console().print(table)


def _print_data(data: Any, output: OutputFormat) -> None:
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)


def format_value(value: Any) -> str:
    """A value as a person reads it; markup in it is shown, not obeyed."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:.4g}" if 0 < abs(value) < 1e-3 else f"{value:,.4f}" if abs(value) < 1e4 else f"{value:,.1f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return plain(str(value))


def to_counts(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics, of which those that count are whole numbers."""
    return {name: int(value) if name.startswith("num_") else value for name, value in metrics.items()}


def format_bytes(num_bytes: int | None) -> str:
    """1,234,567 -> 1.2 MB."""
    if num_bytes is None:
        return "-"
    size = float(num_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
