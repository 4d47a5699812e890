"""A queue on SQS."""

import json
from collections.abc import Mapping
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, to_error

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
