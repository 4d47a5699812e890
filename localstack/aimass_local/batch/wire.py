"""Batch's wire protocol (REST-JSON), read from botocore's own model of the service.

Every input and every output is validated against that model, so that what passes here is what a real client sends
and understands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore import loaders, model, validate

from aimass_local.batch.errors import ClientError, ServerError, UnknownOperationError
from aimass_local.documents import Document as Document  # noqa: PLC0414 - the word that all of Batch is written in


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call: the operation's name and its validated parameters."""

    operation: str
    parameters: Document


def parse_request(method: str, path: str, query: str, body: bytes) -> Request:
    """Finds the operation of a request and validates its parameters.

    Raises:
        UnknownOperationError: no operation has this method and path.
        ClientError: the parameters are not what the operation takes.
    """
    operation, parameters = _find_operation(method, path)
    shape = operation.input_shape
    values = parse_qs(query, keep_blank_values=True)
    for name, member in shape.members.items():
        if member.serialization.get("location") == "querystring" and name in values:
            parameters[name] = values[name]
    parameters.update(_parse_body(body))
    return Request(operation=operation.name, parameters=validate_parameters(operation.name, parameters))


def validate_parameters(operation: str, parameters: Document) -> Document:
    """The same parameters, known to be what `operation` takes.

    Raises:
        ClientError: they are not.
    """
    report = _validator().validate(parameters, service_model().operation_model(operation).input_shape)
    if report.has_errors():
        raise ClientError(f"Error executing request, Exception : {report.generate_report()}")
    return parameters


def validate_answer(operation: str, answer: Document) -> Document:
    """The same answer, known to be what a client of `operation` reads.

    Raises:
        ServerError: it is not, which is a fault of this server.
    """
    shape = service_model().operation_model(operation).output_shape
    report = _validator().validate(answer, shape)
    if report.has_errors():
        raise ServerError(f"{operation}: the answer does not follow the model: {report.generate_report()}")
    return answer


def is_reading(operation: str) -> bool:
    """Whether `operation` changes nothing."""
    return operation.startswith(("Describe", "Get", "List"))


@cache
def service_model() -> model.ServiceModel:
    """Botocore's model of AWS Batch."""
    description = loaders.Loader().load_service_model("batch", "service-2")
    # NOTE: the model calls `startedAt` required, yet Batch leaves it out until a job has started.
    required = description["shapes"]["JobDetail"]["required"]
    description["shapes"]["JobDetail"]["required"] = [name for name in required if name != "startedAt"]
    return model.ServiceModel(description, "batch")


@cache
def _validator() -> validate.ParamValidator:
    return validate.ParamValidator()


@cache
def _routes() -> tuple[tuple[str, re.Pattern[str], model.OperationModel], ...]:
    return tuple(_iterate_routes())


def _iterate_routes() -> Iterator[tuple[str, re.Pattern[str], model.OperationModel]]:
    for name in service_model().operation_names:
        operation = service_model().operation_model(name)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>.+)", operation.http["requestUri"])
        yield operation.http["method"], re.compile(pattern, re.IGNORECASE), operation


def _find_operation(method: str, path: str) -> tuple[model.OperationModel, Document]:
    for route_method, pattern, operation in _routes():
        if route_method == method and (match := pattern.fullmatch(path.rstrip("/"))):
            return operation, {name: unquote(value) for name, value in match.groupdict().items()}
    raise UnknownOperationError(f"AWS Batch has no operation {method} {path}")


def _parse_body(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError as error:
        raise ClientError(f"Error executing request, Exception : the body is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise ClientError("Error executing request, Exception : the body is not a JSON object")
    return parsed
