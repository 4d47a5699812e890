"""How many bytes a query reads: the column chunks that it needs, of every file of its tables, as Athena counts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify

if TYPE_CHECKING:
    from aimass_local.athena.engine import LocalTable

Name = tuple[str, str]


def count_bytes(tree: exp.Expr, tables: Mapping[Name, LocalTable], *, database: str) -> int:
    """Row groups that statistics would skip are counted too: an upper bound."""
    needed = _needed_columns(tree, tables, database)
    return sum(_bytes_of(table, needed.get(name)) for name, table in tables.items())


def _needed_columns(tree: exp.Expr, tables: Mapping[Name, LocalTable], database: str) -> dict[Name, set[str]]:
    """Of each table; a table that is not in the answer is read whole."""
    schema: dict[str, dict[str, object]] = {}
    for (schema_name, name), table in tables.items():
        columns = {**dict(table.columns), **dict.fromkeys(table.partition_keys, "string")}
        schema.setdefault(schema_name, {})[name] = dict.fromkeys(columns, "varchar")
    try:
        qualified = qualify(
            tree.copy(), schema=dict(schema), db=database, dialect="trino", validate_qualify_columns=False
        )
        narrowed = pushdown_projections(qualified)
    except SqlglotError:
        return {}
    needed: dict[Name, set[str]] = {}
    for node in narrowed.find_all(exp.Table):
        select = node.find_ancestor(exp.Select)
        if select is None or not node.db:
            return {}
        columns_of_it = (c for c in select.find_all(exp.Column) if c.table in ("", node.alias_or_name))
        needed.setdefault((node.db.lower(), node.name.lower()), set()).update(c.name.lower() for c in columns_of_it)
    return needed


def _bytes_of(table: LocalTable, columns: set[str] | None) -> int:
    num_bytes = 0
    for file in table.files:
        metadata = pq.read_metadata(file.path)
        for group in (metadata.row_group(position) for position in range(metadata.num_row_groups)):
            chunks = [group.column(position) for position in range(group.num_columns)]
            num_bytes += sum(
                chunk.total_compressed_size
                for chunk in chunks
                # The path of a list goes on: series.list.element.
                if columns is None or chunk.path_in_schema.split(".list.")[0].lower() in columns
            )
    return num_bytes
