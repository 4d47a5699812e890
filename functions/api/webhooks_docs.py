"""Documentation of what functions/collectors serves: the webhooks of sources."""

from collections.abc import Mapping
from typing import Any

from aimass_core.domain.common import ID_PATTERN

_PATH = "/v1/webhooks/{workspace}/{source}"
_RECORD = {"type": "object", "additionalProperties": True}


def add_webhooks(document: dict[str, Any], *, problems: Mapping[str, Any]) -> None:
    """Adds the path to the document.

    Args:
        problems: the responses that it shares with the management API.
    """
    accepted = {"type": "object", "required": ["accepted"], "properties": {"accepted": {"type": "integer"}}}
    document["paths"][_PATH] = {
        "post": {
            "operationId": "receive_webhook",
            "tags": ["sources"],
            "summary": "Send records to a source",
            "description": "Signed as standardwebhooks.com says with the secret of POST /v1/sources/{source}/webhook. "
            "The records are durable before the answer; a delivery that comes again with its `webhook-id` is taken "
            "once.",
            "security": [],
            "parameters": [
                *(
                    _parameter(name, "path", {"type": "string", "pattern": ID_PATTERN})
                    for name in ("workspace", "source")
                ),
                _parameter("webhook-id", "header", {"type": "string"}, "Names the delivery."),
                _parameter("webhook-timestamp", "header", {"type": "string"}, "Seconds since 1970, now."),
                _parameter(
                    "webhook-signature",
                    "header",
                    {"type": "string", "examples": ["v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="]},
                    "HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`.",
                ),
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"oneOf": [_RECORD, {"type": "array", "items": _RECORD}]}},
                    "application/x-ndjson": {"schema": {"type": "string"}},
                },
            },
            "responses": {
                "202": {"description": "Done", "content": {"application/json": {"schema": accepted}}},
                **problems,
            },
        }
    }


def _parameter(name: str, where: str, schema: dict[str, Any], words: str = "Its id.") -> dict[str, Any]:
    return {"name": name, "in": where, "required": True, "description": words, "schema": schema}
