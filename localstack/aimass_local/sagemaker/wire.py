"""SageMaker's wire protocol (AWS JSON 1.1), read from botocore's own model of the service.

Every input is validated against that model, with its patterns and enumerations, and every output too: what passes here
is what a real client sends and understands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore import loaders, model, validate

from aimass_local.documents import Document
from aimass_local.sagemaker.errors import InternalError, UnknownActionError, ValidationError

CONTENT_TYPE = "application/x-amz-json-1.1"
TARGET_PREFIX = "SageMaker."


def parse_request(target: str, body: bytes) -> tuple[str, Document]:
    """The operation that X-Amz-Target names, and its parameters.

    Raises:
        UnknownActionError: SageMaker has no such operation.
        ValidationError: the parameters are not what the operation takes.
    """
    operation = target.removeprefix(TARGET_PREFIX)
    if not target.startswith(TARGET_PREFIX) or operation not in service_model().operation_names:
        raise UnknownActionError(f"SageMaker has no operation {target!r}")
    try:
        parameters = json.loads(body or b"{}")
    except ValueError as error:
        raise ValidationError(f"The request is not JSON: {error}") from error
    if not isinstance(parameters, dict):
        raise ValidationError("The request is not a JSON object")
    shape = service_model().operation_model(operation).input_shape
    report = validate.ParamValidator().validate(parameters, shape)
    faults = [report.generate_report()] if report.has_errors() else list(_find_faults(parameters, shape, where=""))
    if faults:
        noun = "error" if len(faults) == 1 else "errors"
        raise ValidationError(f"{len(faults)} validation {noun} detected: {'; '.join(faults)}")
    return operation, parameters


def validate_answer(operation: str, answer: Document) -> Document:
    """The same answer, known to be what a client of `operation` reads.

    Raises:
        InternalError: it is not, which is a fault of this server.
    """
    shape = service_model().operation_model(operation).output_shape
    if shape is None:
        return answer
    report = validate.ParamValidator().validate(answer, shape)
    if report.has_errors():
        raise InternalError(f"{operation}: the answer does not follow the model: {report.generate_report()}")
    return answer


def is_reading(operation: str) -> bool:
    """Whether `operation` changes nothing."""
    return operation.startswith(("Describe", "List"))


@cache
def service_model() -> model.ServiceModel:
    """Botocore's model of SageMaker."""
    return model.ServiceModel(loaders.Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


@cache
def _compile(pattern: str) -> re.Pattern[str] | None:
    r"""None for what Python's expressions do not know: Unicode classes such as \p{L}."""
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return None


def _find_faults(value: Any, shape: model.Shape, *, where: str) -> Iterator[str]:
    """What botocore's validator leaves to the service: patterns, enumerations, upper bounds."""
    match shape.type_name:
        case "structure":
            for name, member in value.items():
                yield from _find_faults(member, shape.members[name], where=f"{where}.{name}" if where else name)
        case "list":
            for index, member in enumerate(value, start=1):
                yield from _find_faults(member, shape.member, where=f"{where}.{index}.member")
        case "map":
            for key, member in value.items():
                yield from _find_faults(key, shape.key, where=f"{where} (a key)")
                yield from _find_faults(member, shape.value, where=f"{where}.{key}")
        case "string":
            yield from _find_text_faults(value, shape, where=where)
    size = value if shape.type_name in ("integer", "long") else len(value) if hasattr(value, "__len__") else None
    if size is not None and size > shape.metadata.get("max", size):
        yield f"Value at '{where}' failed to satisfy constraint: Member must be at most {shape.metadata['max']}"


def _find_text_faults(value: str, shape: model.Shape, *, where: str) -> Iterator[str]:
    enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    start = f"Value '{value[:100]}' at '{where}' failed to satisfy constraint: Member must satisfy"
    if enum and value not in enum:
        yield f"{start} enum value set: [{', '.join(enum)}]"
    if pattern and (compiled := _compile(pattern)) and not compiled.fullmatch(value):
        yield f"{start} regular expression pattern: {pattern}"
