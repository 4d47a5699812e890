"""AWS's protocol REST-JSON, read from botocore's own model of a service.

Every input and every output is validated against that model, so that what passes here is what a real client sends
and understands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore import loaders, model, validate

from aimass_local.documents import Document

Route = tuple[str, re.Pattern[str], model.OperationModel]


def load_description(service: str) -> Document:
    """What botocore's model of a service is made of."""
    description: Document = loaders.Loader().load_service_model(service, "service-2")
    return description


class RestJson:
    """One service's protocol.

    Args:
        service: its model.
        invalid: the error for parameters that are not what an operation takes, of its words.
        unknown: the same for a method and path that no operation has.
        broken: the same for an answer that no client would read, which is a fault of this server.
    """

    def __init__(
        self,
        service: model.ServiceModel,
        *,
        invalid: Callable[[str], Exception],
        unknown: Callable[[str], Exception],
        broken: Callable[[str], Exception],
    ) -> None:
        self.service = service
        self._invalid, self._unknown, self._broken = invalid, unknown, broken
        self._validator = validate.ParamValidator()

    def parse(self, method: str, path: str, query: str, body: bytes) -> tuple[str, Document]:
        """The operation of a request, and its validated parameters."""
        operation, parameters = self._find_operation(method, path)
        shape = operation.input_shape
        values = parse_qs(query, keep_blank_values=True)
        for name, member in shape.members.items():
            if member.serialization.get("location") == "querystring" and name in values:
                parameters[name] = values[name]
        parameters.update(self._parse_body(body))
        return operation.name, self.validate_parameters(operation.name, parameters)

    def validate_parameters(self, operation: str, parameters: Document) -> Document:
        """The same parameters, known to be what the operation takes."""
        report = self._validator.validate(parameters, self.service.operation_model(operation).input_shape)
        if report.has_errors():
            raise self._invalid(report.generate_report())
        return parameters

    def validate_answer(self, operation: str, answer: Document) -> Document:
        """The same answer, known to be what a client of the operation reads."""
        report = self._validator.validate(answer, self.service.operation_model(operation).output_shape)
        if report.has_errors():
            raise self._broken(f"{operation}: the answer does not follow the model: {report.generate_report()}")
        return answer

    @cached_property
    def _routes(self) -> list[Route]:
        """Those of the longer paths first, since a name in a path may have slashes."""
        operations = [self.service.operation_model(name) for name in self.service.operation_names]
        operations.sort(key=lambda operation: -operation.http["requestUri"].count("/"))
        return [
            (
                operation.http["method"],
                re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>.+)", operation.http["requestUri"]), re.IGNORECASE),
                operation,
            )
            for operation in operations
        ]

    def _find_operation(self, method: str, path: str) -> tuple[model.OperationModel, Document]:
        for route_method, pattern, operation in self._routes:
            if route_method == method and (match := pattern.fullmatch(path.rstrip("/"))):
                return operation, {name: unquote(value) for name, value in match.groupdict().items()}
        raise self._unknown(f"there is no operation {method} {path}")

    def _parse_body(self, body: bytes) -> Mapping[str, Any]:
        try:
            parsed = json.loads(body or b"{}")
        except ValueError as error:
            raise self._invalid(f"the body is not JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise self._invalid("the body is not a JSON object")
        return parsed


def is_reading(operation: str) -> bool:
    """Whether an operation changes nothing."""
    return operation.startswith(("Describe", "Get", "List"))
