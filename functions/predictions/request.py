"""One HTTP request, as API Gateway's proxy event brings it."""

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core.errors import MalformedRequestError, PayloadTooLargeError
from aimass_core.inference import transfer
from aimass_core.inference.limits import MAX_BODY_BYTES, SYNC_SECONDS
from aimass_core.inference.messages import PredictionRequest
from aimass_core.lambda_support import http

# What is left for the answer after the model was stopped.
_RESERVE_SECONDS = 1.0


def read_request(event: Mapping[str, Any], context: LambdaContext) -> PredictionRequest:
    """Raises the error of what is wrong with the request as such, before anything in it is parsed."""
    request = PredictionRequest(
        method=str(event["httpMethod"]).upper(),
        path=str(event["path"]),
        headers=http.headers_of(event),
        body=_read_body(event),
        id=http.request_id_of(event) or "",
        query=event.get("multiValueQueryStringParameters") or {},
        seconds_left=countdown(context, SYNC_SECONDS),
    )
    transfer.check_media_type(request.header("content-type"))
    if len(request.body) > MAX_BODY_BYTES:
        raise PayloadTooLargeError(
            f"The body has {len(request.body)} bytes; at most {MAX_BODY_BYTES} are taken. Send fewer rows per request."
        )
    body = transfer.unpack(request.body, request.header("content-encoding"))
    return replace(request, body=body, num_sent_bytes=len(request.body))


def countdown(context: LambdaContext, seconds: float | None = None) -> Callable[[], float]:
    """The seconds until an answer must be ready: those that the function has, and at most `seconds` from now on."""
    until = None if seconds is None else time.monotonic() + seconds

    def left() -> float:
        of_function = context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS
        return of_function if until is None else min(of_function, until - time.monotonic())

    return left


def _read_body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedRequestError("The body did not arrive whole. Send it again.") from error
