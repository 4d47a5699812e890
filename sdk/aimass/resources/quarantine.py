"""Quarantine: rows that were kept apart, their corrections, and replaying these."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimass.binding import Api, Pages, to_request
from aimass.resources.datasets import DatasetVersion
from aimass_core.domain.common import split_ref
from aimass_core.domain.quarantine import MAX_ROWS_REPLAYED, Quarantine, QuarantineItem, QuarantineReplay
from aimass_core.domain.spreadsheets import FORMULA_STARTS
from aimass_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from aimass.client import Client

_PATH = "/v1/datasets"
_PAGE = 100
POSITION, REASON, TEXT = "_position", "_reason", "_text"


class QuarantineApi(Api):
    """`client.quarantine`. A reference names a version: `adult@3`."""

    def list(self, dataset: str) -> Pages[Quarantine]:
        """What the versions of a dataset left out, newest first."""
        return self._list(Quarantine, f"{_PATH}/{dataset}/quarantine")

    def rows(self, reference: str) -> Pages[QuarantineItem]:
        """The rows that a version left out."""
        return self._list(QuarantineItem, _path(reference), limit=_PAGE)

    def save(self, reference: str, path: str | Path) -> int:
        """Writes the rows that wait for a correction to a CSV file that `replay_file` reads; returns how many.

        Beside the columns there are `_position`, `_reason` and, of rows whose cells could not be told apart, `_text`.
        Texts that a spreadsheet would run as formulas get an apostrophe, which is taken away again.
        """
        names = _columns(self._client, reference)
        waiting = [row for row in self.rows(reference) if row.replayed_as is None and _has_content(row)]
        names += [name for row in waiting for name in row.values or {} if name not in names]
        with Path(path).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([POSITION, REASON, *names, TEXT])
            for row in waiting:
                cells = [(row.values or {}).get(name) for name in names]
                text = row.text if row.values is None else ""
                writer.writerow([row.position, _defuse(row.reason), *(_defuse(c) for c in cells), _defuse(text)])
        return len(waiting)

    def replay(
        self, reference: str, rows: Iterable[Mapping[str, Any]], *, wait: bool = True
    ) -> Sequence[DatasetVersion]:
        """Appends corrected rows to the dataset.

        Args:
            reference: The version that left them out.
            rows: `{"position": 17, "values": {"age": 39, ...}}` for each.
            wait: Until the versions are READY. There is more than one where there are more than 5,000 rows.

        Raises:
            ConflictError: A row was replayed before.
            RejectedDataError: The corrected rows did not become a version; they can be corrected again.
        """
        sent = []
        for chunk in _chunks(iter(rows)):
            body = to_request(QuarantineReplay, rows=chunk)
            version = self._post(DatasetVersion, f"{_path(reference)}/replay", body)
            sent.append(version.wait() if wait else version)
        return sent

    def replay_file(self, reference: str, path: str | Path, *, wait: bool = True) -> Sequence[DatasetVersion]:
        """The same with the rows of a file that `save` wrote and somebody corrected. Rows that were taken out of it
        wait as before; those that have been replayed are left out, so that an interrupted replay goes on when it is
        repeated. Raises InvalidRequestError where the file has no positions."""
        with Path(path).open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if POSITION not in (reader.fieldnames or []):
                raise InvalidRequestError(
                    f"{path} has no column {POSITION!r}. Begin with a file that `aimass quarantine fix` writes."
                )
            rows = [_to_corrected(row, path, line) for line, row in enumerate(reader, start=2)]
        done = {row.position for row in self.rows(reference) if row.replayed_as is not None}
        return self.replay(reference, (row for row in rows if row["position"] not in done), wait=wait)

    def discard(self, reference: str) -> None:
        """Takes the rows of a version's quarantine away now."""
        self._delete(_path(reference))


def _columns(client: "Client", reference: str) -> list[str]:
    """Of the version that corrections are appended to."""
    name, _ = split_ref(reference)
    number = client.datasets.get(name).latest_version
    schema = None if number is None else client.datasets.get_version(name, number).data_schema
    return [] if schema is None else [column.name for column in schema.columns]


def _path(reference: str) -> str:
    name, number = split_ref(reference)
    if number is None:
        raise InvalidRequestError(f"{reference!r} names no version: write {name}@3, as `aimass quarantine list` shows.")
    return f"{_PATH}/{name}/versions/{number}/quarantine"


def _has_content(row: QuarantineItem) -> bool:
    """A file that was left out as a whole has no row to correct."""
    return row.values is not None or row.text is not None


def _to_corrected(row: Mapping[str, str | None], path: str | Path, line: int) -> dict[str, Any]:
    position = str(row[POSITION])
    if not position.isdecimal():
        raise InvalidRequestError(f"{path}, line {line}: {position!r} is no position. Leave that column as it was.")
    values = {name: _restore(value) for name, value in row.items() if name not in (POSITION, REASON, TEXT) and name}
    if not any(values.values()):
        raise InvalidRequestError(f"{path}, line {line}: row {position} has no value. Correct it, or delete the line.")
    return {"position": int(position), "values": values}


def _chunks(rows: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    while chunk := list(islice(rows, MAX_ROWS_REPLAYED)):
        yield chunk


def _defuse(text: str | None) -> str:
    return f"'{text}" if text and text.startswith(FORMULA_STARTS) else text or ""


def _restore(text: str | None) -> str | None:
    """The reverse of `_defuse`; an empty cell is a missing value."""
    if text and text[0] == "'" and text[1:].startswith(FORMULA_STARTS):
        return text[1:]
    return text or None
