"""Signatures of webhooks as standardwebhooks.com says: HMAC-SHA256 over id, time and body."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

TOLERANCE = timedelta(minutes=5)
PREFIX = "whsec_"
_MAX_DIGITS = 12


def new_secret() -> str:
    """256 random bits, as the specification writes them."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret. Raises ValueError where it has not the form of one."""
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a signing secret is base64, after whsec_") from error


def sign(secrets_: Sequence[str], *, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of a delivery, signed with each of the secrets."""
    sent_at = str(int(at.timestamp()))
    signatures = [
        f"v1,{base64.b64encode(_digest(key_of(secret), message_id, sent_at, body)).decode()}" for secret in secrets_
    ]
    return {"webhook-id": message_id, "webhook-timestamp": sent_at, "webhook-signature": " ".join(signatures)}


def is_signed(key: bytes | None, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the signatures is of this key. NOTE: works as long without a key, which never fits.

    Args:
        headers: by lower-case name.
    """
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    wanted = _digest(key or b"nobody", message_id, sent_at, body)
    signatures = headers.get("webhook-signature", "").split() or [""]
    is_right = [hmac.compare_digest(_decode(signature), wanted) for signature in signatures]
    return key is not None and bool(message_id) and any(is_right)


def is_recent(sent_at: str, now: datetime, *, tolerance: timedelta = TOLERANCE) -> bool:
    """Whether a delivery was signed just now: what was heard and is sent again later is refused."""
    if not (sent_at.isascii() and sent_at.isdecimal()) or len(sent_at) > _MAX_DIGITS:
        return False
    return abs(now.timestamp() - int(sent_at)) <= tolerance.total_seconds()


def shown(url: str, *, only_host: bool = False) -> str:
    """An address as others may see it: without its query, which may hold a secret."""
    parts = urlsplit(url)
    start = f"{parts.scheme}://{parts.netloc}"
    if only_host:
        return f"{start}/..."
    return start + parts.path + ("?..." if parts.query else "")


def _digest(key: bytes, message_id: str, sent_at: str, body: bytes) -> bytes:
    return hmac.digest(key, f"{message_id}.{sent_at}.".encode() + body, hashlib.sha256)


def _decode(signature: str) -> bytes:
    version, _, encoded = signature.partition(",")
    if version != "v1":
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""
