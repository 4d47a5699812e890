"""Documentation of what the predictions function serves: friendly rows, and the Open Inference Protocol v2."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from aimass_core.domain.common import NAME_PATTERN
from aimass_core.domain.endpoints import Predictions, PredictRequest
from aimass_core.lambda_support.http import PROBLEM_TYPE

_TAG = "predictions"
_OIP_TAG = "inference"
_REF = "#/components/schemas/"
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"type": "string", "examples": ["FP32", "INT64", "BYTES"]},
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {}},
    },
}
_SCHEMAS: dict[str, Any] = {
    "InferenceTensor": _TENSOR,
    "InferenceRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "inputs": {"type": "array", "minItems": 1, "items": {"$ref": f"{_REF}InferenceTensor"}},
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}},
                },
            },
        },
    },
    "InferenceResponse": {
        "type": "object",
        "required": ["model_name", "outputs"],
        "properties": {
            "id": {"type": "string"},
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "parameters": {"type": "object"},
            "outputs": {"type": "array", "items": {"$ref": f"{_REF}InferenceTensor"}},
        },
    },
    "InferenceError": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
}


def add_predictions(document: dict[str, Any], *, problems: Mapping[str, Any]) -> None:
    """Adds the paths and their schemas to the document.

    Args:
        problems: the responses that the friendly operation shares with the management API.
    """
    schemas = document["components"]["schemas"]
    schemas.update(_SCHEMAS)
    for model in (PredictRequest, Predictions):
        _add_schema(schemas, model)
    paths = document["paths"]
    paths["/v1/endpoints/{endpoint}/predict"] = {"post": _predict(problems)}
    paths["/v1/endpoints/{endpoint}/invocations"] = {"post": _invoke(problems)}
    for path, operation_id, summary in _READS:
        paths[path] = {"get": _oip(operation_id, summary, path=path)}
    for path, operation_id in (
        ("/v2/models/{model}/infer", "infer"),
        ("/v2/models/{model}/versions/{version}/infer", "infer_version"),
    ):
        paths[path] = {"post": _infer(operation_id, path=path)}
    for path, operation_id, summary in _ACTIONS:
        paths.setdefault(path, {})["post"] = _act(operation_id, summary, path=path)


_READS = (
    ("/v2", "get_server", "Read what the server can do"),
    ("/v2/health/live", "get_live", "Is it alive?"),
    ("/v2/health/ready", "get_ready", "Is it ready?"),
    ("/v2/logging", "get_log_settings", "Read the log settings"),
    ("/v2/trace/setting", "get_trace_settings", "Read the trace settings"),
    ("/v2/models/stats", "get_statistics", "Read what all models have answered"),
    ("/v2/models/{model}", "get_model_metadata", "Read a model's inputs and outputs"),
    ("/v2/models/{model}/ready", "get_model_ready", "Is the model ready?"),
    ("/v2/models/{model}/config", "get_model_config", "Read a model's configuration"),
    ("/v2/models/{model}/stats", "get_model_statistics", "Read what a model has answered"),
    ("/v2/models/{model}/trace/setting", "get_model_trace_settings", "Read a model's trace settings"),
    ("/v2/models/{model}/versions/{version}", "get_model_version_metadata", "Read a version's inputs and outputs"),
    ("/v2/models/{model}/versions/{version}/ready", "get_model_version_ready", "Is the version ready?"),
)
_ACTIONS = (
    ("/v2/repository/index", "list_repository", "List the models"),
    ("/v2/repository/models/{model}/load", "load_model", "Load a model into memory"),
    ("/v2/repository/models/{model}/unload", "unload_model", "Free a model's memory"),
)
_OPEN = ("/v2/health/live", "/v2/health/ready")


def _add_schema(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template=_REF + "{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema


def _predict(problems: Mapping[str, Any]) -> dict[str, Any]:
    rows = {"rows": [{"age": 39, "workclass": "State-gov", "hours-per-week": 40}]}
    return {
        "operationId": "predict",
        "tags": [_TAG],
        "summary": "Predict rows",
        "description": (
            "Records, CSV with a header line, or one image as it is, in; labels and probabilities out.\n\nRole: viewer."
        ),
        "security": [{"api_key": []}],
        "parameters": [
            _parameter("endpoint", NAME_PATTERN),
            {
                "name": "explain",
                "in": "query",
                "description": "With what each part of a row contributes to its answer (Shapley values).",
                "schema": {"type": "boolean", "default": False},
            },
            *_HEADERS,
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": f"{_REF}PredictRequest"}, "example": rows},
                "text/csv": {"schema": {"type": "string"}, "example": "age,workclass\n39,State-gov\n"},
                "image/png": {"schema": {"type": "string", "format": "binary"}},
                "image/jpeg": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        "responses": {
            **_DEFERRED,
            **_LINK,
            "200": {
                "description": "Done",
                "content": {"application/json": {"schema": {"$ref": f"{_REF}Predictions"}}},
            },
            **problems,
        },
    }


def _invoke(problems: Mapping[str, Any]) -> dict[str, Any]:
    """The friendly operation in MLflow's forms."""
    operation = _predict(problems)
    forms = ("dataframe_split", "dataframe_records", "instances", "inputs")
    properties: dict[str, Any] = {name: {} for name in forms}
    operation["operationId"] = "invoke"
    operation["summary"] = "Predict rows in MLflow's forms"
    operation["description"] = f"One of {', '.join(forms)} in, `predictions` out.\n\nRole: viewer."
    operation["requestBody"]["content"] = {
        "application/json": {
            "schema": {"type": "object", "properties": properties},
            "example": {"dataframe_split": {"columns": ["age", "workclass"], "data": [[39, "State-gov"]]}},
        },
        "text/csv": {"schema": {"type": "string"}, "example": "age,workclass\n39,State-gov\n"},
    }
    answer = {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array", "items": {}}, "errors": {"type": "object"}},
    }
    operation["responses"]["200"]["content"] = {"application/json": {"schema": answer}}
    return operation


