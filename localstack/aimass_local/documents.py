"""What one of our own services knows and must not forget: one SQLite file of JSON documents.

Changes are collected and written in one transaction by `flush`, which the service calls before it answers and before
it starts a process. A killed server therefore loses nothing that it has told anybody. The file is open exclusively:
two servers on one file are refused.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]
"""A JSON object, in the words of an AWS API."""


class StateLockedError(Exception):
    """Another server works on the same folder, or the file is damaged."""


class NotSavedError(Exception):
    """The disk refuses; the text says what to do."""


class DocumentStore:
    """Documents by kind and id."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pending: dict[tuple[str, str], Callable[[], Document] | None] = {}

    @classmethod
    def open(cls, path: Path) -> DocumentStore:
        """Opens the file, and makes it if there is none.

        Raises:
            StateLockedError: another server has it open, or it is damaged.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, timeout=0.5)
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
                f"cannot open {path}: {error}. Stop the other server that uses this folder,"
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
            NotSavedError: the disk refuses; the changes stay noted for the next flush.
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
            raise NotSavedError(f"the state cannot be saved: {error}. Free some disk space and try again") from error
        self._pending.clear()

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._connection.close()
