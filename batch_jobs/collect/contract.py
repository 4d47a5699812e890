"""The schema contract of one stream: which columns and types its records may have."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.sources import ContractMode, OnViolation, SchemaContract
from batch_jobs.collect.errors import ContractBrokenError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d{1,19}")
_MAX_INTEGER = 2**63 - 1


class RowRefusedError(Exception):
    """A row that goes to quarantine: which column, and what is wrong with it."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.column = reason, column


@dataclass(slots=True)
class Contract:
    """What is known of a stream's columns, and what happens to what is not.

    `columns` is None where nothing is known: then every column is let in. Columns without a type in `types` take every
    value, and their type is found out from all of them.
    """

    stream: str
    columns: frozenset[str] | None
    types: Mapping[str, ColumnType]
    modes: SchemaContract
    on_violation: OnViolation
    num_left_out: dict[str, int] = field(default_factory=dict)
    _fits: dict[str, Callable[[Any], bool]] = field(init=False)

    def __post_init__(self) -> None:
        checked = {} if self.modes.types is ContractMode.EVOLVE else self.types
        self._fits = {name: _FITS[found] for name, found in checked.items() if found in _FITS}

    def check(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record as it may go on.

        Raises:
            RowRefusedError: it may not.
            ContractBrokenError: the run may not.
        """
        if self.columns is not None and not record.keys() <= self.columns:
            record = self._check_columns(record, self.columns)
        changed: dict[str, Any] | None = None
        for name, value in record.items():
            if value is None:
                continue
            fits = self._fits.get(name)
            if fits is not None and not fits(value):
                changed = changed or dict(record)
                self._refuse(name, value)
                changed[name] = None
        return record if changed is None else changed

    def _check_columns(self, record: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
        mode = self.modes.columns
        if mode is ContractMode.EVOLVE:
            return record
        added = [name for name in record if name not in known]
        reason = f"The column {added[0]!r} is not in the contract, which has {sorted(known)[:20]}."
        if mode is ContractMode.DISCARD_ROW and self.on_violation is not OnViolation.NULL:
            self.violate(reason, added[0])
        if mode is ContractMode.FREEZE:
            raise self._broken(reason)
        for name in added:
            self._leave_out(name)
        return {name: value for name, value in record.items() if name in known}

    def _refuse(self, name: str, value: Any) -> None:
        """Returns where only the value is left out."""
        reason = f"{_shown(value)} is not of the type {self.types[name]} that the column has."
        mode = self.modes.types
        if mode is ContractMode.FREEZE:
            raise self._broken(f"Column {name!r}: {reason}")
        if mode is ContractMode.DISCARD_ROW and self.on_violation is not OnViolation.NULL:
            self.violate(reason, name)
        self._leave_out(name)

    def violate(self, reason: str, column: str | None = None) -> None:
        """What the policy does about a row that breaks the contract. Always raises."""
        if self.on_violation is OnViolation.STOP:
            raise self._broken(f"Column {column!r}: {reason}" if column else reason)
        raise RowRefusedError(reason, column)

    def _leave_out(self, name: str) -> None:
        self.num_left_out[name] = self.num_left_out.get(name, 0) + 1

    def _broken(self, reason: str) -> ContractBrokenError:
        return ContractBrokenError(
            f"The stream {self.stream!r} breaks its contract, and the run has stopped; nothing of the stream was kept. "
            f"{reason} Change policy.contract or policy.on_violation to let such rows in, or correct the source."
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) <= _MAX_INTEGER
    if isinstance(value, float):
        return value.is_integer() and abs(value) < _MAX_INTEGER
    return isinstance(value, str) and (not value.strip() or _INTEGER.fullmatch(value.strip()) is not None)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return not isinstance(value, float) or not math.isinf(value)
    return isinstance(value, str) and (not value.strip() or _NUMBER.fullmatch(value.strip()) is not None)


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in ("true", "false", ""))


def _is_datetime(value: Any) -> bool:
    """NOTE: text in another known form than ISO is judged by the conversion."""
    if not isinstance(value, str):
        return False
    try:
        datetime.fromisoformat(value.strip())
    except ValueError:
        return value.strip()[:1].isdigit() or not value.strip()
    return True


def _is_series(value: Any) -> bool:
    return isinstance(value, list) and all(each is None or _is_number(each) for each in value)


_FITS: dict[ColumnType, Callable[[Any], bool]] = {
    ColumnType.INTEGER: _is_integer,
    ColumnType.NUMBER: _is_number,
    ColumnType.BOOLEAN: _is_boolean,
    ColumnType.DATETIME: _is_datetime,
    ColumnType.SERIES: _is_series,
}
