"""What can go wrong between two steps, and stores in memory in which it does."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from aimass_core.adapters.memory import MemoryRegistry, first_of_status, status_of
from aimass_core.domain import keys
from aimass_core.domain.common import Resource
from aimass_core.errors import UnavailableError
from aimass_core.ports import Put, Row, Write

ResultT = TypeVar("ResultT")
ResourceT = TypeVar("ResourceT", bound=Resource)


class CrashError(BaseException):
    """The process that runs a handler is gone: nothing that catches exceptions keeps it."""


class When(StrEnum):
    """What happens at an effect.

    The process dies BEFORE or AFTER it, or others do their work MEANWHILE; the service refuses it (THROTTLED), or does
    it and the answer is lost (UNANSWERED).
    """

    BEFORE = "before"
    AFTER = "after"
    MEANWHILE = "meanwhile"
    THROTTLED = "throttled"
    UNANSWERED = "unanswered"


class Plan(Protocol):
    """Which effects go wrong, by their number."""

    def get(self, number: int, /) -> When | None: ...


@dataclass(frozen=True, slots=True)
class Chances:
    """Each effect goes wrong with a probability."""

    rng: random.Random
    probability: float

    def get(self, number: int, /) -> When | None:
        """Drawn anew each time."""
        return self.rng.choice(list(When)) if self.rng.random() < self.probability else None


@dataclass
class Faults:
    """Counts effects, and lets those of its plan go wrong."""

    plan: Plan = field(default_factory=dict)
    is_armed: bool = False
    num_acts: int = 0
    """All that was tried, with or without a fault of the plan."""
    num_effects: int = 0
    num_faults: int = 0
    place: str = ""
    """Which process is at work."""
    places: Counter[str] = field(default_factory=Counter)
    """How many effects each of them had."""
    intrude: Callable[[], object] = lambda: None

    def effect(self, act: Callable[[], ResultT]) -> ResultT:
        """Does something that outlives the process."""
        self.num_acts += 1
        if not self.is_armed:
            return act()
        self.num_effects += 1
        self.places[self.place] += 1
        when = self.plan.get(self.num_effects)
        self.num_faults += when is not None
        if when is When.BEFORE:
            raise CrashError
        if when is When.THROTTLED:
            raise UnavailableError("The service is throttled. Try again.")
        if when is When.MEANWHILE:
            self.intrude()
        result = act()
        if when is When.AFTER:
            raise CrashError
        if when is When.UNANSWERED:
            raise UnavailableError("The service has not answered in time. Try again.")
        return result


def faulty(store: ResultT, faults: Faults, *methods: str) -> ResultT:
    """The store, whose named methods are effects from now on."""

    def make(act: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **options: faults.effect(lambda: act(*args, **options))

    for name in methods:
        setattr(store, name, make(getattr(store, name)))
    return store


class FaultyRegistry(MemoryRegistry):
    """Announces what the real table's stream does; its index may lag behind, as a global secondary index does."""

    def __init__(self, faults: Faults, announce: Callable[[Row], None]) -> None:
        super().__init__()
        self._faults, self._announce = faults, announce
        self._index: dict[str, dict[keys.RowKey, Row]] = {}
        self._indexed: dict[keys.RowKey, str] = {}
        """In which partition of the index a row is."""
        self._by_resource: dict[str, dict[keys.RowKey, Row]] = {}
        self._loaded: dict[keys.RowKey, tuple[Row, Any]] = {}
        self._lagging: list[tuple[keys.RowKey, Row | None]] = []
        self.draw_lag: Callable[[int], int] = lambda _: 0
        """Of so many changes, how many the index has not seen."""

    def write(self, *writes: Write) -> None:
        """See Registry."""
        self._faults.effect(lambda: self._write(*writes))

    def _write(self, *writes: Write) -> None:
        super().write(*writes)
        for write in writes:
            key = write.row.key if isinstance(write, Put) else write.key
            row = self._rows.get(key)
            self._lagging.append((key, row))
            if row is not None and row.resource:
                self._by_resource.setdefault(row.resource, {})[key] = row
            elif row is None:
                for rows in self._by_resource.values():
                    rows.pop(key, None)
            if isinstance(write, Put) and write.row.resource:
                self._announce(write.row)

    def query_status(self, partition: str, *, before: datetime | None = None, limit: int) -> Sequence[Row]:
        """See Registry."""
        num_seen = len(self._lagging) - (self.draw_lag(len(self._lagging)) if self._faults.is_armed else 0)
        for key, row in self._lagging[:num_seen]:
            self._show(key, row)
        del self._lagging[:num_seen]
        rows = list(self._index.get(partition, {}).values())
        return first_of_status(rows, before=before, limit=limit)

    def _show(self, key: keys.RowKey, row: Row | None) -> None:
        former = self._indexed.pop(key, None)
        if former is not None:
            del self._index[former][key]
        if row is not None and (partition := status_of(row)) is not None:
            self._indexed[key] = partition
            self._index.setdefault(partition, {})[key] = row

    def all(self, cls: type[ResourceT]) -> list[ResourceT]:
        """Every resource of a class."""
        return [self._load(cls, row) for row in self._by_resource.get(cls.resource, {}).values()]

    def _load(self, cls: type[ResourceT], row: Row) -> ResourceT:
        """Rows never change: each is validated once."""
        known = self._loaded.get(row.key)
        if known is None or known[0] is not row:
            known = self._loaded[row.key] = (row, cls.model_validate(row.data))
        return known[1]

    def count(self, prefix: str) -> int:
        """Rows whose sort key begins so."""
        return sum(key.sort.startswith(prefix) for key in self._rows)

    def rows(self) -> Iterator[Row]:
        """All of them."""
        yield from list(self._rows.values())
