"""Runs one SELECT of Athena's on DuckDB and writes its rows as Athena does.

The SQL is Trino's; sqlglot writes it as DuckDB's, and each table as a reading of its Parquet files. The connection can
touch those files and the result, and nothing else of this machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from aimass_local.athena import scans

MEMORY_LIMIT = "2GB"
TRINO, DUCKDB = "trino", "duckdb"
_DUCKDB_TYPES = {
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "string": "VARCHAR",
    "binary": "BLOB",
    "array<double>": "DOUBLE[]",
}
_ATHENA_TYPES = {
    "BIGINT": "bigint",
    "HUGEINT": "bigint",
    "UBIGINT": "bigint",
    "INTEGER": "integer",
    "UINTEGER": "integer",
    "SMALLINT": "smallint",
    "TINYINT": "tinyint",
    "DOUBLE": "double",
    "FLOAT": "real",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "BLOB": "varbinary",
}


class QueryFailedError(Exception):
    """The query cannot be run; the message is what StateChangeReason says."""


class QueryCancelledError(Exception):
    """It was stopped, or had read more than its workgroup allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A Parquet file of a table, with the values of its partition."""

    path: Path
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTable:
    """A Glue table: columns with their Hive types, the names of the partition keys, and the files."""

    columns: tuple[tuple[str, str], ...]
    partition_keys: tuple[str, ...]
    files: tuple[LocalFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The columns of a result, with Athena's types, and what was read for it."""

    columns: tuple[tuple[str, str], ...]
    scanned_bytes: int


FindTable = Callable[[str, str], LocalTable | None]


class Run:
    """One query. `cancel` may be called by another thread, at any time."""

    def __init__(self, *, database: str, find: FindTable, max_bytes: int | None) -> None:
        self._database, self._find, self._max_bytes = database, find, max_bytes
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        self._cancelled.set()
        if self._connection is not None:
            self._connection.interrupt()

    def execute(self, sql: str, target: Path) -> Outcome:
        """Writes the rows to `target`.

        Raises:
            QueryFailedError: as Athena's FAILED.
            QueryCancelledError: as its CANCELLED.
        """
        try:
            tree = sqlglot.parse_one(sql, read=TRINO)
        except SqlglotError as error:
            raise QueryFailedError(f"SYNTAX_ERROR: {str(error).splitlines()[0]}") from error
        tables = self._tables(tree)
        scanned = scans.count_bytes(tree, {name: found for _, name, found in tables}, database=self._database)
        if self._max_bytes is not None and scanned > self._max_bytes:
            raise QueryCancelledError(f"Bytes scanned limit was exceeded: {scanned} of {self._max_bytes}")
        _name_columns(tree)
        for node, _, found in tables:
            node.replace(_to_relation(node, found))
        for column in tree.find_all(exp.Column):
            # A relation has an alias and no schema.
            column.set("db", None)
            column.set("catalog", None)
        paths = [file.path for _, _, found in tables for file in found.files]
        columns = self._write(tree.sql(dialect=DUCKDB), paths, target)
        return Outcome(columns=columns, scanned_bytes=scanned)

    def _tables(self, tree: exp.Expr) -> list[tuple[exp.Table, tuple[str, str], LocalTable]]:
        common = {found.alias.lower() for found in tree.find_all(exp.CTE)}
        tables = []
        for node in tree.find_all(exp.Table):
            if not node.db and node.name.lower() in common:
                continue
            name = (node.db.lower() or self._database, node.name.lower())
            found = self._find(*name)
            if found is None:
                raise QueryFailedError(f"TABLE_NOT_FOUND: Table 'awsdatacatalog.{name[0]}.{name[1]}' does not exist")
            tables.append((node, name, found))
        return tables

    def _write(self, sql: str, paths: Sequence[Path], target: Path) -> tuple[tuple[str, str], ...]:
        with duckdb.connect(":memory:") as connection:
            self._connection = connection
            try:
                _lock(connection, [*paths, target])
                described = connection.execute(f"DESCRIBE {sql}").fetchall()
                names = [f"c{position}" for position in range(len(described))]
                cells = ", ".join(
                    f"{_to_text(name, kind)} AS {_quote(label)}"
                    for name, (label, kind, *_) in zip(names, described, strict=True)
                )
                if self._cancelled.is_set():
                    raise QueryCancelledError("Query was cancelled by user")
                connection.execute(
                    f"COPY (SELECT {cells} FROM ({sql}) AS r({', '.join(names)})) "
                    f"TO '{_escape(target)}' (FORMAT csv, HEADER, FORCE_QUOTE *, USE_TMP_FILE false)"
                )
            except duckdb.InterruptException as error:
                raise QueryCancelledError("Query was cancelled by user") from error
            except duckdb.Error as error:
                raise QueryFailedError(_first_line(error)) from error
            finally:
                self._connection = None
        return tuple((label, _to_athena_type(kind)) for label, kind, *_ in described)


