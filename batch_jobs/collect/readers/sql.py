"""Reads tables and queries of a database, in a transaction that can only read."""

import datetime as dt
import decimal
import re
import socket
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from aimass_core.domain.collector_messages import Record, StreamSchema
from aimass_core.domain.collectors import SQL_DIALECTS, SqlCollector
from aimass_core.domain.common import JsonScalar
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidRequestError
from batch_jobs.collect.errors import AddressRefusedError, SourceUnavailableError
from batch_jobs.collect.reading import Item, Reading

_BATCH_ROWS = 2_000
_CONNECT_SECONDS = 30.0
_LIBPQ_DRIVERS = ("psycopg", "psycopg2")
_PORTS = {"postgresql": 5432, "redshift": 5439, "mysql": 3306, "mariadb": 3306, "mssql": 1433, "oracle": 1521}
_QUERY = re.compile(r"^\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(select|with)\b", re.IGNORECASE | re.DOTALL)
# What SQLAlchemy takes for a parameter, though it stands in a text ('{"a":1}') or is another's.
_NO_PARAMETER = re.compile(r"(?<![:\w\\]):(?!start\b)(?=\w)")
_READ_ONLY = {
    "postgresql": "SET TRANSACTION READ ONLY",
    "mysql": "SET TRANSACTION READ ONLY",
    "mariadb": "SET TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}


def read(collector: SqlCollector, reading: Reading, cursors: Mapping[str, str]) -> Iterator[Item]:
    """The rows of all streams that are asked for. `cursors` names the column that tells new rows, by stream."""
    engine = open_engine(collector, reading)
    try:
        yield from read_from(engine, collector, reading, cursors)
    finally:
        engine.dispose()


def open_engine(collector: SqlCollector, reading: Reading) -> sa.Engine:
    """Connects when it is first used, to the address that was checked.

    NOTE: drivers other than those of the image resolve the name once more; a private address is refused all the same,
    unless the name leads elsewhere a moment later.
    """
    url = sa.make_url(collector.url)
    dialect = url.get_backend_name()
    if dialect not in SQL_DIALECTS:
        raise AddressRefusedError(f"{dialect!r} is none of the databases that are read: {', '.join(SQL_DIALECTS)}.")
    if not url.host:
        raise AddressRefusedError("The url of the database names no host.")
    port = url.port or _PORTS.get(dialect, 443)
    address = reading.network.connect(url.host, port)
    if collector.password is not None:
        url = url.set(password=reading.text(collector.password))
    pinned = {"hostaddr": address} if url.get_driver_name() in _LIBPQ_DRIVERS else {}
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True, connect_args=pinned)
    except (sa.exc.ArgumentError, ModuleNotFoundError) as error:
        raise InvalidRequestError(
            f"There is no driver for {collector.url.partition('://')[0]!r} in this container "
            f"({type(error).__name__}). Name one that is, such as postgresql+psycopg or mysql+pymysql."
        ) from error
    if engine.driver == "pymysql":
        _pin_pymysql(engine, address, port)
    return engine


def _pin_pymysql(engine: sa.Engine, address: str, port: int) -> None:
    """It is given the connection to the address; the name stays what its certificate has to have."""

    def connect(dialect: Any, _record: Any, arguments: Any, options: Mapping[str, Any]) -> Any:
        connection = dialect.loaded_dbapi.connect(*arguments, **options, defer_connect=True)
        connection.connect(socket.create_connection((address, port), timeout=_CONNECT_SECONDS))
        return connection

    sa.event.listen(engine, "do_connect", connect)


def read_from(
    engine: sa.Engine, collector: SqlCollector, reading: Reading, cursors: Mapping[str, str]
) -> Iterator[Item]:
    """The same of an open engine."""
    try:
        with engine.connect() as connection:
            statement = _READ_ONLY.get(engine.dialect.name)
            if statement is not None:
                connection.execute(sa.text(statement))
            for name in collector.tables:
                if reading.wants(name):
                    yield from _read_table(connection, name, cursors.get(name), reading.start(name))
            for name, query in collector.queries.items():
                if reading.wants(name):
                    yield from _read_query(connection, name, query, reading.start(name))
    except sa.exc.NoSuchTableError as error:
        raise InvalidRequestError(
            f"There is no table {str(error)!r} in the database, or it may not be read."
        ) from error
    except sa.exc.SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise SourceUnavailableError(
            f"The database refused: {type(cause).__name__}: {str(cause).splitlines()[0][:300] if str(cause) else ''}. "
            "Nothing of this run was kept."
        ) from error


def _read_table(connection: sa.Connection, name: str, cursor: str | None, start: JsonScalar) -> Iterator[Item]:
    schema, _, table_name = name.rpartition(".")
    table = sa.Table(table_name, sa.MetaData(), schema=schema or None, autoload_with=connection)
    yield StreamSchema(
        stream=name,
        types={column.name: found for column in table.columns if (found := _to_type(column)) is not None},
        primary_key=[column.name for column in table.primary_key.columns],
    )
    query = sa.select(table)
    if cursor is not None:
        if cursor not in table.columns:
            raise InvalidRequestError(
                f"The table {name!r} has no column {cursor!r}, which the policy names as its cursor. Its columns are: "
                f"{[column.name for column in table.columns][:30]}."
            )
        column = table.columns[cursor]
        if start is not None:
            query = query.where(column >= _to_parameter(column, start))
        query = query.order_by(column)
    yield from _rows(connection, name, query)


def _read_query(connection: sa.Connection, name: str, query: str, start: JsonScalar) -> Iterator[Item]:
    if _QUERY.match(query) is None:
        raise InvalidRequestError(f"The query of the stream {name!r} is no SELECT: {query[:100]!r}.")
    text = sa.text(_NO_PARAMETER.sub(r"\\:", query.rstrip().rstrip(";")))
    if "start" in text._bindparams:
        text = text.bindparams(start=start)
    yield from _rows(connection, name, text)


def _rows(connection: sa.Connection, name: str, query: Any) -> Iterator[Record]:
    result = connection.execution_options(stream_results=True, yield_per=_BATCH_ROWS).execute(query)
    columns = list(result.keys())
    for row in result:
        yield Record(name, dict(zip(columns, map(_to_json, row), strict=True)))


def _to_json(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool | list | dict):
        return value
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value)


def _to_type(column: Any) -> ColumnType | None:
    try:
        python_type = column.type.python_type
    except NotImplementedError:
        return None
    types = {
        int: ColumnType.INTEGER,
        float: ColumnType.NUMBER,
        decimal.Decimal: ColumnType.NUMBER,
        bool: ColumnType.BOOLEAN,
        str: ColumnType.STRING,
        uuid.UUID: ColumnType.STRING,
        dt.datetime: ColumnType.DATETIME,
        dt.date: ColumnType.DATETIME,
    }
    return types.get(python_type)


def _to_parameter(column: Any, start: JsonScalar) -> Any:
    """The cursor as the column's type: drivers do not compare times with text."""
    found = _to_type(column)
    if found is ColumnType.DATETIME and isinstance(start, str):
        at = dt.datetime.fromisoformat(start)
        return at.date() if column.type.python_type is dt.date else at
    return start
