"""The predictions function: the Open Inference Protocol on /v2, friendly rows, and the platform's golden requests."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from aimass_core import bootstrap
from aimass_core.domain.common import Principal
from aimass_core.domain.endpoint_settings import LogLevel
from aimass_core.domain.settings.logging import RequestLogLevel
from aimass_core.inference import golden, members
from aimass_core.inference.capturing.observed import Observed
from aimass_core.inference.limits import SYNC_SECONDS
from aimass_core.inference.oip.routes import OipRoutes
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from aimass_core.inference.serving.throttling import Throttling
from aimass_core.inference.serving.traffic import Traffic
from aimass_core.lambda_support import http, request_logs
from aimass_core.lambda_support.http import HttpAnswer, HttpEvent
from aimass_core.lambda_support.logging import about, build_logger
from aimass_core.settings import PredictionsSettings
from functions.predictions import answers
from functions.predictions.answering import Answering, is_oip
from functions.predictions.request import countdown, read_request

Handler = Callable[[Mapping[str, Any], LambdaContext], dict[str, Any]]


def make_handler(endpoints: Callable[[], ServingEndpoints]) -> Handler:
    """The Lambda handler over endpoints, which are asked for with the first request."""
    logger = build_logger("predictions")
    answering = cache(lambda: _begin(endpoints()))

    def respond(event: HttpEvent, context: LambdaContext, observed: list[Observed]) -> HttpAnswer:
        answer = answering().answer(read_request(event, context), _find_caller(event))
        if answer.observed is not None:
            observed.append(answer.observed)
        return answers.to_http(answer)

    def handle(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        if "prediction_id" in event:
            with about(logger, workspace_id=event["workspace_id"], prediction_id=event["prediction_id"]):
                answering().answer_later(event["workspace_id"], event["prediction_id"], context)
            return {}
        if "warm" in event:
            endpoints().serve(event["workspace_id"], event["warm"])
            return {}
        if "httpMethod" not in event:
            answer_platform = members.answer if members.is_asked(event) else golden.answer
            return answer_platform(endpoints(), event, seconds=countdown(context, SYNC_SECONDS)())
        started = time.perf_counter()
        observed: list[Observed] = []
        with about(logger, **http.log_keys(event)):
            answered = http.boundary(event, lambda: respond(event, context, observed))
            if is_oip(str(event["path"])):
                answered = answers.to_oip(answered)
            workspace_id = http.authorizer_of(event).get("workspace_id")
            level = request_logs.level_of(endpoints().ports.live_settings, workspace_id)
            if _is_logged(answered, observed):
                details = _details(observed, is_wanted=level is RequestLogLevel.DEBUG)
                request_logs.write(event, answered, level=level, log=logger.info, started=started, **details)
        return answered

    return handle


def _begin(endpoints: ServingEndpoints) -> Answering:
    traffic = Traffic(endpoints, endpoints.counting)
    oip = OipRoutes(endpoints=endpoints, asking=traffic)
    return Answering(endpoints=endpoints, traffic=traffic, oip=oip, throttling=Throttling(endpoints.ports))


def _is_logged(answer: HttpAnswer, observed: Sequence[Observed]) -> bool:
    """What fails, always; what succeeds, as the endpoint's settings say."""
    is_quiet = any(each.endpoint.settings.log_level is LogLevel.WARNING for each in observed)
    return answer["statusCode"] >= HTTPStatus.BAD_REQUEST or not is_quiet


def _details(observed: Sequence[Observed], *, is_wanted: bool) -> dict[str, Any]:
    """What is logged where the workspace, or the endpoint, wants to know more."""
    chatty = [each for each in observed if is_wanted or each.endpoint.settings.log_level is LogLevel.DEBUG]
    return {
        name: value
        for each in chatty
        for name, value in {
            "endpoint": each.endpoint.name,
            "model": each.version.ref,
            "num_rows": len(each.rows),
            "rollout_percent": each.endpoint.rollout.percent if each.endpoint.rollout else None,
            "settings_version": each.endpoint.settings.version,
        }.items()
    }


def _find_caller(event: HttpEvent) -> Principal | None:
    """Who the authorizer let in; None where no authorizer stands before the route."""
    try:
        return Principal.model_validate(http.authorizer_of(event))
    except ValidationError:
        return None


@cache
def _deployed() -> ServingEndpoints:
    settings = PredictionsSettings()
    ports = bootstrap.build_ports(settings)
    store = ModelStore(ports, Path(tempfile.gettempdir()) / "aimass-models")
    return ServingEndpoints(
        ports,
        store,
        max_cache_bytes=settings.model_cache_mib * 1024**2,
    )


handler = make_handler(_deployed)
