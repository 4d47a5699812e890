"""The operations below /v2."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aimass_core
from aimass_core.domain.common import Principal
from aimass_core.errors import (
    MethodNotAllowedError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from aimass_core.inference.capturing.observed import Observed, OutputRows
from aimass_core.inference.drift import find_warnings
from aimass_core.inference.explaining import explanations
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest, json_answer
from aimass_core.inference.oip import inference, metadata, repository, server_settings
from aimass_core.inference.oip.statistics import Statistics
from aimass_core.inference.serving.asking import Asking, Direct
from aimass_core.inference.serving.endpoints import EndpointSource, Served, require_version

_VERSION = re.compile(r"[1-9][0-9]{0,7}")
_MAX_WARNINGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OipRoutes:
    """Answers requests for models by the names of endpoints."""

    endpoints: EndpointSource
    asking: Asking | None = None
    statistics: Statistics = field(default_factory=Statistics)

    def answer(self, request: PredictionRequest, caller: Principal | None) -> PredictionAnswer:
        """One request below /v2; only liveness and readiness are answered without a caller.

        Raises:
            UnauthenticatedError: Nobody was let in.
            NotFoundError, MethodNotAllowedError: There is no such operation.
        """
        parts = request.path.strip("/").split("/")[1:]
        if parts in (["health", "live"], ["health", "ready"]):
            _require(request, "GET")
            return json_answer({parts[1]: True})
        if caller is None:
            raise UnauthenticatedError("The API key or session is missing, unknown, expired or revoked.")
        match parts:
            case ["models", "stats"]:
                _require(request, "GET")
                return json_answer(self._all_statistics(caller))
            case ["models", name, "versions", version, *operation] if _VERSION.fullmatch(version):
                return self._answer_model(request, caller, name, int(version), operation)
            case ["models", name, *operation]:
                return self._answer_model(request, caller, name, None, operation)
        return json_answer(self._answer_server(request, caller, parts))

    def _answer_server(self, request: PredictionRequest, caller: Principal, parts: Sequence[str]) -> Any:
        match parts:
            case []:
                _require(request, "GET")
                return metadata.server(aimass_core.__version__)
            case ["repository", "index"]:
                _require(request, "POST")
                return repository.index(self.endpoints, request, caller)
            case ["repository", "models", name, "load" | "unload" as action]:
                _require(request, "POST")
                change = repository.load if action == "load" else repository.unload
                return change(self.endpoints, request, caller, name)
            case ["logging"]:
                _require(request, "GET", "POST")
                return server_settings.answer(request, server_settings.LOGGING)
            case ["trace", "setting"]:
                _require(request, "GET", "POST")
                return server_settings.answer(request, server_settings.TRACE)
        raise NotFoundError("There is nothing at this address.")

    def _answer_model(
        self, request: PredictionRequest, caller: Principal, name: str, number: int | None, operation: Sequence[str]
    ) -> PredictionAnswer:
        if not name:
            raise NotFoundError("There is nothing at this address.")
        match operation:
            case ["infer"]:
                _require(request, "POST")
                asking = self.asking or Direct(self.endpoints)
                return asking.answer(request, caller, name, self._infer, number=number)
            case ["ready"]:
                _require(request, "GET")
                return self._ready(caller, name, number)
            case [] | ["config"]:
                _require(request, "GET")
                served = self.endpoints.serve(caller.workspace_id, name, number=number)
                describe = metadata.config if operation else metadata.model
                return json_answer(describe(served.endpoint, served.version, served.model.signature))
            case ["trace", "setting"]:
                _require(request, "GET", "POST")
                self.endpoints.find(caller.workspace_id, name)
                return json_answer(server_settings.answer(request, server_settings.TRACE))
            case ["stats"]:
                _require(request, "GET")
                endpoint = self.endpoints.find(caller.workspace_id, name)
                version = require_version(endpoint, number)
                counters = self.statistics.of(endpoint.id, endpoint.name, version.number)
                return json_answer(self._stats(caller, [counters.to_json(endpoint.name, version.number)]))
        raise NotFoundError("There is nothing at this address.")

    def _infer(self, request: PredictionRequest, served: Served) -> PredictionAnswer:
        endpoint, version, model = served.endpoint, served.version, served.model
        counters = self.statistics.of(endpoint.id, endpoint.name, version.number)
        began = time.perf_counter_ns()
        asked = inference.read_request(request.body, request.header(inference.BINARY_HEADER), model.signature)
        request.check_rows(asked.num_rows)
        if asked.is_explained:
            explanations.check(model.signature, asked.num_rows)
        counters.compute_input.add(time.perf_counter_ns() - began)
        with self.statistics.request(counters, num_rows=asked.num_rows):
            started = time.perf_counter_ns()
            outputs = model.run(asked.inputs, outputs=list(asked.outputs), seconds=request.seconds_left())
            counters.compute.add(time.perf_counter_ns() - started)
        told = None
        if asked.is_explained:
            told = explanations.explain(model, asked.inputs, seconds_left=request.seconds_left)
        began = time.perf_counter_ns()
        found = find_warnings(model.signature, asked.inputs)
        words = [f"row {row}: {text}" for row, texts in found.items() for text in texts]
        if len(words) > _MAX_WARNINGS:
            words = [*words[:_MAX_WARNINGS], f"and {len(words) - _MAX_WARNINGS} more"]
        asked.warnings.extend([*served.list_missing(), *words])
        body = inference.write_answer(
            asked,
            outputs,
            model.signature,
            model_name=endpoint.name,
            version=version.number,
            explanations=told,
        )
        observed = Observed(
            endpoint=endpoint,
            version=version,
            signature=model.signature,
            inputs=asked.inputs,
            rows=range(asked.num_rows),
            outputs=OutputRows(outputs, asked.num_rows),
            client_id=asked.id,
        )
        counters.compute_output.add(time.perf_counter_ns() - began)
        if body.header_bytes is None:
            return PredictionAnswer(content=body.content, num_rows=asked.num_rows, observed=observed)
        return PredictionAnswer(
            content=body.content,
            content_type="application/octet-stream",
            headers={inference.BINARY_HEADER: str(body.header_bytes)},
            num_rows=asked.num_rows,
            observed=observed,
        )

    def _ready(self, caller: Principal, name: str, number: int | None) -> PredictionAnswer:
        """Ready means loaded: a damaged model says so here and not with the first request."""
        try:
            self.endpoints.serve(caller.workspace_id, name, number=number)
        except UnavailableError as error:
            body = {"name": name, "ready": False, "error": error.message}
            return json_answer(body, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return json_answer({"name": name, "ready": True})

    def _all_statistics(self, caller: Principal) -> Mapping[str, Any]:
        return self._stats(
            caller,
            [
                self.statistics.of(endpoint.id, endpoint.name, endpoint.serving.number).to_json(
                    endpoint.name, endpoint.serving.number
                )
                for endpoint in self.endpoints.list_all(caller.workspace_id)
                if endpoint.serving is not None
            ],
        )

    def _stats(self, caller: Principal, entries: list[dict[str, Any]]) -> dict[str, Any]:
        note = "Each process of the function counts for itself, from its start."
        cache = self.endpoints.describe_cache(caller.workspace_id)
        return {"model_stats": entries, "parameters": {"scope": "process", "note": note, "model_cache": cache}}


def _require(request: PredictionRequest, *methods: str) -> None:
    if request.method not in methods:
        raise MethodNotAllowedError(f"{request.method} does nothing here; use {' or '.join(methods)}.", allowed=methods)
