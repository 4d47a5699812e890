"""What the service has changed and not yet told: documents to be saved, and the events that follow once they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from aimass_local.documents import Document, DocumentStore, NotSavedError
from aimass_local.sagemaker.errors import InternalError

_SAVE_RETRY_SECONDS = 1.0

_logger = logging.getLogger(__name__)


class Ledger:
    """Documents by kind and name, and events. Nothing is told before it is saved.

    Args:
        store: is closed with the ledger.
        emit_event: takes each EventBridge event. Called on the event loop: it must not block.
    """

    def __init__(self, store: DocumentStore, *, emit_event: Callable[[Document], None]) -> None:
        self._store, self._emit_event = store, emit_event
        self._outbox: list[Document] = []
        self._is_closed = False

    def load(self, kind: str) -> Iterator[tuple[str, Document]]:
        """What was saved, by name."""
        return self._store.load(kind)

    def save(self, kind: str, name: str, build: Callable[[], Document]) -> None:
        """Notes that a document has changed; `build` is asked for it at the next flush."""
        self._store.save(kind, name, build)

    def delete(self, kind: str, name: str) -> None:
        """Notes that a document is gone."""
        self._store.delete(kind, name)

    def tell(self, event: Document) -> None:
        """Notes an event."""
        self._outbox.append(event)

    def flush(self) -> None:
        """Saves all changes, then tells EventBridge of them. Raises InternalError while the disk refuses."""
        try:
            self._store.flush()
        except NotSavedError as error:
            raise InternalError(str(error)) from error
        outbox, self._outbox = self._outbox, []
        for event in outbox:
            self._emit_event(event)

    def flush_soon(self) -> None:
        """The same for what nobody waits for: it is tried again until the disk takes it."""
        if self._is_closed:
            return
        try:
            self.flush()
        except InternalError as error:
            _logger.error("%s", error.message)
            asyncio.get_running_loop().call_later(_SAVE_RETRY_SECONDS, self.flush_soon)

    def close(self) -> None:
        """Saves what is left."""
        self._is_closed = True
        self._store.close()
