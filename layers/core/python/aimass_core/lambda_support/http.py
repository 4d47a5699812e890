"""Errors on the wire: problem+json (RFC 9457), and the boundary around an HTTP handler."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from aimass_core.domain import statuses
from aimass_core.domain.common import Channel, Origin
from aimass_core.domain.redaction import redact
from aimass_core.domain.statuses import STATUSES
from aimass_core.errors import (
    AimassError,
    ErrorDetail,
    InternalError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
)

logger = logging.getLogger(__name__)

_RETRY_AFTER_SECONDS = {"in_progress": 1, "quota_exceeded": 5, "unavailable": 2}
_MAX_DETAILS = 50
_MAX_AGENT = 200

PROBLEM_TYPE = "application/problem+json"
HttpEvent = Mapping[str, Any]
HttpAnswer = dict[str, Any]
Log = Callable[..., None]


def boundary(event: HttpEvent, answer: Callable[[], HttpAnswer]) -> HttpAnswer:
    """Runs a handler. Whatever it raises becomes a problem; a fault of ours is logged and told without its inside."""
    request_id = request_id_of(event)
    try:
        answered = answer()
    except AimassError as error:
        answered = to_problem(error, request_id=request_id)
    except RequestValidationError as error:
        answered = to_problem(to_invalid_request(error), request_id=request_id)
    except Exception:
        logger.exception("The request failed.")
        fault = InternalError("Something went wrong on our side. The request id leads to its log.")
        answered = to_problem(fault, request_id=request_id)
    return _with_headers(answered, request_id=request_id)


def to_problem(error: AimassError, *, request_id: str | None) -> HttpAnswer:
    """An error as the answer of an API Gateway proxy integration."""
    status = STATUSES[error.code]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.code != "internal":
        logger.warning("%s: %s", error.code, error.message)
    problem = statuses.to_problem(error, request_id=request_id)
    sent = {"content-type": PROBLEM_TYPE}
    if isinstance(error, MethodNotAllowedError):
        sent["allow"] = ", ".join(error.allowed)
    retry_after_seconds = error.retry_after_seconds or _RETRY_AFTER_SECONDS.get(error.code)
    if retry_after_seconds is not None:
        sent["retry-after"] = str(retry_after_seconds)
    if error.code == "unauthenticated":
        sent["www-authenticate"] = "Bearer"
    return {
        "statusCode": status.value,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "body": problem.model_dump_json(),
        "isBase64Encoded": False,
    }


def to_invalid_request(error: RequestValidationError) -> AimassError:
    """A validation error in our words. The path is an address: one that cannot exist is not found.

    The values that were sent are left out; they may be secrets.
    """
    faults = error.errors()
    if any(fault["loc"][:1] == ("path",) for fault in faults):
        return NotFoundError("There is nothing at this address.")
    details = [
        ErrorDetail(location=".".join(str(part) for part in fault["loc"]), message=str(fault["msg"]))
        for fault in faults[:_MAX_DETAILS]
    ]
    words = "; ".join(f"{detail.location}: {detail.message}" for detail in details[:3])
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return InvalidRequestError(f"The request is not valid: {words}{more}.", details=details)


def request_id_of(event: HttpEvent) -> str | None:
    """API Gateway's id of the request."""
    request_id = (event.get("requestContext") or {}).get("requestId")
    return None if request_id is None else str(request_id)


def console_url_of(event: HttpEvent) -> str | None:
    """Where the console is, beside the API that was asked. By the name that API Gateway answers to, and by no header: a
    link with a secret is made of it."""
    context = event.get("requestContext") or {}
    name, asked = context.get("domainName"), str(context.get("path") or event["path"])
    if not name:
        return None
    return f"https://{name}{asked.removesuffix(str(event['path']))}/console/"


def source_ip_of(event: HttpEvent) -> str:
    """Where API Gateway says that the request comes from."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    return str(identity.get("sourceIp") or "unknown")


def authorizer_of(event: HttpEvent) -> dict[str, Any]:
    """What the authorizer has found out about the caller; empty where none stands before the route."""
    return dict((event.get("requestContext") or {}).get("authorizer") or {})


def origin_of(event: HttpEvent) -> Origin:
    """Where a request came from. A browser says that a page of ours asks by `Sec-Fetch-Site`, which no page can set."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    agent = next(iter(header_values(event, "user-agent")), None)
    return Origin(
        channel=_channel_of(event, agent or ""),
        source_ip=identity.get("sourceIp"),
        user_agent=None if agent is None else redact(agent)[:_MAX_AGENT],
        request_id=request_id_of(event),
    )


def _channel_of(event: HttpEvent, agent: str) -> Channel:
    if "same-origin" in header_values(event, "sec-fetch-site"):
        return Channel.CONSOLE
    if agent.startswith("aimass-cli/"):
        return Channel.CLI
    return Channel.SDK if agent.startswith("aimass-python/") else Channel.HTTP


def header_values(event: HttpEvent, name: str) -> list[str]:
    """Every value of a header, whatever its case."""
    return headers_of(event).get(name, [])


def log_request(event: HttpEvent, answer: HttpAnswer, *, log: Log, started: float, **details: Any) -> None:
    """The one line that each request leaves. `started` is of time.perf_counter; `log` writes named values."""
    log(
        "request",
        method=event.get("httpMethod"),
        path=event.get("path"),
        status=answer["statusCode"],
        milliseconds=round((time.perf_counter() - started) * 1000, 1),
        **log_keys(event),
        **details,
    )


def log_keys(event: HttpEvent) -> dict[str, Any]:
    """What every line of a request says, so that it is found, and by those only to whom it belongs."""
    authorizer = authorizer_of(event)
    return {
        "request_id": request_id_of(event),
        "actor": authorizer.get("actor"),
        "workspace_id": authorizer.get("workspace_id"),
    }


def headers_of(event: HttpEvent) -> dict[str, list[str]]:
    """Every header by its name in lower case."""
    found: dict[str, list[str]] = {}
    for name, values in (event.get("multiValueHeaders") or {}).items():
        found.setdefault(name.lower(), []).extend(values)
    for name, value in (event.get("headers") or {}).items():
        if not found.get(name.lower()):
            found[name.lower()] = [value]
    return found


def _with_headers(answer: HttpAnswer, *, request_id: str | None) -> HttpAnswer:
    # A proxy integration's body is text, also where there is none.
    answer["body"] = answer.get("body") or ""
    headers = answer.setdefault("multiValueHeaders", {})
    names = {name.lower() for name in headers}
    if "cache-control" not in names:
        headers["cache-control"] = ["no-store"]
    headers["x-content-type-options"] = ["nosniff"]
    if request_id is not None:
        headers["x-request-id"] = [request_id]
    return answer


def json_answer(body: Any, *, status: HTTPStatus = HTTPStatus.OK) -> HttpAnswer:
    """A JSON answer of a handler that has no router."""
    return {
        "statusCode": status.value,
        "multiValueHeaders": {"content-type": ["application/json"]},
        "body": json.dumps(body, allow_nan=False),
        "isBase64Encoded": False,
    }
