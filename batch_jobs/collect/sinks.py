"""Where the records of one stream go: judged by the policy, and then to the local disk until the run delivers them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from aimass_core.domain.common import JsonScalar
from aimass_core.domain.datasets import QuarantinedRow
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.sources import CollectionPolicy, ContractMode, Cursor, OnViolation, StreamMode
from aimass_core.services.flattening import MAX_NESTING, TooNestedError, flatten, is_allowed
from aimass_core.services.ingest.conversion import LocalFile
from aimass_core.services.ingest.evolution import VALID_FROM, VALID_TO
from aimass_core.services.pii import PiiFilter
from batch_jobs.collect.contract import Contract, RowRefusedError
from batch_jobs.collect.cursors import Watermark
from batch_jobs.collect.errors import ContractBrokenError

_MAX_TEXT, _MAX_REASON = 2_000, 500
_to_line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """What holds for one stream: the source's policy with what the stream has of its own."""

    name: str
    mode: StreamMode
    primary_key: Sequence[str]
    cursor: Cursor | None
    policy: CollectionPolicy

    @property
    def has_rules(self) -> bool:
        """Whether each record has to be looked at. Else a file can go on as it is."""
        policy = self.policy
        return (
            self.cursor is not None
            or bool(self.primary_key)
            or policy.allowed_fields is not None
            or bool(policy.pii.columns)
            or policy.pii.detected is not None
            or policy.contract.columns is not ContractMode.EVOLVE
            or policy.contract.types not in (ContractMode.EVOLVE, ContractMode.DISCARD_ROW)
            or policy.on_violation is not OnViolation.QUARANTINE
            or policy.max_rows_per_run is not None
            or policy.max_rows_per_day is not None
        )


def plan(
    name: str, policy: CollectionPolicy, *, primary_key: Sequence[str] = (), cursor: Cursor | None = None
) -> StreamPlan:
    """What holds for a stream: its own policy, then the source's, then what the collector says (`primary_key`,
    `cursor`)."""
    own = policy.streams.get(name)
    keys = (own.primary_key if own is not None else None) or policy.primary_key or primary_key
    mode = (own.mode if own is not None else None) or policy.mode
    found = (own.cursor if own is not None else None) or policy.cursor or cursor
    return StreamPlan(name=name, mode=mode, primary_key=tuple(keys), cursor=found, policy=policy)


@dataclass(frozen=True, slots=True)
class _Mark:
    num_bytes: int = 0
    num_refused_bytes: int = 0
    num_rows: int = 0
    num_refused: int = 0
    highest: JsonScalar = None


