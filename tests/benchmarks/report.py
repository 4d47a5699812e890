"""Measuring, and printing what was measured."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How long something took: by the clock, and of all processors that this process had meanwhile."""

    seconds: float
    processor_seconds: float


def compare(calls: Mapping[str, Callable[[], object]], *, num_rounds: int, warm: int = 1) -> dict[str, Span]:
    """The medians of calls that take turns, so that a slow minute of the machine is no one's alone."""
    found: dict[str, list[Span]] = {name: [] for name in calls}
    for number in range(warm + num_rounds):
        for name, call in calls.items():
            started, used = time.perf_counter(), time.process_time()
            call()
            span = Span(seconds=time.perf_counter() - started, processor_seconds=time.process_time() - used)
            if number >= warm:
                found[name].append(span)
    return {
        name: Span(
            seconds=median(span.seconds for span in spans),
            processor_seconds=median(span.processor_seconds for span in spans),
        )
        for name, spans in found.items()
    }


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


def processor_seconds(pid: int) -> float:
    """What a process and those that it started have used until now."""
    process, used = psutil.Process(pid), 0.0
    for each in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            used += times.user + times.system
    return used


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """To the terminal, past pytest's capture (`-s`)."""
    table = Table(*header, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console(width=140).print(table)
