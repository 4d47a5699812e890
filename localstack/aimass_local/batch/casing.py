"""Two spellings of one document: `jobName` in Batch's API, `JobName` in CloudFormation and Step Functions."""

from __future__ import annotations

from typing import Any

from botocore import model

from aimass_local.batch.errors import ClientError
from aimass_local.batch.wire import Document


def from_pascal_case(value: Document, shape: model.StructureShape, *, where: str = "") -> Document:
    """Spells a document as the API does, and gives numbers and booleans that come as text their type.

    Only names of `shape` change: keys that a user chose (tags, parameters) stay as they are.

    Raises:
        ClientError: a name is none of the shape's.
    """
    members = {name.lower(): (name, member) for name, member in shape.members.items()}
    converted = {}
    for key, entry in value.items():
        if key.lower() not in members:
            raise ClientError(f"{where or shape.name}: {key} is not supported")
        name, member = members[key.lower()]
        converted[name] = _convert(entry, member, where=f"{where}.{key}" if where else key)
    return converted


def to_pascal_case(value: Any, *, is_user_map: bool = False) -> Any:
    """Spells an answer as Step Functions does."""
    if isinstance(value, dict):
        return {
            key if is_user_map else key[:1].upper() + key[1:]: to_pascal_case(
                entry, is_user_map=key in ("tags", "parameters", "options", "statusSummary")
            )
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [to_pascal_case(entry) for entry in value]
    return value


def _convert(value: Any, shape: model.Shape, *, where: str) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        return from_pascal_case(value, shape, where=where)
    if shape.type_name == "list" and isinstance(value, list):
        return [_convert(entry, shape.member, where=where) for entry in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _convert(entry, shape.value, where=where) for key, entry in value.items()}
    return _convert_scalar(value, shape, where=where)


def _convert_scalar(value: Any, shape: model.Shape, *, where: str) -> Any:
    if shape.type_name in ("integer", "long") and isinstance(value, str | float):
        return _to_integer(value, where=where)
    if shape.type_name == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    if shape.type_name == "string" and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else f"{value:g}"
    return value


def _to_integer(value: str | float, *, where: str) -> int:
    try:
        number = float(value)
    except ValueError as error:
        raise ClientError(f"{where} is {value!r}: it has to be a whole number") from error
    if not number.is_integer():
        raise ClientError(f"{where} is {value!r}: it has to be a whole number")
    return int(number)
