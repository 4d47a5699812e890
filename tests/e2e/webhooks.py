"""What others do to the collectors: they send signed deliveries, and EventBridge Scheduler calls the tick."""

import base64
import hashlib
import hmac
import json
import time

import httpx2

import aimass
from aimass_core.domain.sources import WebhookAddress
from tests.stack import Stack

_EVENT = {
    "version": "0",
    "id": "1",
    "source": "aws.scheduler",
    "detail-type": "Scheduled Event",
    "account": "000000000000",
    "region": "us-east-1",
    "time": "2026-11-26T12:00:00Z",
    "resources": [],
    "detail": {},
}


def send_webhook(
    client: aimass.Client, address: WebhookAddress, body: bytes, *, message_id: str = "msg_1", secret: str | None = None
) -> httpx2.Response:
    """A delivery, signed as standardwebhooks.com says."""
    sent_at = str(int(time.time()))
    key = base64.b64decode((secret or address.secret).removeprefix("whsec_"))
    mac = hmac.digest(key, f"{message_id}.{sent_at}.".encode() + body, hashlib.sha256)
    headers = {
        "content-type": "application/x-ndjson",
        "webhook-id": message_id,
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
    return httpx2.post(client.http.base_url + address.path, content=body, headers=headers, timeout=30)


def tick(stack: Stack) -> dict[str, int]:
    """What EventBridge Scheduler does each minute."""
    answered = stack.aws("lambda").invoke(FunctionName="aimass-collectors-tick", Payload=json.dumps(_EVENT).encode())
    payload = answered["Payload"].read()
    assert "FunctionError" not in answered, payload
    ticked: dict[str, int] = json.loads(payload)
    return ticked
