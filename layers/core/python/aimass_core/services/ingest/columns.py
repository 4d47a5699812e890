"""Works on the columns of a block side by side: Arrow's kernels leave the interpreter's lock, so cores are used."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import pyarrow as pa

StateT = TypeVar("StateT")
ResultT = TypeVar("ResultT")


def for_each_column(
    work: Callable[[StateT, pa.Array], ResultT], states: Sequence[StateT], columns: Sequence[pa.Array]
) -> list[ResultT]:
    """`work` on each column with the state that belongs to it; the results in order."""
    return list(_pool().map(work, states, columns))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1), thread_name_prefix="ingest-columns")
