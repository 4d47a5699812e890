"""DynamoDB: a Query sorts every item of a partition, and the emulator parses the condition anew for each of them.

With ten thousand files in one dataset that is most of what the server does. The one condition that the registry asks
with is decided here, before anything is sorted; every other is left to the emulator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ministack.services import dynamodb

from aimass_local.emulator.contract import require

_PREFIX_CONDITION = re.compile(r"(\w+) = (:\w+) AND begins_with\((\w+), (:\w+)\)")

_QUERIED = "aimass.items-of-a-query"


def patch_items() -> None:
    """Applies the patches of this module."""
    require(callable(getattr(dynamodb, "_evaluate_condition", None)), "dynamodb._evaluate_condition is gone")
    evaluate = dynamodb._evaluate_condition

    def evaluate_condition(
        condition: str, item: Mapping[str, Any], values: Mapping[str, Any], *rest: Any, **options: Any
    ) -> Any:
        match = _PREFIX_CONDITION.fullmatch(condition) if options.get("slot") == "KeyConditionExpression" else None
        if match is None:
            return evaluate(condition, item, values, *rest, **options)
        partition, wanted, sort, prefix = match.groups()
        is_of_it = item.get(partition) == values[wanted]
        return is_of_it and item[sort]["S"].startswith(values[prefix]["S"])

    dynamodb._evaluate_condition = evaluate_condition
    _patch_queries()


def _patch_queries() -> None:
    """A query by prefix asks a table that has those items only. The table itself is left alone: threads write to it."""
    require(callable(getattr(dynamodb, "_query", None)), "dynamodb._query is gone")
    query = dynamodb._query

    def query_prefix(data: dict[str, Any]) -> Any:
        match = _PREFIX_CONDITION.fullmatch(data.get("KeyConditionExpression") or "")
        table = dynamodb._tables.get(data.get("TableName")) if match and not data.get("IndexName") else None
        if match is None or table is None or (table["pk_name"], table["sk_name"]) != (match[1], match[3]):
            return query(data)
        values = data["ExpressionAttributeValues"]
        partition, prefix = values[match[2]].get("S"), values[match[4]].get("S")
        if not partition or not prefix:
            return query(data)
        items = table["items"].get(partition, {})
        found = {sort: item for sort, item in items.items() if sort.startswith(prefix)}
        dynamodb._tables[_QUERIED] = {**table, "items": {partition: found}}
        try:
            return query({**data, "TableName": _QUERIED})
        finally:
            del dynamodb._tables[_QUERIED]

    dynamodb._query = query_prefix
