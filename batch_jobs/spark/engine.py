"""Recipes on Spark: the same SQL in its dialect. Tables are Parquet folders that all machines of a run share."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlglot
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import broadcast
from pyspark.sql.types import BinaryType, BooleanType, DataType, StringType
from sqlglot import exp

from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InternalError
from aimass_core.services.recipes.engine import BatchFunction, EngineError, Field, ScalarFunction, Source
from aimass_core.services.recipes.expressions import DIALECT
from batch_jobs.spark import files

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
# How Spark begins the address of a file of this machine depends on its version.
_FILE = re.compile(r"^file:/+")
_TYPES: dict[ColumnType, DataType] = {
    ColumnType.STRING: StringType(),
    ColumnType.IMAGE: BinaryType(),
    ColumnType.BOOLEAN: BooleanType(),
}


class SparkEngine:
    """Satisfies `Engine`.

    Args:
        session: its settings are changed.
        work_folder: path or address of a folder that all machines of the session share.
    """

    name = "spark"

    def __init__(self, session: SparkSession, work_folder: str) -> None:
        self._session, self._work_folder = session, work_folder
        self._num_scans = 0
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)

    def scan(self, source: Source, ids: Sequence[str], *, row: str) -> str:
        """See Engine. All files are one read, however many they are: each row's number is its index within its file,
        and the rows of the files before it."""
        if not source.files:
            raise EngineError(f"{source.label} has no files.")
        # Times are of UTC and have no zone here, as on DuckDB.
        columns = [
            f"CAST({each} AS TIMESTAMP_NTZ) AS {each}" if column.type is ColumnType.DATETIME else each
            for each, column in zip(ids, source.schema.columns, strict=True)
        ]
        addresses = [file.as_uri() if isinstance(file, Path) else file for file in source.files]
        with _translated():
            # A version may hold a file twice, where the same rows were appended again.
            read = self._session.read.parquet(*dict.fromkeys(addresses))
            located = read.select("*", read["_metadata.file_path"], read["_metadata.row_index"])
            numbered = located.toDF(*ids, "__file", "__index").join(self._count_before(read, addresses), "__file")
            found = numbered.selectExpr(*columns, f"CAST(__index + __before AS BIGINT) AS {row}")
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
        files.delete(self._session, self._address(table))

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

    def export(self, select: str, fields: Sequence[Field], folder: str) -> None:
        """See Engine."""
        with _translated():
            found = self._session.sql(to_spark(select)).toDF(*(field.name for field in fields))
            found.write.mode("overwrite").parquet(folder, compression="zstd")

    def _count_before(self, read: DataFrame, addresses: Sequence[str]) -> DataFrame:
        """Of each file, how many rows those before it have. Parquet's footers tell, no row is read."""
        counted = read.select(read["_metadata.file_path"].alias("__file")).groupBy("__file").count().collect()
        found = {_FILE.sub("file:///", each["__file"]): (each["__file"], int(each["count"])) for each in counted}
        if unknown := found.keys() - set(addresses):
            raise InternalError(f"Spark calls files otherwise than they were named to it, such as {min(unknown)}.")
        before, offsets = 0, []
        for address in addresses:
            if address in found:  # it has rows
                name, num_rows = found[address]
                offsets.append((name, before))
                before += num_rows
        return broadcast(self._session.createDataFrame(offsets, "__file string, __before bigint"))

    def _store(self, table: str, found: DataFrame) -> None:
        folder = self._address(table)
        found.write.parquet(folder)
        self._session.read.parquet(folder).createOrReplaceTempView(table)

    def _address(self, table: str) -> str:
        return f"{self._work_folder}/{table}"


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
