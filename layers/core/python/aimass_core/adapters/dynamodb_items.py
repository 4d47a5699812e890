"""Rows as DynamoDB items: JSON as native maps, so that stream filters and the console can look inside.

A float keeps all its digits as a Decimal. The few that DynamoDB's numbers cannot hold, or would give back as
another number (beyond 1e-128 .. 2**53), become `{"$float": "1e-200"}`; a key of the data's own that begins with $ gets
one more.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from aimass_core.adapters.storable import check_storable
from aimass_core.domain.keys import RowKey
from aimass_core.ports import Row

_FLOAT = "$float"
_SMALLEST, _LARGEST = 1e-128, 2.0**53
_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def to_item(row: Row) -> dict[str, Any]:
    """A row in DynamoDB's typed form.

    Raises:
        InvalidRequestError: it holds something that cannot be stored.
    """
    check_storable(row.data)
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
        return {f"${name}" if name.startswith("$") else str(name): _encode(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int) or value == 0 or _SMALLEST <= abs(value) <= _LARGEST:
        return Decimal(repr(value))
    return {_FLOAT: repr(value)}


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_FLOAT}:
            return float(value[_FLOAT])
        return {name.removeprefix("$") if name.startswith("$$") else name: _decode(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
