"""The runtime's wire protocol (REST): InvokeEndpoint, from HTTP to a container and back.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from aimass_local.asgi import Receive, Scope, Send, read_body, send_body
from aimass_local.environment import ACCOUNT_ID, REGION
from aimass_local.sagemaker.errors import (
    InternalError,
    ModelError,
    NotServedError,
    SageMakerError,
    UnknownActionError,
    ValidationError,
)
from aimass_local.sagemaker.hosting.fleets import Fleet, LostError, NobodyAnswersError, Reply

PATH_PREFIX = "/endpoints/"
MAX_BODY_BYTES = 25 * 1024 * 1024

_PATH = re.compile(r"/endpoints/([^/]+)/invocations")
_PREFIX = "x-amzn-sagemaker-"
_CUSTOM_ATTRIBUTES = f"{_PREFIX}custom-attributes"
_PASSED_HEADERS = ("content-type", "accept", _CUSTOM_ATTRIBUTES, f"{_PREFIX}inference-id")
_REFUSED_HEADERS = {
    f"{_PREFIX}target-model": "TargetModel",
    f"{_PREFIX}target-container-hostname": "TargetContainerHostname",
    f"{_PREFIX}inference-component": "InferenceComponentName",
    f"{_PREFIX}session-id": "SessionId",
}

FindFleet = Callable[[str], Fleet]
"""Of an endpoint, by name. Raises ValidationError where it does not answer."""


async def answer(scope: Scope, receive: Receive, send: Send, *, find_fleet: FindFleet) -> None:
    """Answers one HTTP request whose path begins with PATH_PREFIX."""
    try:
        reply = await _invoke(scope, await read_body(receive, max_bytes=MAX_BODY_BYTES), find_fleet)
    except SageMakerError as error:
        details = error.details if isinstance(error, ModelError) else {}
        # NOTE: the runtime's error is called ValidationError, the control plane's ValidationException.
        code = "ValidationError" if isinstance(error, ValidationError) else error.code
        content = json.dumps({"Message": error.message, **details}).encode()
        await send_body(send, error.status, "application/json", content, [("x-amzn-errortype", code)])
        return
    headers = [("x-amzn-invoked-production-variant", reply.variant)]
    if (attributes := reply.response.headers.get(_CUSTOM_ATTRIBUTES)) is not None:
        headers.append((_CUSTOM_ATTRIBUTES, attributes))
    content_type = reply.response.headers.get("content-type", "application/octet-stream")
    await send_body(send, 200, content_type, reply.response.content, headers)


async def _invoke(scope: Scope, body: bytes, find_fleet: FindFleet) -> Reply:
    found = _PATH.fullmatch(scope["path"])
    if found is None or scope["method"] != "POST":
        raise UnknownActionError(f"The local SageMaker runtime has no {scope['method']} {scope['path']}")
    if len(body) > MAX_BODY_BYTES:
        raise ValidationError(f"The body is larger than {MAX_BODY_BYTES:,} bytes: put large data in S3")
    given = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    for name, parameter in _REFUSED_HEADERS.items():
        if name in given:
            raise ValidationError(f"{parameter} is not supported by the local SageMaker: its models have one container")
    fleet, target = find_fleet(found[1]), given.get(f"{_PREFIX}target-variant")
    names = [variant.name for variant in fleet.deployment.variants]
    if target is not None and target not in names:
        raise ValidationError(f"The endpoint {found[1]} has no variant {target!r}; it has: {', '.join(names)}")
    return await _ask(fleet, body, {name: given[name] for name in _PASSED_HEADERS if name in given}, target)


async def _ask(fleet: Fleet, body: bytes, headers: Mapping[str, str], target: str | None) -> Reply:
    try:
        reply = await fleet.invoke(body, headers, target=target)
    except NobodyAnswersError as error:
        raise NotServedError(f"The endpoint cannot take requests now: {error}. Try again.") from error
    except LostError as error:
        message = f'Received server error (0) from primary with message "{error}"'
        raise ModelError(message, OriginalStatusCode=0, OriginalMessage=str(error)) from error
    status = reply.response.status_code
    if 200 <= status < 300:
        return reply
    if 300 <= status < 400:
        raise InternalError(f"The container answered with the redirection {status}")
    side, text = ("server" if status >= 500 else "client"), reply.response.text
    raise ModelError(
        f'Received {side} error ({status}) from primary with message "{text[:1024]}". See the log '
        f"stream {reply.log_stream} of {reply.log_group} in account {ACCOUNT_ID} for more information.",
        OriginalStatusCode=status,
        OriginalMessage=text,
        LogStreamArn=f"arn:aws:logs:{REGION}:{ACCOUNT_ID}:log-group:{reply.log_group}:log-stream:{reply.log_stream}",
    )
