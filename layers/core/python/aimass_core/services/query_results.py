"""All rows of a query as one file: Parquet, or CSV that a spreadsheet opens safely."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from aimass_core.domain import keys
from aimass_core.domain.queries import FLOATS, INTEGERS, Query, QueryColumn, QueryFormat, QueryResult
from aimass_core.domain.spreadsheets import FORMULA_STARTS
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Ports

MAX_EXPORT_BYTES = 256 * 1024**2
LINK_SECONDS = 900
_TYPES = {QueryFormat.CSV: "text/csv", QueryFormat.PARQUET: "application/vnd.apache.parquet"}


def export(ports: Ports, query: Query, result_format: QueryFormat) -> QueryResult:
    """All rows as one file, made when it is first asked for. Raises InvalidRequestError where they are too many."""
    name = f"{query.id}.{result_format}"
    key = keys.query_export(query.workspace_id, query.id, name)
    stored = ports.lake.head(key)
    if stored is None:
        if (query.result_bytes or 0) > MAX_EXPORT_BYTES:
            raise InvalidRequestError(
                f"The result has {query.result_bytes:,} bytes; files of at most {MAX_EXPORT_BYTES:,} are made. Read it "
                "page by page, or ask for fewer rows and columns."
            )
        with tempfile.TemporaryDirectory(prefix="aimass-query-") as folder:
            source, target = Path(folder) / "rows", Path(folder) / name
            ports.lake.download(keys.query_output(query.execution_id), source)
            _WRITERS[result_format](_read(source, query.columns), target)
            stored = ports.lake.upload(target, key, content_type=_TYPES[result_format])
    url = ports.lake.sign_get(key, expires_seconds=LINK_SECONDS, download_name=name)
    return QueryResult(url=url, num_bytes=stored.num_bytes, format=result_format)


def _read(path: Path, columns: list[QueryColumn]) -> pacsv.CSVStreamingReader:
    """A null is an empty cell without quotes, as the engine writes it. Repeated names get a number."""
    names = list(_unique([column.name for column in columns]))
    return pacsv.open_csv(
        path,
        read_options=pacsv.ReadOptions(column_names=names, skip_rows_after_names=1),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types={name: _arrow_type(column.type) for name, column in zip(names, columns, strict=True)},
            null_values=[""],
            true_values=["true"],
            false_values=["false"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _unique(names: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        free, number = name, 2
        while free in seen:
            free, number = f"{name}_{number}", number + 1
        seen.add(free)
        yield free


def _arrow_type(trino_type: str) -> pa.DataType:
    if trino_type in INTEGERS:
        return pa.int64()
    if trino_type in FLOATS:
        return pa.float64()
    if trino_type.startswith("decimal("):
        precision, scale = trino_type[8:-1].split(",")
        return pa.decimal128(int(precision), int(scale))
    return {"boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("us")}.get(trino_type, pa.string())


def _write_parquet(rows: pacsv.CSVStreamingReader, path: Path) -> None:
    with pq.ParquetWriter(path, rows.schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch)


def _write_csv(rows: pacsv.CSVStreamingReader, path: Path) -> None:
    names = [_defuse(pa.array([name]))[0].as_py() for name in rows.schema.names]
    schema = pa.schema([pa.field(name, field.type) for name, field in zip(names, rows.schema, strict=True)])
    with pacsv.CSVWriter(path, schema) as writer:
        for batch in rows:
            writer.write_batch(pa.record_batch([_defuse(column) for column in batch.columns], schema=schema))


def _defuse(column: pa.Array) -> pa.Array:
    """Texts that a spreadsheet would take for a formula get a leading apostrophe."""
    if column.type != pa.string():
        return column
    pattern = "^[" + "".join(f"\\x{{{ord(start):x}}}" for start in FORMULA_STARTS) + "]"
    return pc.if_else(pc.match_substring_regex(column, pattern), pc.binary_join_element_wise("'", column, ""), column)


_WRITERS = {QueryFormat.CSV: _write_csv, QueryFormat.PARQUET: _write_parquet}
