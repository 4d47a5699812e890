"""Works on columns and blocks side by side: Arrow's kernels leave the interpreter's lock, so cores are used."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import pyarrow as pa

ItemT = TypeVar("ItemT")
StateT = TypeVar("StateT")
ResultT = TypeVar("ResultT")
# With fewer, handing them to a thread takes longer than the work.
_MIN_ROWS = 2_048


def for_each_column(
    work: Callable[[StateT, pa.Array], ResultT], states: Sequence[StateT], columns: Sequence[pa.Array]
) -> list[ResultT]:
    """`work` on each column with the state that belongs to it; the results in order."""
    if not columns or len(columns[0]) < _MIN_ROWS:
        return list(map(work, states, columns))
    return list(_pool().map(work, states, columns))


def ahead(work: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
    """`work` on each item; the results in order. While one is used, as many are made as there are cores."""
    waiting: deque[Future[ResultT]] = deque()
    for item in items:
        waiting.append(_pool().submit(work, item))
        if len(waiting) > _num_threads():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def collected(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches of one schema; small ones are joined, since each costs something whatever its size."""
    waiting: list[pa.RecordBatch] = []
    num_rows = 0
    for batch in batches:
        if batch.num_rows >= _MIN_ROWS and not waiting:
            yield batch
            continue
        waiting.append(batch)
        num_rows += batch.num_rows
        if num_rows >= _MIN_ROWS:
            yield pa.concat_batches(waiting)
            waiting, num_rows = [], 0
    if waiting:
        yield pa.concat_batches(waiting)


def _num_threads() -> int:
    return max(2, os.cpu_count() or 1)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_num_threads(), thread_name_prefix="ingest-columns")
