"""New rows in the place of those with the same key, or after them as their next state.

The new rows wait on the local disk; of them only the keys are in memory. The base passes by batch by batch, and a file
of it in which no row is replaced stays as it is.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.services.ingest.evolution import VALID_FROM, VALID_TO, Merge

_SEPARATOR = "\x1f"


class UnknownKeyError(Exception):
    """A column of the key is not in the data."""


def complete(columns: Sequence[Column], merge: Merge) -> list[Column]:
    """With the columns that a history needs. Raises UnknownKeyError."""
    names = [column.name for column in columns]
    missing = [name for name in merge.key if name not in names]
    if missing:
        raise UnknownKeyError(
            f"The primary key's columns {missing} are not in the data, which has {names[:20]}. Name others."
        )
    if merge.at is None:
        return list(columns)
    added = [Column(name=name, type=ColumnType.DATETIME) for name in (VALID_FROM, VALID_TO) if name not in names]
    return [*columns, *added]


class Fresh:
    """The new rows of a delivery, once each key."""

    def __init__(self, path: Path, new: Iterator[pa.RecordBatch], merge: Merge, schema: pa.Schema) -> None:
        self._path, self._merge, self._schema = path, merge, schema
        found = [pa.array([], pa.string())]
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in new:
                completed = self._begin(batch)
                writer.write_batch(completed)
                found.append(self._keys(completed))
        all_keys = pa.chunked_array(found).combine_chunks()
        self._is_kept = _are_last(all_keys)
        kept = pa.array(np.flatnonzero(self._is_kept))
        self._known = all_keys.take(kept)
        self._places = kept.to_numpy(zero_copy_only=False)
        self._source = pa.memory_map(str(path))
        self._table = pa.ipc.open_file(self._source).read_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._source.close()
        self._path.unlink()

    def change(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """A batch of the base without the rows that are replaced; of a history: with the ends of those that change."""
        found = pc.index_in(self._keys(batch), value_set=self._known)
        if found.null_count == batch.num_rows:
            return batch
        if self._merge.at is None:
            return batch.filter(pc.is_null(found))
        return self._end_changed(batch, found)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The new rows, after the base has passed by."""
        start = 0
        for batch in self._table.to_batches():
            kept = self._is_kept[start : start + batch.num_rows]
            start += batch.num_rows
            yield batch.filter(pa.array(kept))

    def _begin(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._merge.at is None:
            return batch
        stamp = pa.scalar(self._merge.at, self._schema.field(VALID_FROM).type)
        columns = {name: batch.column(name) for name in batch.schema.names}
        columns[VALID_FROM] = pa.repeat(stamp, batch.num_rows)
        columns[VALID_TO] = pa.nulls(batch.num_rows, self._schema.field(VALID_TO).type)
        return pa.RecordBatch.from_arrays([columns[name] for name in self._schema.names], schema=self._schema)

    def _end_changed(self, batch: pa.RecordBatch, found: pa.Array) -> pa.RecordBatch:
        is_present = pc.and_(pc.is_valid(found), pc.is_null(batch.column(VALID_TO)))
        rows = np.flatnonzero(is_present.to_numpy(zero_copy_only=False))
        if not len(rows):
            return batch
        places = self._places[found.take(pa.array(rows)).to_numpy(zero_copy_only=False)]
        former, latter = batch.take(pa.array(rows)), self._table.take(pa.array(places))
        is_same = np.ones(len(rows), dtype=bool)
        for name in batch.schema.names:
            if name not in (VALID_FROM, VALID_TO):
                is_same &= _are_same(former.column(name), latter.column(name).combine_chunks())
        self._is_kept[places[is_same]] = False
        if is_same.all():
            return batch
        ends = np.zeros(batch.num_rows, dtype=bool)
        ends[rows[~is_same]] = True
        stamp = pa.scalar(self._merge.at, batch.column(VALID_TO).type)
        columns = [batch.column(name) for name in batch.schema.names]
        place = batch.schema.get_field_index(VALID_TO)
        columns[place] = pc.if_else(pa.array(ends), stamp, columns[place])
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema)

    def _keys(self, batch: pa.RecordBatch) -> pa.Array:
        """One text for each row. A separator within a text is doubled, so that no two keys have the same one."""
        parts = []
        for name in self._merge.key:
            text = batch.column(name).cast(self._schema.field(name).type).cast(pa.string())
            text = pc.replace_substring(text, _SEPARATOR, 2 * _SEPARATOR)
            parts.append(pc.if_else(pc.is_null(text), "n", pc.binary_join_element_wise("v", text, "")))
        return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, f"{_SEPARATOR}|{_SEPARATOR}")


def _are_last(all_keys: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Marks the last row of each key."""
    codes = all_keys.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, from_end = np.unique(codes[::-1], return_index=True)
    is_last = np.zeros(len(codes), dtype=bool)
    is_last[len(codes) - 1 - from_end] = True
    return is_last


def _are_same(former: pa.Array, latter: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if pa.types.is_nested(former.type):
        return np.array([one == other for one, other in zip(former.to_pylist(), latter.to_pylist(), strict=True)])
    both_missing = pc.and_(pc.is_null(former), pc.is_null(latter))
    equal = pc.fill_null(pc.equal(former, latter.cast(former.type)), False)
    same: np.ndarray[tuple[int], np.dtype[np.bool_]] = pc.or_(both_missing, equal).to_numpy(zero_copy_only=False)
    return same