def _act(operation_id: str, summary: str, *, path: str) -> dict[str, Any]:
    operation = _oip(operation_id, summary, path=path)
    content = {"application/json": {"schema": {"type": "object"}}}
    return {**operation, "requestBody": {"required": False, "content": content}}


# What the operations that predict have in common.
_HEADERS = (
    {
        "name": "Prefer",
        "in": "header",
        "description": "`respond-async`: 202 with an id at once, for answers that take more than 28 s.",
        "schema": {"type": "string"},
    },
    {
        "name": "X-Aimass-Input",
        "in": "header",
        "description": "The SHA-256 of a body that was sent to /v1/predictions/inputs before, in place of a body.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
)
_DEFERRED_SCHEMA = {"application/json": {"schema": {"$ref": f"{_REF}DeferredPrediction"}}}
_DEFERRED = {"202": {"description": "Accepted", "content": _DEFERRED_SCHEMA}}
_LINK = {"303": {"description": "The answer is too large for this one: it is at Location, for an hour"}}


def _infer(operation_id: str, *, path: str) -> dict[str, Any]:
    operation = _oip(operation_id, "Infer", path=path, schema="InferenceResponse")
    operation["parameters"] += _HEADERS
    operation["responses"] |= {**_DEFERRED, **_LINK}
    operation["description"] = (
        "Open Inference Protocol v2; the model's name is the endpoint's. The binary tensor extension is understood.\n\n"
        "Role: viewer or above."
    )
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": f"{_REF}InferenceRequest"}}},
    }
    return operation


def _oip(operation_id: str, summary: str, *, path: str, schema: str | None = None) -> dict[str, Any]:
    answer = {"$ref": f"{_REF}{schema}"} if schema else {"type": "object"}
    parameters = [_parameter("model", NAME_PATTERN)] if "{model}" in path else []
    if "{version}" in path:
        parameters.append(_parameter("version", "^[1-9][0-9]{0,7}$"))
    return {
        "operationId": operation_id,
        "tags": [_OIP_TAG],
        "summary": summary,
        "security": [] if path in _OPEN else [{"api_key": []}],
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done", "content": {"application/json": {"schema": answer}}},
            **_oip_errors((400, 404, 405, 413, 415, 422, 429, 500, 503, 504)),
            **({} if path in _OPEN else _gateway_errors((401, 403))),
        },
    }


def _oip_errors(statuses: Iterable[int]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"{_REF}InferenceError"}}}
    return {str(status): {"description": "Refused; the text says why", "content": content} for status in statuses}


def _gateway_errors(statuses: Iterable[int]) -> dict[str, Any]:
    """The authorizer refuses before the protocol begins."""
    content = {PROBLEM_TYPE: {"schema": {"$ref": f"{_REF}Problem"}}}
    return {str(status): {"description": "Refused", "content": content} for status in statuses}


def _parameter(name: str, pattern: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}
