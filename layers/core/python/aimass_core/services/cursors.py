"""Cursors of lists: where to go on, signed, so that nobody can make one up or use it for another list."""

import base64
import binascii
import hashlib
import hmac

from aimass_core.errors import InvalidRequestError

_MAC_BYTES = 16


def encode(start: str, *, secret: str, binding: str) -> str:
    """A cursor.

    Args:
        start: the sort key to go on after.
        secret: the deployment's.
        binding: whose and which list; the cursor holds for no other.
    """
    body = start.encode()
    return _to_text(_mac(body, secret=secret, binding=binding) + body)


def decode(cursor: str, *, secret: str, binding: str) -> str:
    """The sort key. Raises InvalidRequestError where the cursor is not one that `encode` made for this list."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal() from error
    # NOTE: the last character of base64 has bits that decoding drops; a cursor has one form only.
    if _to_text(raw) != cursor:
        raise _refusal()
    mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(body, secret=secret, binding=binding)):
        raise _refusal()
    return body.decode()


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _mac(body: bytes, *, secret: str, binding: str) -> bytes:
    message = len(binding.encode()).to_bytes(4) + binding.encode() + body
    return hmac.digest(secret.encode(), message, hashlib.sha256)[:_MAC_BYTES]


def _refusal() -> InvalidRequestError:
    return InvalidRequestError("This cursor is not one that this list gave. Begin again without a cursor.")
