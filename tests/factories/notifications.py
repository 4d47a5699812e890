"""The registry's stream and the queue of functions/notifications, over memory ports, for tests that let time pass."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimass_core.adapters.dynamodb_items import to_item
from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.notification_channels import Delivery
from aimass_core.ports import Row
from aimass_core.services import records
from functions.notifications.app import make_handler
from tests.functional.gateway import Context


@dataclass(kw_only=True)
class Carrier:
    """Brings every row to the function, as the stream does at least once, and every message when it is due."""

    ports: MemoryPorts
    workspace_id: str

    def carry(self) -> None:
        """Until nothing is left to do at this time."""
        while True:
            before = self._rows()
            self.stream(*before)
            self.deliver()
            if self._rows() == before:
                return

    def stream(self, *rows: Row) -> None:
        """What the event source mapping of the stream calls."""
        heard = [
            {
                "eventID": f"event-{index}",
                "eventName": "MODIFY",
                "eventSource": "aws:dynamodb",
                "dynamodb": {"SequenceNumber": str(index), "NewImage": to_item(row)},
            }
            for index, row in enumerate(rows)
            if row.resource is not None
        ]
        self._call(heard)

    def deliver(self) -> None:
        """What that of the queue does with the messages that are due: those that wait longer come with the next."""
        found, self.ports.notification_queue.messages = self.ports.notification_queue.messages, []
        bodies = {json.dumps(message) for message, _ in found}
        self._call(
            [
                {"eventSource": "aws:sqs", "messageId": f"message-{index}", "body": body}
                for index, body in enumerate(sorted(bodies))
            ]
        )

    def deliveries(self) -> list[Delivery]:
        """Newest first."""
        return records.list_page(self.ports, Delivery, self.workspace_id, limit=100)[0]

    def payloads(self) -> list[Mapping[str, Any]]:
        """What was posted."""
        return [json.loads(body) for _, _, body in self.ports.courier.posts]

    def _call(self, found: list[dict[str, Any]]) -> None:
        if found:
            answer = make_handler(lambda: self.ports)({"Records": found}, Context())  # type: ignore[arg-type]
            assert answer["batchItemFailures"] == []

    def _rows(self) -> list[Row]:
        return list(self.ports.registry.query(keys.partition(self.workspace_id), "", limit=10_000).rows)