def _lock(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    # Trino divides integers as C does.
    connection.execute("SET integer_division = true")
    allowed = ", ".join(f"'{_escape(path)}'" for path in paths)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _name_columns(tree: exp.Expr) -> None:
    """Trino names what has no name `_col0`, `_col1` and so on."""
    if not isinstance(tree, exp.Query):
        return
    for position, selected in enumerate(tree.selects):
        if not selected.output_name and not selected.is_star:
            selected.replace(exp.alias_(selected.copy(), f"_col{position}"))


def _to_relation(node: exp.Table, table: LocalTable) -> exp.Expr:
    """The table as DuckDB reads it, under the name that it has in the query."""
    columns = [f"{_convert(name, kind)} AS {_quote(name)}" for name, kind in table.columns]
    if table.files:
        paths = "[" + ", ".join(f"'{_escape(file.path)}'" for file in table.files) + "]"
        for position, key in enumerate(table.partition_keys):
            values = "[" + ", ".join(f"'{_escape(file.values[position])}'" for file in table.files) + "]"
            columns.append(f"list_extract({values}, list_position({paths}, filename)) AS {_quote(key)}")
        source = f"SELECT {', '.join(columns)} FROM read_parquet({paths}, filename = true)"
    else:
        empty = [
            f"CAST(NULL AS {_DUCKDB_TYPES.get(kind, 'VARCHAR')}) AS {_quote(name)}" for name, kind in table.columns
        ]
        empty += [f"CAST(NULL AS VARCHAR) AS {_quote(key)}" for key in table.partition_keys]
        source = f"SELECT {', '.join(empty)} WHERE false"
    alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name, quoted=True))
    relation = exp.Subquery(this=sqlglot.parse_one(source, read=DUCKDB), alias=alias)
    for part in ("sample", "joins"):
        if node.args.get(part):
            relation.set(part, node.args[part])
    return relation


def _convert(name: str, kind: str) -> str:
    # NOTE: our files hold instants; Athena shows them as the wall clock of UTC.
    return f"timezone('UTC', {_quote(name)}::TIMESTAMPTZ)" if kind == "timestamp" else _quote(name)


def _to_text(name: str, kind: str) -> str:
    """A value as Athena writes it."""
    if kind in ("DOUBLE", "FLOAT"):
        infinity = f"CASE WHEN {name} > 0 THEN 'Infinity' ELSE '-Infinity' END"
        return f"CASE WHEN isnan({name}) THEN 'NaN' WHEN isinf({name}) THEN {infinity} ELSE {name}::VARCHAR END"
    if kind == "TIMESTAMP":
        return f"strftime({name}, '%Y-%m-%d %H:%M:%S.%g')"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime(timezone('UTC', {name}), '%Y-%m-%d %H:%M:%S.%g UTC')"
    if kind == "BLOB":
        return f"rtrim(regexp_replace(lower(hex({name})), '(..)', '\\1 ', 'g'))"
    if kind.endswith("[]"):
        return f"replace({name}::VARCHAR, 'NULL', 'null')" if kind == "DOUBLE[]" else f"{name}::VARCHAR"
    return f"{name}::VARCHAR"


def _to_athena_type(kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return kind.lower()
    return "array" if kind.endswith("[]") else _ATHENA_TYPES.get(kind, "varchar")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _escape(text: object) -> str:
    return str(text).replace("'", "''")


def _first_line(error: Exception) -> str:
    """DuckDB's message without the excerpt of the SQL, which is not what the caller wrote."""
    return str(error).split("\n\nLINE ")[0].strip()