@dataclass(slots=True, kw_only=True)
class Sink:
    """One stream of a run.

    Attributes:
        num_rows: records that were taken, so far; `num_refused` went to quarantine, `num_old` were known already.
        files: whole files that go on as they are.
    """

    plan: StreamPlan
    contract: Contract
    pii: PiiFilter
    watermark: Watermark | None
    work_path: Path
    declared: Mapping[str, ColumnType] = field(default_factory=dict)
    files: list[LocalFile] = field(default_factory=list)
    num_rows: int = 0
    num_refused: int = 0
    num_old: int = 0
    num_bytes: int = 0
    _seen: set[str] = field(default_factory=set, init=False)
    _stream: IO[bytes] = field(init=False)
    _quarantine: IO[bytes] = field(init=False)
    _num_read: int = field(default=0, init=False)
    _num_refused_bytes: int = field(default=0, init=False)
    _mark: _Mark | None = field(default=None, init=False)
    # Where the rows with the present value of the cursor begin: if they are cut, all of them come again.
    _boundary: _Mark | None = field(default=None, init=False)
    _pick: Callable[[dict[str, Any]], dict[str, Any]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.work_path.mkdir(parents=True)
        self._stream = (self.work_path / "records.jsonl").open("wb")
        self._quarantine = (self.work_path / "quarantine.jsonl").open("wb")
        allowed = self.plan.policy.allowed_fields
        if allowed is not None:
            kept = frozenset(allowed)
            self._pick = lambda record: {name: value for name, value in record.items() if is_allowed(name, kept)}

    def add(self, record: dict[str, Any]) -> None:
        """Takes one record. Raises ContractBrokenError where the run must stop."""
        self._num_read += 1
        flat, is_hidden = record, False
        try:
            try:
                flat = flatten(record)
            except TooNestedError:
                self.contract.violate(f"Objects are nested more than {MAX_NESTING} deep.")
            if self.watermark is not None and not self._is_new(flat, self.watermark):
                return
            if self._pick is not None:
                flat = self._pick(flat)
            flat, is_hidden = self.pii.apply(flat), True
            for name in self.plan.primary_key:
                if flat.get(name) is None:
                    self.contract.violate("The primary key has no value.", name)
            flat = self.contract.check(flat)
        except RowRefusedError as error:
            if self.plan.policy.on_violation is OnViolation.STOP:
                raise ContractBrokenError(f"The stream {self.plan.name!r} has stopped: {error.reason}") from error
            self._refuse(flat if is_hidden else self._hide(flat), error)
            return
        self._seen.update(flat)
        line = _to_line(flat).encode("utf-8", "surrogatepass")
        self._stream.write(line)
        self._stream.write(b"\n")
        self.num_bytes += len(line) + 1
        self.num_rows += 1

    def refuse(self, row: QuarantinedRow) -> None:
        """Keeps a row apart."""
        line = row.model_dump_json().encode() + b"\n"
        self._quarantine.write(line)
        self._num_refused_bytes += len(line)
        self.num_refused += 1

    def add_file(self, file: LocalFile) -> None:
        """Takes a whole file, which the conversion reads."""
        self.files.append(file)
        self.num_bytes += file.path.stat().st_size

    def mark(self) -> None:
        """What came until now is whole: the collector has said from where it can go on."""
        self._mark = self._here()

    def peek(self, record: dict[str, Any]) -> None:
        """The record that would be the next: if its cursor is larger than all before, those are whole."""
        if self._mark is None and self.watermark is not None and self.watermark.is_beyond(record):
            self.mark()

    def rewind(self) -> bool:
        """Drops what came after the last place from which another run can go on; False where there is none."""
        mark = self._mark
        if mark is None and self.watermark is not None and self.watermark.is_ascending:
            mark = self._boundary
        if mark is None or not (mark.num_rows or mark.num_refused):
            return bool(self.files)
        self._stream.truncate(mark.num_bytes)
        self._stream.seek(mark.num_bytes)
        self._quarantine.truncate(mark.num_refused_bytes)
        self._quarantine.seek(mark.num_refused_bytes)
        self.num_bytes, self._num_refused_bytes = mark.num_bytes, mark.num_refused_bytes
        self.num_rows, self.num_refused = mark.num_rows, mark.num_refused
        if self.watermark is not None:
            self.watermark.highest = mark.highest
        return True

    def _here(self) -> _Mark:
        highest = None if self.watermark is None else self.watermark.highest
        return _Mark(self.num_bytes, self._num_refused_bytes, self.num_rows, self.num_refused, highest)

    def finish(self) -> tuple[list[LocalFile], Path | None]:
        """The files to deliver, and those rows that were refused."""
        self.close()
        files = list(self.files)
        if self.num_rows:
            files.append(LocalFile(path=Path(self._stream.name), display_name=self.plan.name))
        if self.num_refused and self.plan.policy.on_violation is OnViolation.REJECT:
            files = []
        return files, Path(self._quarantine.name) if self.num_refused else None

    def close(self) -> None:
        """Idempotent."""
        self._stream.close()
        self._quarantine.close()

    def missing_columns(self) -> list[str]:
        """Columns of the contract that no row of the run had."""
        if self.contract.columns is None or not self.num_rows or self.files:
            return []
        return sorted(self.contract.columns - self._seen - {VALID_FROM, VALID_TO})

    def notes(self) -> list[str]:
        """What the owner of the source should know."""
        name, found = self.plan.name, []
        if self.num_refused:
            found.append(f"{name}: {self.num_refused:,} of {self._num_read:,} records went to quarantine.")
        if self.watermark is not None and self.watermark.num_ahead:
            found.append(
                f"{name}: the cursor of {self.watermark.num_ahead:,} records lies in the future. They were kept, but "
                "the cursor did not move there, so they come again."
            )
        for what, counts in (
            ("values were left out, as the contract says", self.contract.num_left_out),
            ("values that name a person were hidden", self.pii.num_detected),
        ):
            found += [f"{name}: {count:,} {what}, in column {column!r}." for column, count in list(counts.items())[:20]]
        missing = self.missing_columns()
        if missing:
            found.append(f"{name}: no record had the columns {missing[:20]}, which the version before has.")
        return found

    def _refuse(self, hidden: dict[str, Any], error: RowRefusedError) -> None:
        self.refuse(
            QuarantinedRow(
                file=self.plan.name,
                line=self._num_read,
                column=error.column,
                reason=error.reason[:_MAX_REASON],
                text=_to_line(hidden)[:_MAX_TEXT],
            )
        )

    def _is_new(self, flat: dict[str, Any], watermark: Watermark) -> bool:
        here, before = self._here(), watermark.highest
        if not watermark.takes(flat):
            self.num_old += 1
            return False
        if watermark.highest != before:
            self._boundary = here
        return True

    def _hide(self, flat: dict[str, Any]) -> dict[str, Any]:
        """A row that was refused before its fields were picked and hidden."""
        return self.pii.apply(self._pick(flat) if self._pick is not None else flat)
