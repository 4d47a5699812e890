"""What a request must fulfil before it is read: size, encoding, media type, and no parameter that would be ignored."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from aimass_core.errors import (
    AimassError,
    ErrorDetail,
    InvalidRequestError,
    MalformedRequestError,
    NotFoundError,
    PayloadTooLargeError,
    UnsupportedMediaTypeError,
)
from aimass_core.lambda_support import http
from functions.api.routing import Operation

MAX_BODY_BYTES = 1024**2
_MAX_DETAILS = 50
_SINGLE_HEADERS = ("content-type", "if-match", "idempotency-key", "authorization")


def check(event: Mapping[str, Any], operation: Operation) -> None:
    """Raises the error of the first thing that is wrong."""
    for name in _SINGLE_HEADERS:
        if len(http.header_values(event, name)) > 1:
            raise MalformedRequestError(f"The header {name} comes more than once.")
    _check_query(event, operation)
    _check_body(event, operation)


def to_invalid_request(faults: Sequence[Mapping[str, Any]]) -> AimassError:
    """What Powertools' validation finds, in our words. The path is an address: one that cannot exist is not found.

    The values that were sent are left out; they may be secrets.
    """
    if any(fault["loc"][:1] == ("path",) for fault in faults):
        return NotFoundError("There is nothing at this address.")
    details = [
        ErrorDetail(location=".".join(str(part) for part in fault["loc"]), message=str(fault["msg"]))
        for fault in faults[:_MAX_DETAILS]
    ]
    words = "; ".join(f"{detail.location}: {detail.message}" for detail in details[:3])
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return InvalidRequestError(f"The request is not valid: {words}{more}.", details=details)


def _check_query(event: Mapping[str, Any], operation: Operation) -> None:
    query = event.get("multiValueQueryStringParameters") or {}
    faults = [
        ErrorDetail(location=f"query.{name[:100]}", message="There is no such parameter here.")
        for name in query
        if name not in operation.query
    ]
    faults += [
        ErrorDetail(location=f"query.{name[:100]}", message="It comes more than once.")
        for name, values in query.items()
        if len(values) > 1
    ]
    if faults:
        words = "; ".join(f"{fault.location}: {fault.message}" for fault in faults[:3])
        raise InvalidRequestError(f"The request is not valid: {words}", details=faults)


def _check_body(event: Mapping[str, Any], operation: Operation) -> None:
    body = _body_bytes(event)
    if len(body) > MAX_BODY_BYTES:
        raise PayloadTooLargeError(
            f"The body has {len(body)} bytes; at most {MAX_BODY_BYTES} are taken. Send data through an upload."
        )
    if body and not operation.has_body:
        raise MalformedRequestError("This operation takes no body. Send the request without one.")
    if operation.has_body:
        _check_media_type(event)
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"The body is not UTF-8: byte {error.start}.") from error


def _check_media_type(event: Mapping[str, Any]) -> None:
    media_type = (http.header_values(event, "content-type") or ["application/json"])[0]
    if media_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaTypeError("The body must be JSON. Send it with Content-Type: application/json.")
    if http.header_values(event, "content-encoding"):
        raise UnsupportedMediaTypeError("Content-Encoding is not supported here. Send the body as it is.")


def _body_bytes(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedRequestError("The body is not what API Gateway should have made of it.") from error
