"""Rows as DynamoDB items: JSON as native maps, so that stream filters and the console can look inside.

A float keeps all its digits as a Decimal. The few that DynamoDB's numbers cannot hold (beyond 1e-128 .. 1e125) become
`{"$float": "1e-200"}`; NaN and infinity are no JSON and are refused.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from aimass_core.domain.keys import RowKey
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Row

_FLOAT = "$float"
_MAX_DIGITS = 38
_SMALLEST, _LARGEST = 1e-128, 1e125
_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def to_item(row: Row) -> dict[str, Any]:
    """A row in DynamoDB's typed form.

    Raises:
        InvalidRequestError: it holds something that cannot be stored.
    """
    native = {name: value for name, value in to_native(row).items() if value is not None}
    return {name: _serializer.serialize(value) for name, value in native.items()}


def to_native(row: Row) -> dict[str, Any]:
    """The item's attributes as Python values. Two rows are the same if these are."""
    return {
        "pk": row.key.partition,
        "sk": row.key.sort,
        "data": _encode(row.data),
        "revision": row.revision,
        "resource": row.resource,
        "status": row.status,
        "at": None if row.at is None else row.at.astimezone(UTC).isoformat(),
        "expires_at": None if row.expires_at is None else math.ceil(row.expires_at.timestamp()),
    }


def from_item(item: Mapping[str, Any]) -> Row:
    """The row of an item (also of a stream record's image)."""
    native = {name: _deserializer.deserialize(value) for name, value in item.items()}
    at, expires_at = native.get("at"), native.get("expires_at")
    return Row(
        key=RowKey(native["pk"], native["sk"]),
        data=_decode(native["data"]),
        revision=int(native["revision"]),
        resource=native.get("resource"),
        status=native.get("status"),
        at=None if at is None else datetime.fromisoformat(at),
        expires_at=None if expires_at is None else datetime.fromtimestamp(int(expires_at), UTC),
    )


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _encode(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        if len(str(abs(value))) > _MAX_DIGITS:
            raise InvalidRequestError(f"A whole number has more than {_MAX_DIGITS} digits. Send it as text.")
        return Decimal(value)
    return _encode_float(float(value))


def _encode_float(value: float) -> Any:
    if not math.isfinite(value):
        raise InvalidRequestError(f"{value} is not a number that can be stored. Leave it out or send null.")
    if value == 0 or _SMALLEST <= abs(value) <= _LARGEST:
        return Decimal(repr(value))
    return {_FLOAT: repr(value)}


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_FLOAT}:
            return float(value[_FLOAT])
        return {name: _decode(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
