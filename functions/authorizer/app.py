"""The Lambda authorizer: an API key or a session becomes a workspace and a role. It stands before every route but the
open ones."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core import bootstrap
from aimass_core.domain.common import Principal
from aimass_core.domain.settings.logging import RequestLogLevel
from aimass_core.errors import UnauthenticatedError
from aimass_core.lambda_support import http, request_logs
from aimass_core.lambda_support.logging import build_logger
from aimass_core.ports import Ports
from aimass_core.services import authentication
from aimass_core.settings import AuthorizerSettings

_SCHEME = "bearer"
_WORKSPACE_HEADER = "x-aimass-workspace"

AuthorizerHandler = Callable[[Mapping[str, Any], LambdaContext], dict[str, Any]]


class Unauthorized(Exception):  # noqa: N818 - API Gateway's own word
    """API Gateway answers 401 to the message "Unauthorized", and to no other."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def make_handler(ports: Callable[[], Ports]) -> AuthorizerHandler:
    """The handler over ports, which are asked for with the first request."""
    logger = build_logger("authorizer")

    def handle(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
        token = _bearer_token(event)
        try:
            if token is None:
                raise UnauthenticatedError("There is no bearer token in the Authorization header.")
            principal = authentication.authenticate(ports(), token, workspace_id=_workspace_id(event))
        except UnauthenticatedError as error:
            logger.info("refused", reason=error.message)
            raise Unauthorized from error
        if request_logs.level_of(ports().live_settings, principal.workspace_id) is RequestLogLevel.DEBUG:
            logger.info("allowed", actor=principal.actor, role=principal.role, workspace_id=principal.workspace_id)
        return _allow(principal, str(event["methodArn"]))

    return handle


def _bearer_token(event: Mapping[str, Any]) -> str | None:
    """One header, of the form "Bearer <token>"; never from the query."""
    values = http.header_values(event, "authorization")
    if len(values) != 1 or len(values[0]) > authentication.MAX_TOKEN_CHARACTERS:
        return None
    scheme, _, token = values[0].strip().partition(" ")
    return token.strip() if scheme.lower() == _SCHEME else None


def _workspace_id(event: Mapping[str, Any]) -> str | None:
    """Which of their workspaces a person means. Raises UnauthenticatedError where it names two."""
    values = http.header_values(event, _WORKSPACE_HEADER)
    if len(values) > 1:
        raise UnauthenticatedError("The header X-Aimass-Workspace comes more than once.")
    return values[0] if values else None


def _allow(principal: Principal, method_arn: str) -> dict[str, Any]:
    """Allows this API and stage; what the role may do there is decided route by route."""
    arn, _, _ = method_arn.partition("/")
    stage = method_arn.split("/")[1] if "/" in method_arn else "*"
    return {
        "principalId": principal.actor,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{arn}/{stage}/*"}],
        },
        # NOTE: API Gateway takes no null here, and gives every value to the function as text.
        "context": principal.model_dump(mode="json", exclude_none=True),
    }


@cache
def _ports() -> Ports:
    return bootstrap.build_ports(AuthorizerSettings())


handler = make_handler(_ports)
