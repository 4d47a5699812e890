"""Recipes on Spark: the same SQL in its dialect. Tables are Parquet folders, of one machine or of many."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlglot
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import BinaryType, BooleanType, DataType, StringType
from sqlglot import exp

from aimass_core.domain.schemas import ColumnType
from aimass_core.services.recipes.engine import BatchFunction, EngineError, Field, ScalarFunction, Source
from aimass_core.services.recipes.expressions import DIALECT

_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    # A cell that cannot be cast is missing, as DuckDB's TRY_CAST has it.
    "spark.sql.ansi.enabled": "false",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.jsonGenerator.ignoreNullFields": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
}
_TYPES: dict[ColumnType, DataType] = {
    ColumnType.STRING: StringType(),
    ColumnType.IMAGE: BinaryType(),
    ColumnType.BOOLEAN: BooleanType(),
}


@contextmanager
def open_session(work_path: Path, *, num_threads: int, memory_bytes: int | None) -> Iterator[SparkSession]:
    """A session within this machine."""
    # NOTE: else its workers are of whatever `python3` is.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(f"local[{num_threads}]").appName("aimass-prepare")
    builder = builder.config("spark.ui.enabled", "false").config("spark.driver.bindAddress", "127.0.0.1")
    builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.local.dir", str(work_path / "spilled"))
    builder = builder.config("spark.sql.warehouse.dir", str(work_path / "warehouse"))
    builder = builder.config("spark.sql.shuffle.partitions", str(2 * num_threads))
    if memory_bytes is not None:
        builder = builder.config("spark.driver.memory", f"{memory_bytes * 6 // 10 // 1024**2}m")
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()


class SparkEngine:
    """Satisfies `Engine`. `work_path` must be a folder that all of the session's machines share."""

    name = "spark"

    def __init__(self, session: SparkSession, work_path: Path) -> None:
        self._session, self._work_path = session, work_path
        self._num_scans = 0
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)

    def scan(self, source: Source, ids: Sequence[str], *, row: str) -> str:
        """See Engine."""
        found: DataFrame | None = None
        offset = 0
        # Times are of UTC and have no zone here, as on DuckDB.
        columns = [
            f"CAST({each} AS TIMESTAMP_NTZ) AS {each}" if column.type is ColumnType.DATETIME else each
            for each, column in zip(ids, source.schema.columns, strict=True)
        ]
        with _translated():
            for path in source.files:
                read = self._session.read.parquet(str(path))
                part = read.select("*", read["_metadata.row_index"].cast("bigint").alias("__index"))
                numbered = part.toDF(*ids, "__index").selectExpr(*columns, f"__index + {offset} AS {row}")
                found = numbered if found is None else found.unionAll(numbered)
                offset += read.count()
            if found is None:
                raise EngineError(f"{source.label} has no files.")
            if source.every > 1:
                found = found.where(f"{row} % {source.every} = 0")
            view = f"source{self._num_scans}"
            self._num_scans += 1
            found.createOrReplaceTempView(view)
        return f"SELECT * FROM {view}"

    def create(self, table: str, select: str) -> None:
        """See Engine."""
        with _translated():
            self._store(table, self._session.sql(to_spark(select)))

    def view(self, name: str, select: str) -> None:
        """See Engine."""
        with _translated():
            self._session.sql(to_spark(select)).createOrReplaceTempView(name)

    def map(self, table: str, select: str, function: BatchFunction, columns: Sequence[str]) -> None:
        """See Engine."""

        def convert(frames: Iterator[Any]) -> Iterator[Any]:
            import pandas as pd

            for frame in frames:
                made = function([frame[name].to_numpy() for name in frame.columns])
                yield pd.DataFrame(dict(zip(columns, made, strict=True)))

        schema = ", ".join(f"{name} bigint" for name in columns)
        with _translated():
            self._store(table, self._session.sql(to_spark(select)).mapInPandas(convert, schema))

    def load(self, table: str, column: str, values: Any) -> None:
        """See Engine."""
        with _translated():
            rows = [(int(value),) for value in values]
            self._session.createDataFrame(rows, f"{column} bigint").createOrReplaceTempView(table)

    def drop(self, table: str) -> None:
        """See Engine."""
        with _translated():
            self._session.catalog.dropTempView(table)
        shutil.rmtree(self._work_path / table, ignore_errors=True)

    def fetch(self, select: str) -> list[tuple[Any, ...]]:
        """See Engine."""
        with _translated():
            return [tuple(row) for row in self._session.sql(to_spark(select)).collect()]

    def stream(self, select: str) -> Iterator[tuple[Any, ...]]:
        """See Engine."""
        with _translated():
            for row in self._session.sql(to_spark(select)).toLocalIterator():
                yield tuple(row)

    def describe(self, select: str) -> list[str]:
        """See Engine."""
        with _translated():
            return [field.dataType.simpleString() for field in self._session.sql(to_spark(select)).schema.fields]

    def register(self, function: ScalarFunction) -> None:
        """See Engine."""
        self._session.udf.register(function.name, function.on_cell, _TYPES[function.type])

    def export(self, select: str, fields: Sequence[Field], path: Path) -> Sequence[Path]:
        """See Engine."""
        folder = path / "spark"
        with _translated():
            found = self._session.sql(to_spark(select)).toDF(*(field.name for field in fields))
            found.write.parquet(str(folder), compression="zstd")
        return sorted(folder.glob("part-*.parquet"))

    def _store(self, table: str, found: DataFrame) -> None:
        folder = str(self._work_path / table)
        found.write.parquet(folder)
        self._session.read.parquet(folder).createOrReplaceTempView(table)


def to_spark(select: str) -> str:
    """A SELECT of DuckDB's dialect in Spark's."""
    return sqlglot.parse_one(select, read=DIALECT).transform(_translate).sql(dialect="spark")


def _translate(node: exp.Expr) -> exp.Expr:
    """What sqlglot leaves as it is although Spark calls it otherwise."""
    if isinstance(node, exp.Anonymous) and node.name.lower() == "try_strptime":
        text, format_ = node.expressions
        return exp.StrToTime(this=text, format=format_)
    if isinstance(node, exp.PercentileCont):
        return exp.Anonymous(this="percentile", expressions=[node.this, node.expression])
    return node


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PySparkException as error:
        words = (error.getMessage() or "it failed").splitlines()
        raise EngineError(words[0][:500]) from error
