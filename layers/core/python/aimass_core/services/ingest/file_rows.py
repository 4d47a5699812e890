"""The rows of a file in any form that can be uploaded, as values of Python, for those that must look at each."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from aimass_core.domain.schemas import ColumnType
from aimass_core.services.ingest import column_types, readers
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import SpooledColumn


def read_rows(path: Path, work_path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Rows in the types that their columns have in this file; times are text, as JSON writes them.

    A cell that is not of its column's type stays text. Raises FileRejectedError.
    """
    for spool in readers.spool(path, work_path, reading):
        for batch in spool.batches():
            columns = {
                column.name: _to_values(column, batch.column(str(index))) for index, column in enumerate(spool.columns)
            }
            for values in zip(*columns.values(), strict=True):
                yield dict(zip(columns, values, strict=True))
        spool.remove()


def _to_values(column: SpooledColumn, cells: pa.Array) -> list[Any]:
    found = column.resolve() or ColumnType.STRING
    if column.evidence is None:
        return [_to_json(value) for value in cells.to_pylist()]
    converted = column_types.convert(cells, found, column.evidence.written(found))
    values = [_to_json(value) for value in converted.values.to_pylist()]
    if converted.is_bad is None:
        return values
    return [
        text if is_bad else value
        for value, text, is_bad in zip(values, cells.to_pylist(), converted.is_bad.to_pylist(), strict=True)
    ]


def _to_json(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
