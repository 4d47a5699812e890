"""A function that does what its caller asks: the integration tests drive the local cloud with it."""

import base64
import json
import os
import sys
import time
from typing import Any

import boto3
from sample_layer import greeting  # type: ignore[import-not-found]  # it lies in the layer


class ProbeError(Exception):
    """The error that a test asked for."""


def handler(event: dict[str, Any], _context: object) -> Any:
    if "httpMethod" in event:
        return _answer_http(event)
    if "Records" in event:
        return _count_records(event["Records"])
    if event.get("source", "").startswith("aws."):
        return _write("event", event["source"], json.dumps(event["detail"]))
    return globals()[f"_do_{event['do']}"](event)


def _answer_http(event: dict[str, Any]) -> dict[str, Any]:
    body = event.get("body") or ""
    size = len(base64.b64decode(body)) if event.get("isBase64Encoded") else len(body)
    num_bytes = int((event.get("queryStringParameters") or {}).get("answer_bytes", 0))
    content = {"path": event["path"], "method": event["httpMethod"], "size": size, "filler": "x" * num_bytes}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(content)}


def _do_echo(event: dict[str, Any]) -> Any:
    return event.get("value")


def _do_greet(_event: dict[str, Any]) -> str:
    return str(greeting())


def _do_log(event: dict[str, Any]) -> None:
    for number in range(event["lines"]):
        sys.stderr.write(f"line {number}\n")


def _do_fail(event: dict[str, Any]) -> None:
    raise ProbeError(event["message"])


def _do_sleep(event: dict[str, Any]) -> int:
    time.sleep(event["seconds"])
    return os.getpid()


def _do_fill(event: dict[str, Any]) -> str:
    return "x" * int(event["num_bytes"])


def _do_environment(_event: dict[str, Any]) -> dict[str, str]:
    return dict(os.environ)


def _count_records(records: list[dict[str, Any]]) -> None:
    for record in records:
        key = record["dynamodb"]["Keys"]["pk"]["S"] if "dynamodb" in record else record["body"]
        if record.get("eventSource") != "aws:dynamodb" or not key.startswith("seen#"):
            _write("seen", key, record.get("eventName", "MESSAGE"))


def _write(kind: str, key: str, value: str) -> None:
    table = boto3.resource("dynamodb").Table(os.environ["SEEN_TABLE"])
    table.put_item(Item={"pk": f"{kind}#{key}", "value": value})
