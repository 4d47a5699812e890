"""Recipes on DuckDB: out of core in one process, within a limit of memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import numpy as np
from duckdb.func import FunctionNullHandling

from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InternalError
from aimass_core.services.recipes.engine import BatchFunction, EngineError, Field, ScalarFunction, Source
from aimass_core.services.recipes.expressions import literal

_BATCH_ROWS = 20_000
_ROW_GROUP_ROWS = 122_880
_TYPES = {ColumnType.STRING: "VARCHAR", ColumnType.IMAGE: "BLOB", ColumnType.BOOLEAN: "BOOLEAN"}


class DuckDbEngine:
    """Satisfies `Engine`. Its tables lie in `work_path`, and it reads no files but those below `read_paths`."""

    name = "duckdb"

    def __init__(
        self, work_path: Path, *, read_paths: Sequence[Path] = (), memory_bytes: int | None = None, num_threads: int = 2
    ) -> None:
        self._connection = duckdb.connect(work_path / "recipe.duckdb")
        self._functions: set[str] = set()
        directories = ", ".join(literal(f"{path}/") for path in (work_path, *read_paths))
        settings = {
            "TimeZone": "'UTC'",
            "threads": str(num_threads),
            "temp_directory": literal(str(work_path / "spilled")),
            # NOTE: rows carry their number, and are put in order at the end: this takes less memory.
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "allowed_directories": f"[{directories}]",
            "enable_external_access": "false",
        }
        if memory_bytes is not None:
            settings["memory_limit"] = f"'{memory_bytes // 1024**2}MiB'"
        for name, value in settings.items():
            self._connection.execute(f"SET {name} = {value}")
        self._connection.execute("SET lock_configuration = true")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def scan(self, source: Source, ids: Sequence[str], *, row: str) -> str:
        """See Engine."""
        parts, offset = [], 0
        columns = ", ".join(
            f"{each} AT TIME ZONE 'UTC' AS {each}" if column.type is ColumnType.DATETIME else each
            for each, column in zip(ids, source.schema.columns, strict=True)
        )
        for path in source.files:
            file = literal(str(path))
            number = f"CAST({row} + {offset} AS BIGINT)"
            sampled = "" if source.every == 1 else f" WHERE {number} % {source.every} = 0"
            parts.append(
                f"SELECT {columns}, {number} AS {row} FROM read_parquet({file}, file_row_number = true) "
                f"AS f({', '.join([*ids, row])}){sampled}"
            )
            offset += int(self.fetch(f"SELECT num_rows FROM parquet_file_metadata({file})")[0][0])
        return " UNION ALL ".join(parts)

    def create(self, table: str, select: str) -> None:
        """See Engine."""
        with _translated():
            self._connection.execute(f"CREATE TABLE {table} AS {select}")

    def view(self, name: str, select: str) -> None:
        """See Engine."""
        with _translated():
            self._connection.execute(f"CREATE VIEW {name} AS {select}")

    def map(self, table: str, select: str, function: BatchFunction, columns: Sequence[str]) -> None:
        """See Engine."""
        with _translated():
            self._connection.execute(f"CREATE TABLE {table} ({', '.join(f'{name} BIGINT' for name in columns)})")
            found = self._connection.cursor().execute(select)
            while rows := found.fetchmany(_BATCH_ROWS):
                made = function([np.array(column, dtype=object) for column in zip(*rows, strict=True)])
                self._insert(table, dict(zip(columns, made, strict=True)))

    def load(self, table: str, column: str, values: Any) -> None:
        """See Engine."""
        with _translated():
            self._connection.execute(f"CREATE TABLE {table} ({column} BIGINT)")
            self._insert(table, {column: values})

    def drop(self, table: str) -> None:
        """See Engine."""
        with _translated():
            self._connection.execute(f"DROP TABLE IF EXISTS {table}")

    def fetch(self, select: str) -> list[tuple[Any, ...]]:
        """See Engine."""
        with _translated():
            return self._connection.execute(select).fetchall()

    def stream(self, select: str) -> Iterator[tuple[Any, ...]]:
        """See Engine."""
        with _translated():
            found = self._connection.cursor().execute(select)
            while rows := found.fetchmany(_BATCH_ROWS):
                yield from rows

    def describe(self, select: str) -> list[str]:
        """See Engine."""
        return [str(row[1]) for row in self.fetch(f"DESCRIBE {select}")]

    def register(self, function: ScalarFunction) -> None:
        """See Engine."""
        if function.name in self._functions:
            return
        type_ = duckdb.sqltype(_TYPES[function.type])
        with _translated():
            # NOTE: without `special` a function that answers None is an error.
            self._connection.create_function(
                function.name,
                function.on_cell,
                [type_],
                type_,
                null_handling=FunctionNullHandling.SPECIAL,
                side_effects=False,
            )
        self._functions.add(function.name)

    def export(self, select: str, fields: Sequence[Field], folder: str) -> None:
        """See Engine. NOTE: names that differ in case only are one to DuckDB, which then numbers them."""
        columns = ", ".join(f'{field.id} AS "{field.name.replace(chr(34), chr(34) * 2)}"' for field in fields)
        file = f"{folder}/part.parquet"
        with _translated():
            self._connection.execute(
                f"COPY (SELECT {columns} FROM ({select})) TO {literal(file)} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP_ROWS})"
            )

    def _insert(self, table: str, columns: dict[str, Any]) -> None:
        self._connection.register("batch", columns)
        self._connection.execute(f"INSERT INTO {table} SELECT {', '.join(columns)} FROM batch")
        self._connection.unregister("batch")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise EngineError("It needs more memory than it has. Give the job more: compute.memory_mib.") from error
    except duckdb.IOException as error:
        # NOTE: its words name files of the machine.
        raise InternalError("The disk that a recipe works on is full or broken.") from error
    except duckdb.Error as error:
        raise EngineError(" ".join(str(error).split("\n\nLINE")[0].split())[:500]) from error
