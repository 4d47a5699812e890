"""Measuring, and printing what was measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table


def time_calls(call: Callable[[], object], *, num: int, warm: int = 10) -> np.ndarray:
    """Milliseconds of each call, after warming up."""
    for _ in range(warm):
        call()
    found = np.empty(num)
    for index in range(num):
        started = time.perf_counter()
        call()
        found[index] = (time.perf_counter() - started) * 1e3
    return found


def percentiles(milliseconds: np.ndarray) -> list[str]:
    """p50 and p99."""
    return [f"{np.percentile(milliseconds, q):.2f} ms" for q in (50, 99)]


def memory_mb(pid: int | None = None, *, command: str = "") -> float:
    """Resident memory of a process, or of all children of it whose command line has `command`."""
    process = psutil.Process(pid)
    if not command:
        return float(process.memory_info().rss / 1e6)
    children = [child for child in process.children(recursive=True) if command in " ".join(child.cmdline())]
    return float(sum(child.memory_info().rss for child in children) / 1e6)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """To the terminal, past pytest's capture (`-s`)."""
    table = Table(*header, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console(width=140).print(table)
