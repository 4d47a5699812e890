"""What API Gateway answers by itself, in the form of every other error: problem+json.

The member `error` repeats the detail for clients of the Open Inference Protocol, which look for it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import aws_apigateway as apigateway


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    status: int
    code: str
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)


_MESSAGE = "$context.error.messageString"
_TRY_AGAIN = {"Retry-After": "1"}
_PROBLEMS: Mapping[str, _Problem] = {
    "UNAUTHORIZED": _Problem(
        status=401,
        code="unauthenticated",
        title="Unauthorized",
        detail="Send a valid API key (Authorization: Bearer aim_...), or sign in.",
        headers={"WWW-Authenticate": "Bearer"},
    ),
    "ACCESS_DENIED": _Problem(
        status=403,
        code="permission_denied",
        title="Forbidden",
        detail="This API key or session may not do that.",
    ),
    "MISSING_AUTHENTICATION_TOKEN": _Problem(
        status=404,
        code="not_found",
        title="Not Found",
        detail="There is nothing at this path. The paths are listed at /v1/openapi.json.",
    ),
    "REQUEST_TOO_LARGE": _Problem(
        status=413,
        code="payload_too_large",
        title="Content Too Large",
        detail="A request may have 10 MB. Send larger data as an upload.",
    ),
    "THROTTLED": _Problem(
        status=429,
        code="quota_exceeded",
        title="Too Many Requests",
        detail="Too many requests at once: try again in a second.",
        headers=_TRY_AGAIN,
    ),
    "INTEGRATION_TIMEOUT": _Problem(
        status=504,
        code="deadline_exceeded",
        title="Gateway Timeout",
        detail="The work did not finish in 29 s. The request may be repeated.",
    ),
    "INTEGRATION_FAILURE": _Problem(
        status=503,
        code="unavailable",
        title="Service Unavailable",
        detail="This part of the platform is not ready. The request may be repeated.",
        headers=_TRY_AGAIN,
    ),
    # Nothing was asked yet, so that everything may be asked again.
    "AUTHORIZER_FAILURE": _Problem(
        status=503,
        code="unavailable",
        title="Service Unavailable",
        detail="Who asks could not be found out. The request may be repeated.",
        headers=_TRY_AGAIN,
    ),
    "DEFAULT_5XX": _Problem(
        status=500,
        code="internal",
        title="Internal Server Error",
        detail="A fault on our side. The request id leads to its log.",
    ),
}


def add_problem_responses(api: apigateway.RestApi) -> None:
    """Gives the API our answers for whatever never reaches a function."""
    for name, problem in _PROBLEMS.items():
        api.add_gateway_response(
            f"Problem{name.title().replace('_', '')}",
            type=apigateway.ResponseType.of(name),
            status_code=str(problem.status),
            response_headers={
                header: f"'{value}'"
                for header, value in {"Content-Type": "application/problem+json", **problem.headers}.items()
            },
            templates={
                "application/json": _template(
                    code=problem.code, title=problem.title, status=problem.status, detail=problem.detail
                )
            },
        )
    # The rest of 4XX keeps its own status, which a template cannot name.
    api.add_gateway_response(
        "ProblemDefault4Xx",
        type=apigateway.ResponseType.DEFAULT_4_XX,
        response_headers={"Content-Type": "'application/problem+json'"},
        templates={"application/json": _template(code="invalid_request", title="Bad Request", detail=None)},
    )


def _template(*, code: str, title: str, detail: str | None, **more: object) -> str:
    """Without a detail of ours the answer carries API Gateway's own message, which is quoted already."""
    template = json.dumps(
        {
            "type": f"urn:aimass:error:{code}",
            "title": title,
            **more,
            "detail": detail or _MESSAGE,
            "code": code,
            "request_id": "$context.requestId",
            "errors": [],
            "error": detail or _MESSAGE,
        }
    )
    return template.replace(json.dumps(_MESSAGE), _MESSAGE)
