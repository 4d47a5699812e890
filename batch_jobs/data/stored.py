"""Channels that are larger than memory: read from their Parquet files row group by row group, some rows at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from aimass_core.domain.schemas import Column, Schema
from batch_jobs.data.channels import ARROW_TYPES, Channel, empty, misfit, read_schema, to_types
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.sizes import row_bytes

_BATCH_BYTES = 16 * 1024**2
_MAX_BATCH_ROWS = 32_768
_BUFFER_BYTES = 1024**2
SAMPLE_BYTES = 64 * 1024**2
MAX_SAMPLE_ROWS = 200_000
_SAMPLE_GROUPS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """One of a file, whose rows stand in the channel from `first` to before `end`."""

    path: Path
    number: int
    first: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChannel:
    """Satisfies `Source`. `is_member` tells for each row of the files whether it belongs to the channel."""

    name: str
    schema: Schema
    groups: tuple[RowGroup, ...]
    is_member: NDArray[np.bool_]
    row_bytes: int
    """What a row takes in memory, about."""

    @property
    def num_rows(self) -> int:
        """See Source."""
        return int(np.count_nonzero(self.is_member))

    @property
    def rows(self) -> pa.Array:
        """See Source."""
        return pa.array(np.flatnonzero(self.is_member))

    def column(self, name: str) -> pa.ChunkedArray:
        """See Source."""
        (column,) = (column for column in self.schema.columns if column.name == name)
        chunks = [chunk for batch in self.batches([name]) for chunk in batch.table.column(name).chunks]
        return pa.chunked_array(chunks, ARROW_TYPES[column.type])

    def filter(self, mask: pa.Array, *, name: str | None = None) -> "StoredChannel":
        """See Source."""
        return self.take(np.flatnonzero(np.asarray(mask.to_numpy(zero_copy_only=False))), name=name)

    def take(self, index: Array, *, name: str | None = None) -> "StoredChannel":
        """The members of these positions, which ascend."""
        is_member = np.zeros_like(self.is_member)
        is_member[np.flatnonzero(self.is_member)[index]] = True
        return replace(self, name=name or self.name, is_member=is_member)

    def batches(self, names: Sequence[str] | None = None, *, row_bytes: int = 0) -> Iterator[Channel]:
        """All rows in order; `row_bytes`: what a row will take once it is decoded, where that is more.

        Raises:
            InvalidDataError: A file holds something else than the schema says.
        """
        columns = [column for column in self.schema.columns if names is None or column.name in names]
        size = min(max(_BATCH_BYTES // max(self.row_bytes, row_bytes), 1), _MAX_BATCH_ROWS)
        for group in self.groups:
            if not self.is_member[group.first : group.end].any():
                continue
            first = group.first
            try:
                for batch in _read_group(group, columns, size):
                    is_member = self.is_member[first : first + batch.num_rows]
                    if is_member.any():
                        rows = pa.array(first + np.flatnonzero(is_member))
                        table = to_types(batch, columns).filter(pa.array(is_member))
                        yield Channel(name=self.name, schema=self.schema, table=table, rows=rows)
                    first += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                raise misfit(f"{self.name}, row group {group.number} of {group.path.name}", error) from error

    def shares(self, num: int) -> list[Array]:
        """Positions of the members in every num-th row group, from each of the first ones on."""
        owner = np.zeros(len(self.is_member), dtype=np.int16)
        for number, group in enumerate(self.groups):
            owner[group.first : group.end] = number % num
        owner = owner[self.is_member]
        return [np.flatnonzero(owner == rank) for rank in range(num)]

    def choose_sample(self, *, seed: int, row_bytes: int = 0) -> Array:
        """Positions of some members, ascending: all, or as many from each of up to 64 row groups as it has a share."""
        counts = np.array([np.count_nonzero(self.is_member[group.first : group.end]) for group in self.groups])
        limit = min(MAX_SAMPLE_ROWS, max(SAMPLE_BYTES // max(self.row_bytes, row_bytes), 256))
        if counts.sum() <= limit:
            return np.arange(counts.sum())
        generator = np.random.default_rng(seed)
        filled = np.flatnonzero(counts)
        groups = np.sort(generator.choice(filled, size=min(_SAMPLE_GROUPS, len(filled)), replace=False))
        share = limit / counts[groups].sum()
        starts = np.cumsum(counts) - counts
        return np.concatenate(
            [
                starts[group]
                + np.sort(generator.choice(counts[group], size=_portion(counts[group], share), replace=False))
                for group in groups.tolist()
            ]
        )

    def load(self) -> Channel:
        """In memory: of a sample."""
        batches = list(self.batches())
        return Channel(
            name=self.name,
            schema=self.schema,
            table=pa.concat_tables([batch.table for batch in batches]),
            rows=pa.concat_arrays([batch.rows for batch in batches]),
        )

    def nothing(self) -> Channel:
        """No row, in memory: what is wrong with the columns themselves is wrong with these."""
        table = pa.table({column.name: pa.array([], ARROW_TYPES[column.type]) for column in self.schema.columns})
        return Channel(name=self.name, schema=self.schema, table=table, rows=pa.array([], pa.int64()))


def _portion(count: int, share: float) -> int:
    return min(max(int(count * share), 1), int(count))


def open_channel(name: str, path: Path) -> StoredChannel:
    """Looks at the files, and reads the columns that are of another type than the schema says.

    Raises:
        InvalidDataError: As `read_channel` does.
    """
    schema = read_schema(path)
    groups: list[RowGroup] = []
    strange: set[str] = set()
    num_rows = num_bytes = 0
    try:
        for file in sorted(path.glob("*.parquet")):
            metadata = pq.read_metadata(file)
            types = {field.name: field.type for field in metadata.schema.to_arrow_schema()}
            strange |= {c.name for c in schema.columns if types.get(c.name, ARROW_TYPES[c.type]) != ARROW_TYPES[c.type]}
            for number in range(metadata.num_row_groups):
                group = metadata.row_group(number)
                groups.append(RowGroup(path=file, number=number, first=num_rows, end=num_rows + group.num_rows))
                num_rows, num_bytes = num_rows + group.num_rows, num_bytes + group.total_byte_size
    except pa.ArrowException as error:
        raise misfit(name, error) from error
    if num_rows == 0:
        raise empty(name)
    channel = StoredChannel(
        name=name,
        schema=schema,
        groups=tuple(groups),
        is_member=np.ones(num_rows, dtype=bool),
        row_bytes=num_bytes // num_rows + max(row_bytes(schema), 1),
    )
    if strange:
        for _ in channel.batches(sorted(strange)):
            pass
    return channel


def _read_group(group: RowGroup, columns: Sequence[Column], size: int) -> Iterator[pa.Table]:
    with pq.ParquetFile(group.path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
        present = set(file.schema_arrow.names)
        names = [column.name for column in columns if column.name in present]
        if not names:  # pyarrow reads no rows of no columns
            yield from _no_columns(group, size)
            return
        for batch in file.iter_batches(batch_size=size, row_groups=[group.number], columns=names):
            yield pa.Table.from_batches([batch])


def _no_columns(group: RowGroup, size: int) -> Iterator[pa.Table]:
    for first in range(group.first, group.end, size):
        rows = min(size, group.end - first)
        yield pa.table({"": pa.nulls(rows)})


Read = Callable[[Channel], Frame]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFrame:
    """Rows of a channel, each batch of them made a `Frame` as it is read."""

    channel: StoredChannel
    names: tuple[str, ...]
    read: Read
    row_bytes: int

    @property
    def num_rows(self) -> int:
        """How many."""
        return self.channel.num_rows

    def take(self, index: Array) -> "StoredFrame":
        """The rows of these positions, which ascend."""
        return replace(self, channel=self.channel.take(index))

    def batches(self) -> Iterator[Frame]:
        """All rows in order."""
        for batch in self.channel.batches(self.names, row_bytes=self.row_bytes):
            yield self.read(batch)

    def load(self) -> Frame:
        """In memory: of a sample."""
        frames = list(self.batches())
        columns: dict[str, Any] = {
            name: np.concatenate([frame.columns[name] for frame in frames]) for name in self.names
        }
        return Frame(columns=columns, num_rows=self.num_rows)


def stored_frame(channel: StoredChannel, columns: Sequence[Column], read: Read, *, row_bytes: int) -> StoredFrame:
    """Raises InvalidDataError where the channel's columns cannot be read so."""
    read(channel.nothing())
    return StoredFrame(channel=channel, names=tuple(column.name for column in columns), read=read, row_bytes=row_bytes)
