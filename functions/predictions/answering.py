"""What the function does with a request: answers it now, by link, or later."""

from dataclasses import dataclass, replace

from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core.domain.common import Principal
from aimass_core.errors import UnauthenticatedError
from aimass_core.inference import deferred, transfer
from aimass_core.inference.limits import MAX_ANSWER_BYTES
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest
from aimass_core.inference.oip.routes import OipRoutes
from aimass_core.inference.rows import routes as rows
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.throttling import Throttling
from aimass_core.inference.serving.traffic import Traffic
from aimass_core.lambda_support import http
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
            self.throttling.take(caller)
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
        if is_oip(request.path):
            answer = self.oip.answer(request, caller)
        else:
            answer = rows.answer(request, self.traffic, _require(caller))
        if answer.observed is not None:
            self.endpoints.capturing.take(answer.observed, request_id=request.id)
            self.endpoints.capturing.flush()
        return answer


def _require(caller: Principal | None) -> Principal:
    if caller is None:
        raise UnauthenticatedError("The API key or session is missing, unknown, expired or revoked.")
    return caller
