"""How long one row takes; of the scripts that run in environments of other tools, so only Python's own library."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median


def median_ms(call: Callable[[], object], *, num_calls: int) -> float:
    """Of so many calls, one after the other."""
    seconds = []
    for _ in range(num_calls):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return 1e3 * median(seconds)
