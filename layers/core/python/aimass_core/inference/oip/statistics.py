"""Counts and times of what this process has answered. Each Lambda process counts for itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Duration:
    """How often, and how long altogether."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int) -> None:
        """One more."""
        self.count += 1
        self.ns += ns

    def to_json(self) -> dict[str, int]:
        """In Triton's terms."""
        return {"count": self.count, "ns": self.ns}


@dataclass(slots=True)
class Counters:
    """Of one version of one endpoint."""

    num_rows: int = 0
    last_at_ms: int = 0
    success: Duration = field(default_factory=Duration)
    fail: Duration = field(default_factory=Duration)
    compute_input: Duration = field(default_factory=Duration)
    compute: Duration = field(default_factory=Duration)
    compute_output: Duration = field(default_factory=Duration)

    def to_json(self, name: str, version: int) -> dict[str, Any]:
        """An entry of `model_stats`."""
        return {
            "name": name,
            "version": str(version),
            "last_inference": self.last_at_ms,
            "inference_count": self.num_rows,
            "execution_count": self.compute.count,
            "inference_stats": {
                "success": self.success.to_json(),
                "fail": self.fail.to_json(),
                "queue": Duration().to_json(),
                "compute_input": self.compute_input.to_json(),
                "compute_infer": self.compute.to_json(),
                "compute_output": self.compute_output.to_json(),
            },
            "batch_stats": [],
        }


class Statistics:
    """Of everything that this process serves."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, str, int], Counters] = {}

    def of(self, endpoint_id: str, name: str, version: int) -> Counters:
        """The counters of one version of one endpoint."""
        return self._counters.setdefault((endpoint_id, name, version), Counters())

    @contextmanager
    def request(self, counters: Counters, *, num_rows: int) -> Iterator[None]:
        """Counts what happens inside as one request."""
        started = time.perf_counter_ns()
        is_answered = False
        try:
            yield
            is_answered = True
        finally:
            outcome = counters.success if is_answered else counters.fail
            outcome.add(time.perf_counter_ns() - started)
            counters.num_rows += num_rows if is_answered else 0
            counters.last_at_ms = time.time_ns() // 1_000_000
