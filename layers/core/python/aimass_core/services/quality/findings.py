"""What a check found, before it is weighed by the severity of its expectation; and what it may look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from aimass_core.domain.column_sketches import Sketches
from aimass_core.domain.quality import Chart
from aimass_core.domain.schemas import Profile, Schema

MAX_EXAMPLES = 5
_MAX_EXAMPLE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`is_met` is None where there was nothing to compare with."""

    is_met: bool | None
    message: str
    observed: float | None = None
    limit: float | None = None
    num_rows: int | None = None
    examples: Sequence[str] = ()
    charts: Sequence[Chart] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known of a version when its rows have been seen, and of those before it.

    `fresh` is what this version brings: of an append its own rows alone. `former_counts` are the rows that each of the
    versions before it brought, newest first.
    """

    schema: Schema
    profile: Profile
    fresh: Sketches
    former: Sketches | None
    num_fresh: int
    former_counts: Sequence[int]
    now: datetime


class Check(Protocol):
    """One expectation at work: it sees every row once, then says what it found."""

    def add(self, batch: pa.RecordBatch) -> None:
        """Rows of the version's schema."""

    def finish(self, facts: Facts, /) -> Finding:
        """After the last rows."""


def skipped(message: str) -> Finding:
    """Nothing could be checked."""
    return Finding(is_met=None, message=message)


def missed(message: str) -> Finding:
    """It cannot be as expected, whatever the rows are."""
    return Finding(is_met=False, message=message)


def of_share(
    num_bad: int, num_all: int, max_share: float, *, what: str, examples: Sequence[str] = (), verb: str = "are"
) -> Finding:
    """Holds a share of rows against its limit. `what`: `outside of 0 to 120`."""
    share = num_bad / num_all if num_all else 0.0
    rows = "1 row is" if num_bad == 1 and verb == "are" else f"{num_bad:,} rows {verb}"
    message = f"{rows} {what}" + (f" ({share:.2%})" if num_bad else "")
    return Finding(
        is_met=share <= max_share,
        message=f"{message}; allowed: {max_share:.2%}." if max_share else f"{message}.",
        observed=share,
        limit=max_share,
        num_rows=num_bad,
        examples=examples,
    )


def to_example(value: object) -> str:
    """As a report shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if len(text) <= _MAX_EXAMPLE else f"{text[: _MAX_EXAMPLE - 1]}…"
