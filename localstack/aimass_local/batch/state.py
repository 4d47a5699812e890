"""Everything that survives the server: one SQLite file of JSON documents.

Changes are collected and written in one transaction by `flush`, which the service calls before it answers and before
it starts a process. A killed server therefore loses nothing that it has told anybody. The file is open exclusively:
two servers on one folder are refused.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from aimass_local.batch.errors import ServerError
from aimass_local.batch.wire import Document

_FILE_NAME = "batch.sqlite3"


class StateLockedError(Exception):
    """Another server works on the same folder, or the file is damaged."""


class Store:
    """Documents by kind and id."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pending: dict[tuple[str, str], Callable[[], Document] | None] = {}

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Opens the store of `folder`, and makes it if there is none.

        Raises:
            StateLockedError: another server has it open, or it is damaged.
        """
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(folder / _FILE_NAME, isolation_level=None, timeout=0.5)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            # Safe against a killed process; a power cut may lose the last moments, never the file.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS documents"
                " (kind TEXT, id TEXT, document TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID"
            )
        except sqlite3.DatabaseError as error:
            connection.close()
            raise StateLockedError(
                f"cannot open {folder / _FILE_NAME}: {error}. Stop the other server that uses this folder,"
                " or move the file away if it is damaged"
            ) from error
        return cls(connection)

    def save(self, kind: str, document_id: str, build: Callable[[], Document]) -> None:
        """Notes that a document has changed; `build` is asked for it at the next flush."""
        self._pending[kind, document_id] = build

    def delete(self, kind: str, document_id: str) -> None:
        self._pending[kind, document_id] = None

    def load(self, kind: str) -> Iterator[tuple[str, Document]]:
        for document_id, text in self._connection.execute(
            "SELECT id, document FROM documents WHERE kind = ?", (kind,)
        ).fetchall():
            yield document_id, json.loads(text)

    def flush(self) -> None:
        """Writes all changes, or none.

        Raises:
            ServerError: the disk refuses; the changes stay noted for the next flush.
        """
        if not self._pending:
            return
        saved = [(*key, json.dumps(build())) for key, build in self._pending.items() if build]
        deleted = [key for key, build in self._pending.items() if not build]
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", saved)
                self._connection.executemany("DELETE FROM documents WHERE kind = ? AND id = ?", deleted)
        except sqlite3.OperationalError as error:
            raise ServerError(f"the state cannot be saved: {error}. Free some disk space and try again") from error
        self._pending.clear()

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._connection.close()
