"""What an endpoint's versions have answered: counts by the minute, and of rollouts."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract

# Renard's series R10: each step is a quarter more.
_R10 = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
# Upper bounds of the latency buckets in milliseconds, 0.1 ms to 80 s; the last bucket, beyond them, has none.
# NOTE: stored counts are by the index: a change makes those of before wrong.
BOUNDS_MS = tuple(round(step * 10.0**power, 3) for power in range(-1, 5) for step in _R10)
_BUCKET = "ms_"


class Counts(Contract):
    """Of one version. Add them up with `+`."""

    requests: int = Field(default=0, description="All that the version was given.")
    errors: int = Field(default=0, description="Requests that it could not answer, by no fault of the caller.")
    refused: int = Field(default=0, description="Requests that were wrong.")
    rows: int = Field(default=0, description="Answered ones.")
    row_errors: int = Field(default=0, description="Rows of answered requests that could not be read.")
    compared: int = Field(default=0, description="Rows that another version was asked about too.")
    disagreed: int = Field(default=0, description="Rows of those for which the other one had another answer.")
    microseconds: int = Field(default=0, description="Of all answered requests together.")
    latencies: list[int] = Field(
        default=[0] * (len(BOUNDS_MS) + 1),
        description="Answered requests by their time: one bucket for each bound of BOUNDS_MS, and one beyond.",
    )

    @property
    def error_rate(self) -> float | None:
        """Of the requests that were right. None where there are none."""
        valid = self.requests - self.refused
        return self.errors / valid if valid > 0 else None

    @property
    def disagreement(self) -> float | None:
        """Of the compared rows. None where there are none."""
        return self.disagreed / self.compared if self.compared else None

    def percentile_ms(self, share: float) -> float | None:
        """The time that this share of answered requests kept to, interpolated within its bucket. None: none answered.

        Beyond the last bound, the last bound.
        """
        total = sum(self.latencies)
        if not total:
            return None
        rank = share * total
        before = [0, *accumulate(self.latencies)]
        index = next(i for i, count in enumerate(self.latencies) if count and before[i + 1] >= rank)
        if index == len(BOUNDS_MS):
            return BOUNDS_MS[-1]
        low = BOUNDS_MS[index - 1] if index else 0.0
        return low + (BOUNDS_MS[index] - low) * (rank - before[index]) / self.latencies[index]

    def __add__(self, other: "Counts") -> "Counts":
        return Counts.from_amounts(_sum(self.to_amounts(), other.to_amounts()))

    def to_amounts(self) -> dict[str, int]:
        """As they are stored: those that are not 0, by name, each bucket with a name of its own."""
        named = {name: getattr(self, name) for name in _NAMES}
        buckets = {f"{_BUCKET}{index}": count for index, count in enumerate(self.latencies)}
        return {name: amount for name, amount in {**named, **buckets}.items() if amount}

    @classmethod
    def from_amounts(cls, amounts: Mapping[str, int]) -> "Counts":
        """The reverse of `to_amounts`."""
        latencies = [int(amounts.get(f"{_BUCKET}{index}", 0)) for index in range(len(BOUNDS_MS) + 1)]
        return cls(**{name: int(amounts.get(name, 0)) for name in _NAMES}, latencies=latencies)


_NAMES = tuple(name for name in Counts.model_fields if name != "latencies")


class MinuteCounts(Contract):
    """Of one version in one minute. `is_shadow`: nobody was given its answers."""

    minute: AwareDatetime
    model_id: str
    model_name: str
    number: int
    is_shadow: bool = False
    counts: Counts


class RolloutCounts(Contract):
    """Of both versions since a rollout began."""

    stable: Counts = Field(default_factory=Counts)
    candidate: Counts = Field(default_factory=Counts)


def bucket_of(milliseconds: float) -> int:
    """The index of the bucket of one request."""
    return bisect_left(BOUNDS_MS, milliseconds)


def total(counts: Iterable[Counts]) -> Counts:
    """All together."""
    amounts: dict[str, int] = {}
    for each in counts:
        amounts = _sum(amounts, each.to_amounts())
    return Counts.from_amounts(amounts)


def _sum(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in {**left, **right}}
