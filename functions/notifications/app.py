"""The registry's stream -> notifications and deliveries -> the queue -> one attempt each."""

from collections.abc import Callable
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core import bootstrap
from aimass_core.domain.keys import RowKey
from aimass_core.lambda_support.logging import build_logger
from aimass_core.ports import Ports
from aimass_core.services import notification_deliveries, notification_events
from aimass_core.settings import NotificationsSettings

logger = build_logger("notifications")

Handler = Callable[[dict[str, Any], LambdaContext], PartialItemFailureResponse]


def make_handler(ports: Callable[[], Ports]) -> Handler:
    """The Lambda handler over ports, which are asked for with the first record.

    What fails of either source is delivered again, alone, and at last kept in the dead-letter queue.
    """
    stream = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
    queue = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

    def hear(record: DynamoDBRecord) -> None:
        image = record.dynamodb.new_image if record.dynamodb else None
        if image:
            key = RowKey(image["pk"], image["sk"])
            logger.info("row", resource=image.get("resource"), row=key.sort, status=image.get("status"))
            notification_events.hear(ports(), key)

    def deliver(record: SQSRecord) -> None:
        message = record.json_body
        tried = notification_deliveries.attempt(ports(), message["workspace_id"], message["delivery_id"])
        logger.info(
            "attempt",
            workspace_id=message["workspace_id"],
            delivery_id=message["delivery_id"],
            status=None if tried is None else str(tried.status),
            answered=tried.attempts[-1].status if tried and tried.attempts else None,
        )

    def handle(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        is_stream = event["Records"][0].get("eventSource") == "aws:dynamodb"
        if is_stream:
            return process_partial_response(event, hear, stream, context)
        return process_partial_response(event, deliver, queue, context)

    return handle


@cache
def _deployed() -> Ports:
    return bootstrap.build_ports(NotificationsSettings())


handler = make_handler(_deployed)
