"""The management API: one resolver over the routers of all resources."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.exceptions import ServiceError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from aimass_core import bootstrap
from aimass_core.domain.common import Principal
from aimass_core.domain.settings.logging import RequestLogLevel
from aimass_core.errors import NotFoundError, UnauthenticatedError
from aimass_core.lambda_support import http, json_body, request_logs
from aimass_core.lambda_support.http import HttpAnswer, HttpEvent
from aimass_core.lambda_support.idempotency import Store, dynamodb_store
from aimass_core.lambda_support.logging import about, build_logger
from aimass_core.ports import LiveSettings, Ports
from aimass_core.settings import ApiSettings
from functions.api import access, checks, routing
from functions.api.idempotent import answer_once
from functions.api.routes import ROUTERS
from functions.api.routing import Operation

Handler = Callable[[HttpEvent, LambdaContext], HttpAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What the handler works on."""

    ports: Ports
    store: Store
    cursor_secret_name: str


def build_resolver() -> APIGatewayRestResolver:
    """The resolver with every route. Errors leave it: the one place that turns them into answers is around it."""
    resolver = APIGatewayRestResolver(
        enable_validation=True,
        response_validation_error_http_code=500,
        json_body_deserializer=json_body.parse_object,
    )
    resolver.use([answer_once])
    for router in ROUTERS:
        resolver.include_router(router)

    resolver.exception_handler(Exception)(_leave)
    return resolver


def _leave(error: Exception) -> None:
    if isinstance(error, ServiceError):
        # Powertools' own routing takes fewer characters in a segment than ours.
        raise NotFoundError("There is nothing at this address.") from error
    if isinstance(error, RequestValidationError):
        raise checks.to_invalid_request(error.errors()) from error
    raise error


resolver = build_resolver()
OPERATIONS = tuple(operation for router in ROUTERS for operation in router.operations)


def make_handler(deployment: Callable[[], Deployment]) -> Handler:
    """The Lambda handler over a deployment, which is asked for with the first request."""
    logger = build_logger("api")

    def answer(event: HttpEvent, context: LambdaContext, opened: list[LiveSettings]) -> HttpAnswer:
        operation = routing.find(OPERATIONS, method=event["httpMethod"].upper(), path=event["path"])
        caller = None if operation.role is None else _caller_of(event)
        path = str(event["path"])
        if caller is not None:
            access.require(operation, caller, path=path, ports=lambda: deployment().ports)
        checks.check(event, operation)
        try:
            return resolve(event, context, opened, operation, caller)
        except NotFoundError:
            guest = access.as_guest(operation, caller, path=path, ports=deployment().ports)
            if guest is None:
                raise
        return resolve(event, context, opened, operation, guest)

    def resolve(
        event: HttpEvent,
        context: LambdaContext,
        opened: list[LiveSettings],
        operation: Operation,
        caller: Principal | None,
    ) -> HttpAnswer:
        deployed = deployment()
        opened.append(deployed.ports.live_settings)
        resolver.append_context(  # type: ignore[no-untyped-call]
            ports=deployed.ports,
            store=deployed.store,
            cursor_secret_name=deployed.cursor_secret_name,
            operation=operation,
            caller=caller,
        )
        return resolver.resolve(dict(event), context)

    def handle(event: HttpEvent, context: LambdaContext) -> HttpAnswer:
        started = time.perf_counter()
        with about(logger, **http.log_keys(event)):
            opened: list[LiveSettings] = []
            answered = http.boundary(event, lambda: answer(event, context, opened))
            # NOTE: what failed before the settings could be read leaves its line in any case.
            level = RequestLogLevel.INFO
            if opened:
                level = request_logs.level_of(opened[0], http.authorizer_of(event).get("workspace_id"))
            request_logs.write(event, answered, level=level, log=logger.info, started=started)
        return answered

    return handle


@cache
def _deployed() -> Deployment:
    settings = ApiSettings()
    ports = bootstrap.build_ports(settings)
    return Deployment(
        ports=ports,
        store=dynamodb_store(settings.idempotency_table, ports.clients.dynamodb),
        cursor_secret_name=settings.cursor_secret_name,
    )


def _caller_of(event: HttpEvent) -> Principal:
    try:
        principal = Principal.model_validate(http.authorizer_of(event))
    except ValidationError as error:
        # NOTE: the authorizer stands before every route; without its words nobody is let in.
        raise UnauthenticatedError("The API key or session is missing, unknown, expired or revoked.") from error
    return principal.model_copy(update={"origin": http.origin_of(event)})


handler = make_handler(_deployed)
