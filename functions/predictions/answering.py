"""What the function does with a request: answers it now, by link, or later."""

import time
from dataclasses import dataclass, replace

from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core.domain.common import Principal
from aimass_core.domain.settings.inference import InferenceSettings
from aimass_core.domain.settings.quotas import QuotaSettings
from aimass_core.errors import PayloadTooLargeError, UnauthenticatedError
from aimass_core.inference import deferred, transfer
from aimass_core.inference.limits import MAX_ANSWER_BYTES
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest
from aimass_core.inference.oip.routes import OipRoutes
from aimass_core.inference.rows import routes as rows
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.throttling import Throttling
from aimass_core.inference.serving.traffic import Traffic
from aimass_core.lambda_support import http
from aimass_core.ports import Ports
from aimass_core.services import predictions
from functions.predictions import answers
from functions.predictions.request import countdown

_OIP_PREFIX = "/v2"


def is_oip(path: str) -> bool:
    """Whether the Open Inference Protocol is spoken there."""
    return path == _OIP_PREFIX or path.startswith(_OIP_PREFIX + "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """The engine, and what Lambda's limits make of it."""

    endpoints: ServingEndpoints
    traffic: Traffic
    oip: OipRoutes
    throttling: Throttling

    def answer(self, request: PredictionRequest, caller: Principal | None) -> PredictionAnswer:
        """One that Lambda can give: a link in place of one that is too large, 202 where it is wanted later.

        Raises QuotaExceededError where the caller's key has reached a limit.
        """
        if caller is not None:
            self.throttling.take(_with_limits(self.endpoints.ports, caller))
            request = _within_limits(self.endpoints.ports, caller, request)
        if deferred.is_wanted(request):
            caller = _require(caller)
            self.endpoints.find(caller.workspace_id, deferred.endpoint_of(request))
            return deferred.submit(request, self.endpoints.ports, caller)
        answered = self._respond(request, caller)
        packed = transfer.pack(answered, request.header("accept-encoding"))
        if answers.is_too_large(packed):
            link = deferred.to_link(answered, self.endpoints.ports, _require(caller), max_bytes=MAX_ANSWER_BYTES)
            return replace(link, observed=answered.observed)
        return packed

    def answer_later(self, workspace_id: str, prediction_id: str, context: LambdaContext) -> None:
        """A deferred one, unless it has been answered. What is wrong with it is its answer."""
        ports = self.endpoints.ports
        found = deferred.load(ports, workspace_id, prediction_id, seconds_left=countdown(context))
        if found is not None:
            request, caller = found
            answered = http.boundary({}, lambda: answers.to_http(self._respond(request, caller)))
            predictions.finish(ports, workspace_id, prediction_id, *answers.to_deferred(answered))

    def _respond(self, request: PredictionRequest, caller: Principal | None) -> PredictionAnswer:
        if caller is not None:
            request = deferred.with_input(request, self.endpoints.ports, caller)
            inference = self.endpoints.ports.live_settings.get(InferenceSettings, caller.workspace_id)
            request = replace(request, max_rows=inference.max_rows)
        if is_oip(request.path):
            answer = self.oip.answer(request, caller)
        else:
            answer = rows.answer(request, self.traffic, _require(caller))
        if answer.observed is not None:
            self.endpoints.capturing.take(answer.observed, request_id=request.id)
            self.endpoints.capturing.flush()
        return answer


def _with_limits(ports: Ports, caller: Principal) -> Principal:
    """With the workspace's limits where the key has none of its own."""
    quotas = ports.live_settings.get(QuotaSettings, caller.workspace_id)
    limits = {
        "max_requests_per_second": quotas.key_requests_per_second,
        "max_requests_per_day": quotas.key_requests_per_day,
    }
    missing = {name: limit for name, limit in limits.items() if limit is not None and getattr(caller, name) is None}
    return caller.model_copy(update=missing) if missing else caller


def _within_limits(ports: Ports, caller: Principal, request: PredictionRequest) -> PredictionRequest:
    """With the time that the workspace gives a request. Raises PayloadTooLargeError."""
    inference = ports.live_settings.get(InferenceSettings, caller.workspace_id)
    if request.num_sent_bytes > inference.max_body_bytes:
        raise PayloadTooLargeError(
            f"The body has {request.num_sent_bytes} bytes; at most {inference.max_body_bytes} are taken in this "
            "workspace. Send fewer rows per request."
        )
    until, seconds_left = time.monotonic() + inference.timeout_seconds, request.seconds_left
    return replace(request, seconds_left=lambda: min(seconds_left(), until - time.monotonic()))


def _require(caller: Principal | None) -> Principal:
    if caller is None:
        raise UnauthenticatedError("The API key or session is missing, unknown, expired or revoked.")
    return caller
