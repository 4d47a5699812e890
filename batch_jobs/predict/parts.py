"""Parts of a dataset version's rows: read batch by batch, answered by whoever comes first, each kept once."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aimass_core.domain import keys
from aimass_core.domain.batch_predictions import BatchPrediction
from aimass_core.domain.schemas import Column
from aimass_core.ports import BlobStore
from aimass_core.services.ingest import own_files
from batch_jobs.data.channels import Channel, misfit, to_types
from batch_jobs.data.stored import RowGroup, StoredChannel

_MAX_ROWS, _MIN_ROWS = 131_072, 1_024
# Of each worker, so that those who are done early help the others.
_PER_WORKER = 8
_DELIVERED = "delivered.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Rows of one row group, from `first` to before `end` as they stand in the dataset."""

    group: RowGroup
    first: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows that are answered together, one after the other."""

    number: int
    spans: tuple[Span, ...]

    @property
    def num_rows(self) -> int:
        """How many."""
        return sum(span.end - span.first for span in self.spans)

    @property
    def name(self) -> str:
        """Of the file with the answers."""
        return f"{self.number:06d}.arrow"


def divide(channel: StoredChannel, *, num_workers: int) -> list[Part]:
    """The same for every worker and every attempt: small row groups together, large ones in pieces where there are
    several workers."""
    size = _MAX_ROWS
    if num_workers > 1:
        size = min(max(channel.num_rows // (num_workers * _PER_WORKER), _MIN_ROWS), _MAX_ROWS)
    parts: list[Part] = []
    pending: list[Span] = []
    for span in (span for group in channel.groups for span in _cut(group, size if num_workers > 1 else group.end)):
        if pending and sum(each.end - each.first for each in pending) + span.end - span.first > size:
            parts.append(Part(number=len(parts), spans=tuple(pending)))
            pending = []
        pending.append(span)
    if pending:
        parts.append(Part(number=len(parts), spans=tuple(pending)))
    return parts


def _cut(group: RowGroup, size: int) -> Iterator[Span]:
    for first in range(group.first, group.end, size):
        yield Span(group=group, first=first, end=min(first + size, group.end))


def in_turn(parts: Sequence[Part], *, index: int, num_workers: int) -> list[Part]:
    """A worker's own share first, in order; then those of the others from their ends: they may be slow, or lost."""
    bounds = [len(parts) * each // num_workers for each in range(num_workers + 1)]
    shares = [parts[first:end] for first, end in itertools.pairwise(bounds)]
    others = [part for step in range(1, num_workers) for part in reversed(shares[(index + step) % num_workers])]
    return [*shares[index], *others]


def read(channel: StoredChannel, part: Part, columns: Sequence[Column], *, batch_rows: int) -> Iterator[Channel]:
    """The rows of a part, some at a time. Raises InvalidDataError where a file is not what its schema says."""
    for span in part.spans:
        position = span.group.first
        try:
            with pq.ParquetFile(span.group.path, pre_buffer=False) as file:
                present = set(file.schema_arrow.names)
                names = [column.name for column in columns if column.name in present]
                for batch in file.iter_batches(batch_size=batch_rows, row_groups=[span.group.number], columns=names):
                    first, end = max(position, span.first), min(position + batch.num_rows, span.end)
                    if first < end:
                        table = pa.Table.from_batches([batch.slice(first - position, end - first)])
                        rows = pa.array(np.arange(first, end))
                        yield Channel(
                            name=channel.name, schema=channel.schema, table=to_types(table, columns), rows=rows
                        )
                    position += batch.num_rows
                    if position >= span.end:
                        break
        except (pa.ArrowException, OSError) as error:
            raise misfit(f"{channel.name}, row group {span.group.number} of {span.group.path.name}", error) from error


def read_before(channel: StoredChannel, part: Part, columns: Sequence[Column], *, num_rows: int) -> pa.Table:
    """So many rows before a part, or as many as there are."""
    end = part.spans[0].first
    first = max(end - num_rows, 0)
    spans = tuple(
        Span(group=group, first=max(group.first, first), end=min(group.end, end))
        for group in channel.groups
        if group.first < end and group.end > first
    )
    before = Part(number=part.number, spans=spans)
    tables = [batch.table for batch in read(channel, before, columns, batch_rows=_MAX_ROWS)]
    return pa.concat_tables(tables) if tables else channel.nothing().table.select([column.name for column in columns])


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStore:
    """Where the workers of a job leave answers. A part has the same rows whoever writes it, so that twice is once."""

    lake: BlobStore
    workspace_id: str
    job_id: str

    def has(self, part: Part) -> bool:
        """Whether somebody has answered it."""
        return self.lake.head(self._key(part.name)) is not None

    def put(self, part: Part, path: Path) -> None:
        """As a whole, or not at all."""
        self.lake.upload(path, self._key(part.name), content_type=own_files.MEDIA_TYPE)

    def fetch(self, part: Part, path: Path) -> None:
        """To a file."""
        self.lake.download(self._key(part.name), path)

    def finish(self, document: BatchPrediction) -> None:
        """Once all are delivered: who is not done yet, or comes again, has nothing to do any more."""
        self.lake.put(
            self._key(_DELIVERED), document.model_dump_json(indent=1).encode(), content_type="application/json"
        )
        for info in self.lake.list(self._key("")):
            if info.key != self._key(_DELIVERED):
                self.lake.delete(info.key)

    def find_delivered(self) -> BatchPrediction | None:
        """What was delivered; None before."""
        if self.lake.head(self._key(_DELIVERED)) is None:
            return None
        return BatchPrediction.model_validate_json(self.lake.get(self._key(_DELIVERED)))

    def _key(self, name: str) -> str:
        return keys.job_prediction(self.workspace_id, self.job_id, name)
