"""Dead-letter queues on SQS, and the ways back from them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, to_error
from aimass_core.adapters.sqs import measure
from aimass_core.ports import Letter, QueueFigures

HIDDEN_SECONDS = 30
_BATCH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """Where a queue's messages came from: a queue's URL, or a function's name."""

    dead_letters: str
    queue_url: str | None = None
    function: str | None = None


class SqsDeadLetters:
    """Satisfies `DeadLetterStore`.

    Args:
        ways: by the name of the queue, each with the name of its dead-letter queue.
        reconciler: the function that finds what a stream's failures were about.
    """

    def __init__(self, *, sqs: Any, functions: Any, ways: Mapping[str, WayBack], reconciler: str) -> None:
        self._sqs, self._functions, self._ways, self._reconciler = sqs, functions, ways, reconciler
        self._urls: dict[str, str] = {}

    def measure(self, queue: str) -> QueueFigures:
        """See DeadLetterStore."""
        return measure(self._sqs, self._url(queue))

    def take(self, queue: str, *, limit: int) -> Sequence[Letter]:
        """See DeadLetterStore."""
        found: list[Letter] = []
        while len(found) < limit:
            try:
                answer = self._sqs.receive_message(
                    QueueUrl=self._url(queue),
                    MaxNumberOfMessages=min(_BATCH, limit - len(found)),
                    VisibilityTimeout=HIDDEN_SECONDS,
                    # NOTE: without waiting SQS asks only some of its servers.
                    WaitTimeSeconds=1,
                    AttributeNames=["SentTimestamp"],
                    MessageAttributeNames=["All"],
                )
            except AWS_ERRORS as error:
                raise to_error(error, what="the queue") from error
            messages = answer.get("Messages", [])
            if not messages:
                break
            found += [_to_letter(message) for message in messages]
        return found

    def give_back(self, queue: str, letters: Sequence[Letter]) -> None:
        """See DeadLetterStore."""
        for first in range(0, len(letters), _BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
                for number, letter in enumerate(letters[first : first + _BATCH])
            ]
            try:
                self._sqs.change_message_visibility_batch(QueueUrl=self._url(queue), Entries=entries)
            except AWS_ERRORS as error:
                raise to_error(error, what="the queue") from error

    def send_again(self, queue: str, letter: Letter) -> None:
        """See DeadLetterStore."""
        way = self._ways[queue]
        try:
            if _is_of_stream(letter.body):
                self._invoke(self._reconciler, "{}")
            elif way.queue_url is not None:
                self._sqs.send_message(QueueUrl=way.queue_url, MessageBody=letter.body)
            elif way.function is not None:
                self._invoke(way.function, letter.body)
        except AWS_ERRORS as error:
            raise to_error(error, what=f"the way back from the queue {queue}") from error

    def delete(self, queue: str, letter: Letter) -> None:
        """See DeadLetterStore."""
        try:
            self._sqs.delete_message(QueueUrl=self._url(queue), ReceiptHandle=letter.receipt)
        except AWS_ERRORS as error:
            raise to_error(error, what="the queue") from error

    def _invoke(self, function: str, payload: str) -> None:
        self._functions.invoke(FunctionName=function, InvocationType="Event", Payload=payload.encode())

    def _url(self, queue: str) -> str:
        if queue not in self._urls:
            try:
                answer = self._sqs.get_queue_url(QueueName=self._ways[queue].dead_letters)
            except AWS_ERRORS as error:
                raise to_error(error, what="the queue") from error
            self._urls[queue] = str(answer["QueueUrl"])
        return self._urls[queue]


def _to_letter(message: Mapping[str, Any]) -> Letter:
    milliseconds = int(message["Attributes"]["SentTimestamp"])
    attributes = {
        name: str(value.get("StringValue", "")) for name, value in (message.get("MessageAttributes") or {}).items()
    }
    body = message["Body"]
    if (failure := _failure_in(body)) is not None:
        # Of a function that failed: the event lies within what Lambda tells of the failure.
        body = json.dumps(failure["requestPayload"])
        attributes["ERROR_MESSAGE"] = str((failure.get("responsePayload") or {}).get("errorMessage", ""))
    return Letter(
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=body,
        sent_at=datetime.fromtimestamp(milliseconds / 1_000, UTC),
        attributes=attributes,
    )


def _failure_in(body: str) -> Mapping[str, Any] | None:
    message = _parse(body)
    return message if "requestContext" in message and "requestPayload" in message else None


def _is_of_stream(body: str) -> bool:
    """A stream's mapping names the records that failed by their numbers, and holds none of them."""
    return "DDBStreamBatchInfo" in _parse(body)


def _parse(body: str) -> Mapping[str, Any]:
    try:
        message = json.loads(body)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
