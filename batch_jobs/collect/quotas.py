"""What a run and a day may bring."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aimass_core.domain import keys
from aimass_core.domain.sources import CollectionPolicy, SourceRecord
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Ports, Put, Row


@dataclass(slots=True)
class Usage:
    """The rows of the day (UTC), as the transactions of the runs count them."""

    key: keys.RowKey
    day: str
    num_rows: int
    revision: int

    @classmethod
    def load(cls, ports: Ports, record: SourceRecord) -> "Usage":
        """As it is now."""
        key = keys.row(record.workspace_id, "source_usage", record.id)
        day, row = ports.clock().date().isoformat(), ports.registry.get(key)
        num_rows = int(row.data["num_rows"]) if row is not None and row.data["day"] == day else 0
        return cls(key, day, num_rows, 0 if row is None else row.revision)

    def write(self, num_rows: int) -> Put:
        """Counts rows, in the transaction that makes them a version's."""
        data = {"day": self.day, "num_rows": self.num_rows + num_rows}
        return Put(row=Row(key=self.key, data=data, revision=self.revision + 1), expected=self.revision or None)

    def count(self, num_rows: int) -> None:
        """They were written."""
        self.num_rows, self.revision = self.num_rows + num_rows, self.revision + 1


@dataclass(slots=True)
class Quota:
    """How much more may be read."""

    policy: CollectionPolicy
    usage: Usage
    deadline: float
    monotonic: Callable[[], float] = time.monotonic
    _max_rows: int | None = field(init=False)

    def __post_init__(self) -> None:
        left = None
        if self.policy.max_rows_per_day is not None:
            left = self.policy.max_rows_per_day - self.usage.num_rows
            if left <= 0:
                raise InvalidRequestError(
                    f"The {self.policy.max_rows_per_day:,} rows that policy.max_rows_per_day allows were read on "
                    f"{self.usage.day} (UTC) already. Run it tomorrow, or raise the quota."
                )
        per_run = self.policy.max_rows_per_run
        self._max_rows = min(per_run, left) if per_run is not None and left is not None else per_run or left

    def find_reached(self, num_rows: int, num_bytes: int) -> str | None:
        """The limit that the next record would pass."""
        if self._max_rows is not None and num_rows >= self._max_rows:
            return f"{self._max_rows:,} rows are what this run may read"
        if self.policy.max_bytes_per_run is not None and num_bytes >= self.policy.max_bytes_per_run:
            return f"{self.policy.max_bytes_per_run:,} bytes are what a run may read"
        if self.monotonic() >= self.deadline:
            return f"{self.policy.max_seconds:,} s are what a run may read for"
        return None
