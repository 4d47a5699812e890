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
    MalformedRequestError,
    MethodNotAllowedError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from aimass_core.inference.drift import find_warnings
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest, json_answer
from aimass_core.inference.oip import inference, metadata
from aimass_core.inference.oip.statistics import Statistics
from aimass_core.inference.serving.endpoints import EndpointSource, Served, require_version
from aimass_core.inference.serving.fusion import list_missing
from aimass_core.lambda_support import json_body

_VERSION = re.compile(r"[1-9][0-9]{0,7}")
_MAX_WARNINGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OipRoutes:
    """Answers requests for models by the names of endpoints."""

    endpoints: EndpointSource
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
            raise UnauthenticatedError("The API key is missing, unknown, expired or revoked.")
        match parts:
            case []:
                _require(request, "GET")
                return json_answer(metadata.server(aimass_core.__version__))
            case ["repository", "index"]:
                _require(request, "POST")
                return self._index(request, caller)
            case ["models", "stats"]:
                _require(request, "GET")
                return json_answer(self._all_statistics(caller))
            case ["models", name, "versions", version, *operation] if _VERSION.fullmatch(version):
                return self._answer_model(request, caller, name, int(version), operation)
            case ["models", name, *operation]:
                return self._answer_model(request, caller, name, None, operation)
        raise NotFoundError("There is nothing at this address.")

    def _answer_model(
        self, request: PredictionRequest, caller: Principal, name: str, number: int | None, operation: Sequence[str]
    ) -> PredictionAnswer:
        if not name:
            raise NotFoundError("There is nothing at this address.")
        match operation:
            case ["infer"]:
                _require(request, "POST")
                return self._infer(request, self.endpoints.serve(caller.workspace_id, name, number=number))
            case ["ready"]:
                _require(request, "GET")
                return self._ready(caller, name, number)
            case [] | ["config"]:
                _require(request, "GET")
                served = self.endpoints.serve(caller.workspace_id, name, number=number)
                describe = metadata.config if operation else metadata.model
                return json_answer(describe(served.endpoint, served.version, served.model.signature))
            case ["stats"]:
                _require(request, "GET")
                endpoint = self.endpoints.find(caller.workspace_id, name)
                version = require_version(endpoint, number)
                counters = self.statistics.of(endpoint.id, endpoint.name, version.number)
                return json_answer(_stats([counters.to_json(endpoint.name, version.number)]))
        raise NotFoundError("There is nothing at this address.")

    def _infer(self, request: PredictionRequest, served: Served) -> PredictionAnswer:
        endpoint, version, model = served.endpoint, served.version, served.model
        counters = self.statistics.of(endpoint.id, endpoint.name, version.number)
        asked = inference.read_request(request.body, request.header(inference.BINARY_HEADER), model.signature)
        with self.statistics.request(counters, num_rows=asked.num_rows):
            started = time.perf_counter_ns()
            outputs = model.run(asked.inputs, outputs=list(asked.outputs), seconds=request.seconds_left())
            counters.compute.add(time.perf_counter_ns() - started)
        found = find_warnings(model.signature, asked.inputs)
        words = [f"row {row}: {text}" for row, texts in found.items() for text in texts]
        if len(words) > _MAX_WARNINGS:
            words = [*words[:_MAX_WARNINGS], f"and {len(words) - _MAX_WARNINGS} more"]
        asked.warnings.extend([*list_missing(model), *words])
        body = inference.write_answer(asked, outputs, model.signature, model_name=endpoint.name, version=version.number)
        if body.header_bytes is None:
            return PredictionAnswer(content=body.content, num_rows=asked.num_rows)
        return PredictionAnswer(
            content=body.content,
            content_type="application/octet-stream",
            headers={inference.BINARY_HEADER: str(body.header_bytes)},
            num_rows=asked.num_rows,
        )

    def _ready(self, caller: Principal, name: str, number: int | None) -> PredictionAnswer:
        """Ready means loaded: a damaged model says so here and not with the first request."""
        try:
            self.endpoints.serve(caller.workspace_id, name, number=number)
        except UnavailableError as error:
            body = {"name": name, "ready": False, "error": error.message}
            return json_answer(body, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return json_answer({"name": name, "ready": True})

    def _index(self, request: PredictionRequest, caller: Principal) -> PredictionAnswer:
        options = json_body.parse_object(request.text()) if request.body else {}
        unknown = options.keys() - {"ready"}
        if unknown or not isinstance(options.get("ready", False), bool):
            raise MalformedRequestError('The body of the index may only hold "ready": true or false.')
        entries = [metadata.index_entry(endpoint) for endpoint in self.endpoints.list_all(caller.workspace_id)]
        if options.get("ready"):
            entries = [entry for entry in entries if entry["state"] == "READY"]
        return json_answer(entries)

    def _all_statistics(self, caller: Principal) -> Mapping[str, Any]:
        return _stats(
            [
                self.statistics.of(endpoint.id, endpoint.name, endpoint.serving.number).to_json(
                    endpoint.name, endpoint.serving.number
                )
                for endpoint in self.endpoints.list_all(caller.workspace_id)
                if endpoint.serving is not None
            ]
        )


def _stats(entries: list[dict[str, Any]]) -> dict[str, Any]:
    note = "Each process of the function counts for itself, from its start."
    return {"model_stats": entries, "parameters": {"scope": "process", "note": note}}


def _require(request: PredictionRequest, method: str) -> None:
    if request.method != method:
        raise MethodNotAllowedError(f"{request.method} does nothing here; use {method}.", allowed=[method])
