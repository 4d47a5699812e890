"""A queue on SQS."""

import json
from collections.abc import Mapping
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, to_error
from aimass_core.ports import QueueFigures

MAX_DELAY_SECONDS = 900


class SqsQueue:
    """Satisfies `Queue`."""

    def __init__(self, client: Any, *, url: str) -> None:
        self._client, self._url = client, url

    def send(self, message: Mapping[str, Any], *, delay_seconds: int = 0) -> None:
        """See Queue."""
        try:
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=json.dumps(dict(message), allow_nan=False),
                DelaySeconds=min(delay_seconds, MAX_DELAY_SECONDS),
            )
        except AWS_ERRORS as error:
            raise to_error(error, what="the queue") from error


def measure(client: Any, url: str) -> QueueFigures:
    """How many messages a queue has."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    try:
        answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    except AWS_ERRORS as error:
        raise to_error(error, what="the queue") from error
    waiting, in_flight = (int(answer["Attributes"][name]) for name in names)
    return QueueFigures(num_waiting=waiting, num_in_flight=in_flight)
