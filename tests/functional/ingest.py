"""What happens between a client's bytes and a version that is READY: S3's part, and the real ingest function."""

import json
from typing import Any
from urllib.parse import quote_plus

from aimass_core.domain import keys
from functions.ingest.app import Deployment, make_handler
from tests.functional.gateway import Api, Context

MAX_LAMBDA_BYTES = 50 * 1024**2


def sqs_event(*bodies: Any) -> dict[str, Any]:
    """Messages as Lambda gets them from the queue."""
    records = [
        {
            "messageId": f"message-{index}",
            "receiptHandle": "receipt",
            "body": body if isinstance(body, str) else json.dumps(body),
            "attributes": {},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:ingest",
            "awsRegion": "eu-central-1",
        }
        for index, body in enumerate(bodies)
    ]
    return {"Records": records}


def s3_event(*object_keys: str) -> dict[str, Any]:
    """What S3 tells of new objects; keys are encoded as in a query."""
    return {
        "Records": [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "landing"}, "object": {"key": quote_plus(key)}},
            }
            for key in object_keys
        ]
    }


def ingest(api: Api, *messages: Any) -> list[str]:
    """Runs the function on messages, then on those that it caused; returns the ids of messages that failed."""
    handler = make_handler(lambda: Deployment(ports=api.ports, max_lambda_bytes=MAX_LAMBDA_BYTES))
    waiting = list(messages)
    failed: list[str] = []
    while waiting or api.ports.ingest_queue.messages:
        waiting += [message for message, _ in api.ports.ingest_queue.messages]
        api.ports.ingest_queue.messages.clear()
        answer = handler(sqs_event(*waiting), Context())  # type: ignore[arg-type]
        failed += [str(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]
        waiting = []
    return failed


def send_bytes(api: Api, upload: dict[str, Any], body: bytes) -> None:
    """What S3 does with the PUT of an upload."""
    api.ports.landing.put(keys.upload_object(upload["workspace_id"], upload["dataset_id"], upload["id"]), body)
