"""Every address of the container: the engine's, SageMaker's, and those that change what is served."""

import re
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import ValidationError

from aimass_core.domain.common import Principal
from aimass_core.domain.endpoint_settings import EndpointSettingsChange
from aimass_core.errors import AimassError, InternalError, InvalidRequestError, MethodNotAllowedError
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest, json_answer
from aimass_core.inference.oip.routes import OipRoutes
from aimass_core.inference.rows import routes as rows
from aimass_core.lambda_support import json_body
from batch_jobs.serve.batching import bridge
from batch_jobs.serve.http import problems
from batch_jobs.serve.http.asking import WithinTime
from batch_jobs.serve.http.sagemaker import SageMakerRoutes
from batch_jobs.serve.models.repository import Repository

_REPOSITORY = re.compile(r"/v2/repository/models/([^/]+)/(load|unload)")
_SETTINGS = re.compile(r"/v2/models/([^/]+)/settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Answers within `bridge.run`; whatever is raised becomes an answer."""

    repository: Repository
    asking: WithinTime
    oip: OipRoutes
    sagemaker: SageMakerRoutes
    caller: Principal

    def answer(self, request: PredictionRequest) -> PredictionAnswer:
        """One request."""
        is_oip = request.path == "/v2" or request.path.startswith("/v2/")
        try:
            return self._answer(request, is_oip=is_oip)
        except AimassError as error:
            return problems.to_answer(error, is_oip=is_oip)

    def _answer(self, request: PredictionRequest, *, is_oip: bool) -> PredictionAnswer:
        if is_oip:
            return self.answer_oip(request)
        if request.path.startswith("/v1/"):
            return rows.answer(request, self.asking, self.caller)
        return self.sagemaker.answer(request)

    def answer_oip(self, request: PredictionRequest) -> PredictionAnswer:
        """Below /v2. Raises what is wrong with the request."""
        if match := _REPOSITORY.fullmatch(request.path):
            _require(request, "POST")
            return self._load(match[1]) if match[2] == "load" else self._unload(match[1])
        if match := _SETTINGS.fullmatch(request.path):
            _require(request, "GET", "POST")
            return self._settings(request, match[1])
        return self.oip.answer(request, self.caller)

    def _load(self, name: str) -> PredictionAnswer:
        """Looks at the folder again: versions that were added are there, those that were removed are not."""
        bridge.wait(self.repository.load(self.repository.place(name, None)))
        return json_answer({})

    def _unload(self, name: str) -> PredictionAnswer:
        self.repository.unload(self.caller.workspace_id, name)
        return json_answer({})

    def _settings(self, request: PredictionRequest, name: str) -> PredictionAnswer:
        settings = self.repository.settings(name)
        if request.method == "POST":
            given = json_body.parse_object(request.text())
            try:
                settings = EndpointSettingsChange.model_validate(given).apply(settings)
            except ValidationError as error:
                words = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
                raise InvalidRequestError(f"The settings are not valid: {words}.") from error
            settings = self.repository.change_settings(name, settings)
        return PredictionAnswer(content=settings.model_dump_json().encode(), status=HTTPStatus.OK)


def fault_of_ours(*, is_oip: bool) -> PredictionAnswer:
    """What is told of an error that is in the log."""
    return problems.to_answer(InternalError("Something went wrong on our side; the log says what."), is_oip=is_oip)


def _require(request: PredictionRequest, *methods: str) -> None:
    if request.method not in methods:
        raise MethodNotAllowedError(
            f"{request.method} does nothing here; use {' or '.join(methods)}.", allowed=list(methods)
        )
